import { grad } from "temper/autodiff";
import { f32, toFloat64 } from "temper/core";
import { BATCH, float32, type Graph, graphNodes, input, printGraph, toArray64, trace, type Value } from "temper/graph";
import { add, conv, evaluateGraph, mul, reduceSum, scan } from "temper/ops";
import { compile, lowerForCpu } from "temper/runtime";
import { describe, expect, it } from "vitest";

/** s <- s x + t, t <- t; gives s + t as it was. */
const body = trace("body", { s: float32(2), t: float32(2), x: float32(2), y: float32(2) }, ({ s, t, x, y }) => ({
  s: add(mul(s, x), t),
  t,
  sum: add(add(s, t), y),
}));
const loop = (): Graph =>
  trace(
    "loop",
    { s: float32(2), t: float32(2), x: float32(BATCH, 2), y: float32(BATCH, 2) },
    ({ s, t, x, y }): Readonly<Record<string, Value>> => {
      const [last, kept, sums] = scan(body, [s, t], [x, y]);
      return { last: last!, kept: kept!, sums: sums! };
    },
  );
const feeds = {
  s: f32([1, 2]),
  t: f32([3, 4]),
  x: f32([1, 2, 3, 4, 5, 6], [3, 2]),
  y: f32([0, 0, 10, 10, 20, 20], [3, 2]),
};

describe("Scan", () => {
  it("passes states on and stacks results", async () => {
    // s: 1, 1 + 3 = 4, 12 + 3 = 15, 75 + 3 = 78; and 2, 8, 36, 220.
    const expected = { last: [78, 220], kept: [3, 4], sums: [4, 6, 17, 22, 38, 60] };
    using program = await compile(loop());
    const outputs = await program.run(feeds);
    const exact = evaluateGraph(
      loop(),
      Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toArray64(tensor)])),
    );
    for (const [name, values] of Object.entries(expected)) {
      expect(Array.from(toFloat64(outputs[name]!)), name).toEqual(values);
      expect(Array.from(exact[name]!.data), name).toEqual(values);
    }
    expect(outputs["sums"]!.shape).toEqual([3, 2]);
  });

  it("takes a single stack", async () => {
    const sum = trace("sum", { s: float32(2), x: float32(2) }, ({ s, x }) => ({ s: add(s, x) }));
    const graph = trace("one", { s: float32(2), x: float32(BATCH, 2) }, ({ s, x }) => ({
      last: scan(sum, [s], [x])[0]!,
    }));
    using program = await compile(graph);
    expect(Array.from(toFloat64((await program.run({ s: feeds.s, x: feeds.x }))["last"]!))).toEqual([10, 14]);
  });

  it("goes from the last slice to the first, with what all times share", async () => {
    // Horner's rule: s <- s z + x, from the last coefficient on.
    const horner = trace("horner", { s: float32(2), x: float32(2), z: float32(2) }, ({ s, x, z }) => {
      const next = add(mul(s, z), x);
      return { next, seen: next };
    });
    const types = { s: float32(2), x: float32(BATCH, 2), z: float32(2) };
    const graph = trace("polynomial", types, ({ s, x, z }): Readonly<Record<string, Value>> => {
      const [last, seen] = scan(horner, [s], [x], { shared: [mul(z, z)], reverse: true });
      return { last: last!, seen: seen! };
    });
    const given = { s: f32([0, 0]), x: f32([1, 2, 3, 4, 5, 6], [3, 2]), z: f32([1, 2]) };
    // 5, 5 + 3, 8 + 1; 6, 6 4 + 4, 28 4 + 2
    const expected = { last: [9, 114], seen: [9, 114, 8, 28, 5, 6] };
    using program = await compile(graph);
    const outputs = await program.run(given);
    const exact = evaluateGraph(
      graph,
      Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, toArray64(tensor)])),
    );
    for (const [name, values] of Object.entries(expected)) {
      expect(Array.from(toFloat64(outputs[name]!)), name).toEqual(values);
      expect(Array.from(exact[name]!.data), name).toEqual(values);
    }
  });

  it("has a body that is lowered with the graph around it", () => {
    const inner = trace("inner", { x: float32(2, 16, 4, 4), w: float32(16, 16, 3, 3) }, ({ x, w }) => ({
      x: conv(x, w, undefined, { pads: [1, 1, 1, 1] }),
    }));
    const graph = trace("outer", { x: float32(2, 16, 4, 4), w: float32(BATCH, 16, 16, 3, 3) }, ({ x, w }) => ({
      x: scan(inner, [x], [w])[0]!,
    }));
    const found = graphNodes(lowerForCpu(graph, { block: 16 })).find(({ op }) => op.name === "Scan")!;
    expect(printGraph(found.attributes["body"] as Graph)).toContain("nchwc.Conv");
  });

  it("names the input that does not fit its body, and has no gradient", () => {
    const [s, t, x] = [input("s", "float32", [2]), input("t", "float32", [2]), input("x", "float32", [5, 2])];
    const wrong = input("y", "float32", [5, 3]);
    expect(() => scan(body, [s, t], [x, wrong])).toThrow(/Scan: the body's input "y" wants \[5, 2\], got \[5, 3\]/);
    expect(() => scan(body, [s, wrong], [x, x])).toThrow(/"t" wants \[2\], got \[5, 3\]/);
    const [last] = scan(body, [s, t], [x, x]);
    expect(() => grad(reduceSum(last!, [0]), [s])).toThrow(/Scan has no gradient rule/);
  });
});
