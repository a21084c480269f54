import { grad } from "temper/autodiff";
import { f32, i64, toFloat64 } from "temper/core";
import {
  BATCH,
  constant,
  float32,
  type Graph,
  graphNodes,
  input,
  int64,
  printGraph,
  toArray64,
  trace,
  type Value,
} from "temper/graph";
import { add, cast, conv, evaluateGraph, exp, iterate, mul, reduceSum, repeat, slice } from "temper/ops";
import { compile, lowerForCpu } from "temper/runtime";
import { describe, expect, it } from "vitest";

/** s <- s x + t (y y), t <- s. */
const body = trace(
  "body",
  { s: float32(BATCH), t: float32(BATCH), x: float32(BATCH), y: float32() },
  ({ s, t, x, y }) => ({
    s: add(mul(s, x), mul(t, mul(y, y))),
    t: s,
  }),
);
const loop = (): Graph =>
  trace(
    "loop",
    { count: int64(), s: float32(BATCH), t: float32(BATCH), x: float32(BATCH), y: float32() },
    ({ count, s, t, x, y }) => {
      const [last, before] = repeat(count, body, [s, t], [x, y]);
      return { last: last!, before: before! };
    },
  );
const feeds = (count: number) => ({
  count: i64([count], []),
  s: f32([1, 2]),
  t: f32([3, 4]),
  x: f32([2, 1]),
  y: f32([2], []),
});

describe("Loop", () => {
  it("passes states on as often as it is told, beside what every time reads", async () => {
    using program = await compile(loop());
    // s: 1, 2 + 12 = 14, 28 + 4 = 32; and 2, 2 + 16 = 18, 18 + 8 = 26.
    for (const [count, last, before] of [
      [0, [1, 2], [3, 4]],
      [1, [14, 18], [1, 2]],
      [2, [32, 26], [14, 18]],
    ] as const) {
      const outputs = await program.run(feeds(count));
      const exact = evaluateGraph(
        loop(),
        Object.fromEntries(Object.entries(feeds(count)).map(([name, tensor]) => [name, toArray64(tensor)])),
      );
      for (const [name, values] of Object.entries({ last, before })) {
        expect(Array.from(toFloat64(outputs[name]!)), name).toEqual(values);
        expect(Array.from(exact[name]!.data), name).toEqual(values);
      }
    }
  });

  it("has a body that is lowered with the graph around it, and makes what never changes only once", async () => {
    const inner = trace("inner", { x: float32(2, 16, 4, 4), w: float32(16, 16, 3, 3) }, ({ x, w }) => ({
      x: conv(x, mul(w, w), undefined, { pads: [1, 1, 1, 1] }),
    }));
    const graph = trace(
      "outer",
      { count: int64(), x: float32(2, 16, 4, 4), w: float32(16, 16, 3, 3) },
      ({ count, x, w }) => ({ y: repeat(count, inner, [x], [w])[0]! }),
    );
    const lowered = lowerForCpu(graph, { block: 16 }),
      found = graphNodes(lowered).find(({ op }) => op.name === "Loop")!;
    const inside = printGraph(found.attributes["body"] as Graph);
    expect(inside).toContain("nchwc.Conv");
    expect(inside).not.toContain("Mul(");
    expect(printGraph(lowered)).toContain("Mul(");
    using program = await compile(graph);
    const given = {
      count: i64([2], []),
      x: f32(
        Float32Array.from({ length: 512 }, (_, i) => (i % 7) / 7),
        [2, 16, 4, 4],
      ),
      w: f32(
        Float32Array.from({ length: 2304 }, (_, i) => (i % 5) / 40),
        [16, 16, 3, 3],
      ),
    };
    const y = toFloat64((await program.run(given))["y"]!);
    const exact = evaluateGraph(
      graph,
      Object.fromEntries(Object.entries(given).map(([name, tensor]) => [name, toArray64(tensor)])),
    )["y"]!.data;
    y.forEach((v, i) => expect(Math.abs(v - exact[i]!) / exact[0]!).toBeLessThan(1e-5));
  });

  it("may end a time with what never changes: read, or made of it before the loop", async () => {
    const settled = trace("settled", { s: float32(2), t: float32(2), x: float32(2) }, ({ x }) => ({
      s: x,
      t: mul(x, x),
    }));
    const graph = trace(
      "outer",
      { count: int64(), s: float32(2), t: float32(2), x: float32(2) },
      ({ count, s, t, x }) => {
        const [last, square] = repeat(count, settled, [s, t], [x]);
        return { last: last!, square: square! };
      },
    );
    using program = await compile(graph);
    for (const [count, last, square] of [
      [0, [1, 2], [3, 4]],
      [3, [5, 6], [25, 36]],
    ] as const) {
      const given = { count: i64([count], []), s: f32([1, 2]), t: f32([3, 4]), x: f32([5, 6]) };
      const outputs = await program.run(given);
      expect(Array.from(toFloat64(outputs["last"]!))).toEqual(last);
      expect(Array.from(toFloat64(outputs["square"]!))).toEqual(square);
    }
  });

  it("names the input that does not fit its body, and has no gradient", () => {
    const [count, s, x] = [input("count", "int64", []), input("s", "float32", [BATCH]), input("x", "float32", [BATCH])];
    const wrong = input("y", "float32", [2]);
    expect(() => repeat(count, body, [s, s], [x, wrong])).toThrow(
      /Loop: the body's input "y" wants float32\[\], got float32\[2\]/,
    );
    expect(() => repeat(count, body, [s, s], [x])).toThrow(/"y" wants float32\[\], got none/);
    const other = trace("other", { s: float32(1), t: float32(2) }, ({ s, t }) => ({ s: add(s, t), t }));
    expect(() => repeat(count, other, [input("a", "float32", [1]), wrong])).toThrow(
      /"s" wants float32\[1\], got float32\[2\]/,
    );
    const [last] = repeat(count, body, [s, s], [x, input("v", "float32", [])]);
    expect(() => grad(reduceSum(last!, [0]), [s])).toThrow(/Loop has no gradient rule/);
  });
});

describe("iterate", () => {
  const types = { s: float32(3), t: float32(3), w: float32(3) };
  const given = { s: f32([1, -2, 3]), t: f32([0.5, 1, 2]), w: f32([0.1, -0.3, 0.7]) };
  const exactly = (graph: Graph) =>
    evaluateGraph(graph, Object.fromEntries(Object.entries(given).map(([name, v]) => [name, toArray64(v)])));
  const advance = (w: Value, [s, t]: readonly Value[]): readonly Value[] => [add(mul(s!, w), t!), mul(t!, w)];
  const times = (count: number): Value => constant(i64([count], []));

  it("is the steps written out, and computes what they read of the graph around once", async () => {
    const looped = trace("looped", types, ({ s, t, w }) => {
      const factor = exp(w),
        [a, b] = iterate("steps", times(4), [s, t], (states) => advance(factor, states));
      return { a: a!, b: b! };
    });
    const written = trace("written", types, ({ s, t, w }) => {
      let states: readonly Value[] = [s, t];
      for (let i = 0; i < 4; i++) states = advance(exp(w), states);
      return { a: states[0]!, b: states[1]! };
    });
    expect(exactly(looped)).toEqual(exactly(written));
    using fast = await compile(looped);
    using plain = await compile(written);
    expect(await fast.run(given)).toEqual(await plain.run(given));

    const nodes = graphNodes(looped),
      body = nodes.find(({ op }) => op.name === "Loop")!.attributes["body"] as Graph;
    expect(nodes.filter(({ op }) => op.name === "Exp").length).toBe(1);
    expect(graphNodes(body).filter(({ op }) => op.name === "Exp").length).toBe(0);
    expect(body.inputs.map(({ node }) => node.name)).toEqual(["time", "goes_on", "state.0", "state.1", "outside.0"]);
  });

  it("stands inside of another, whose states and surroundings it reads", async () => {
    const graph = trace("nested", types, ({ s, t, w }) => {
      const [last] = iterate("outer", times(3), [s], ([outer]) =>
        iterate("inner", times(2), [outer!], ([inner]) => [add(mul(inner!, w), mul(outer!, t))]),
      );
      return { last: last! };
    });
    const expected = Array.from(given.s.data, (start, i) => {
      let state = start;
      for (let a = 0; a < 3; a++) {
        const outer = state;
        for (let b = 0; b < 2; b++) state = state * given.w.data[i]! + outer * given.t.data[i]!;
      }
      return state;
    });
    using program = await compile(graph);
    const { last } = await program.run(given);
    expected.forEach((v, i) => expect(toFloat64(last!)[i]).toBeCloseTo(v, 4));
    expected.forEach((v, i) => expect(exactly(graph)["last"]!.data[i]).toBeCloseTo(v, 10));
  });

  it("names the state whose shape changes", () => {
    const build = (step: (states: readonly Value[]) => readonly Value[]) => () =>
      trace("wrong", types, ({ s, t }) => ({ s: iterate("steps", times(2), [s, t], step)[0]! }));
    expect(build(([s, t]) => [s!, slice(t!, [0], [2])])).toThrow(/"state\.1" wants float32\[3\], got float32\[2\]/);
    expect(build(([s, t]) => [s!, cast(t!, "int64")])).toThrow(/"state\.1" wants float32\[3\], got int64\[3\]/);
  });
});
