import { grad, withoutRules } from "temper/autodiff";
import { f32, scalar, type Tensor } from "temper/core";
import { BATCH, createGraph, graphNodes, input, printGraph, simplify, type Value } from "temper/graph";
import { toGraph } from "temper/models";
import { batchNorm, compose, conv2d } from "temper/nn";
import type { ModelProto } from "temper/onnx";
import { add, evaluateGraph, mul, reduceSum } from "temper/ops";
import { describe, expect, it } from "vitest";
import { difference, nodeOf, randomTensor, runModel } from "../ops/model-file.ts";
import { applied, asTensor, everything, images, read, small, start } from "./trainable.ts";

describe("batch normalization of a file in training mode", () => {
  it("is that of our layers: outputs and running statistics, with the file's momentum and epsilon", async () => {
    const nodes = [
      nodeOf("Conv", "x k", "c", { kernel_shape: { ints: [1, 1] } }),
      nodeOf("BatchNormalization", "c s o m v", "h", { momentum: { f: 0.75 }, epsilon: { f: 0.01 } }, { name: "bn" }),
    ];
    const initializers = {
      k: randomTensor("float32", [2, 2, 1, 1], 1),
      s: f32([1.5, -2]),
      o: f32([0.5, 1]),
      m: f32([0.1, 0.2]),
      v: f32([1, 2]),
    };
    const { definition } = await read(small(nodes, initializers));
    const ours = compose(
      { conv: conv2d(2, 2, 1, { bias: false }), bn: batchNorm(2, { epsilon: 0.01, momentum: 0.25 }) },
      (call, x) => call("bn", call("conv", x)),
    );
    const names = {
      "conv.weight": "k",
      "bn.weight": "s",
      "bn.bias": "o",
      "bn.running_mean": "m",
      "bn.running_var": "v",
    } as const;
    const x = images(3, [2, 2, 2], 1),
      given = start(definition);
    const theirs = applied(definition, 3, { training: true });
    const seen = evaluateGraph(theirs.graph, { input: x, ...given });
    const mine = applied({ ...ours, name: "ours", inputShape: [2, 2, 2], classes: 8 }, 3, { training: true });
    const expected = evaluateGraph(mine.graph, {
      input: x,
      ...Object.fromEntries(Object.entries(names).map(([name, theirs]) => [name, given[theirs]!])),
    });
    const close = (a: Float64Array, b: Float64Array): void => a.forEach((v, i) => expect(v).toBeCloseTo(b[i]!, 6));
    close(seen["next.m"]!.data, expected["next.bn.running_mean"]!.data);
    close(seen["next.v"]!.data, expected["next.bn.running_var"]!.data);
    const normalized = expected["logits"]!.data, // [3, 2, 2, 2]: the rest of the file is one product
      [w, b] = [given["w"]!.data, given["b"]!.data];
    seen["logits"]!.data.forEach((v, i) => {
      const [row, column] = [Math.floor(i / 3), i % 3];
      let sum = b[column]!;
      for (let k = 0; k < 8; k++) sum += normalized[row * 8 + k]! * w[k * 3 + column]!;
      expect(v).toBeCloseTo(sum, 6);
    });
  });

  it("evaluation uses the stored statistics, and updates nothing", async () => {
    const { definition } = await read(everything());
    const graph = toGraph(definition);
    expect(Object.keys(graph.outputs)).toEqual(["logits"]);
    const x = images(2, [2, 6, 6], 4),
      ours = evaluateGraph(graph, { input: x, ...start(definition) })["logits"]!;
    const file = await runModel(everything(), { image: asTensor(x) });
    expect(difference(file, { scores: ours })).toBeLessThan(1e-5);
  });

  it("statistics that two normalizations share stay as they are, and so do those that something else reads", async () => {
    const bn = (x: string, y: string, stats: string, name: string) =>
      nodeOf("BatchNormalization", `${x} s o ${stats}`, y, {}, { name });
    const initializers = { s: f32([1, 2]), o: f32([0, 0]), m: f32([0, 0]), v: f32([1, 1]), m2: f32([0, 0]) };
    const twice = await read(small([bn("x", "a", "m v", "bn1"), bn("a", "h", "m v", "bn2")], initializers));
    expect(twice.definition.buffers).toEqual({});
    expect(twice.notes).toEqual([
      "Not trained: m, v (statistics that are shared, or not stored as such).",
      "Keep their stored statistics in training: bn1, bn2.",
    ]);
    const both = await read(small([bn("x", "a", "o v", "bn1"), nodeOf("Relu", "a", "h")], initializers));
    expect(Object.keys(both.definition.parameters)).toEqual(["s", "w", "b"]);
    expect(both.notes.join(" ")).toMatch(/Not trained: o, v \(statistics/);
  });
});

describe("dropout of a file", () => {
  const file = (opset: number, inputs: string, attributes: Parameters<typeof nodeOf>[3]): ModelProto =>
    small(
      [nodeOf("Dropout", inputs, "h", attributes, { name: "drop" })],
      { r: scalar(0.25), on: { dtype: "bool", shape: [], data: Uint8Array.of(1) } },
      { opset },
    );
  it.each([
    [6, "x", { is_test: { i: 1 }, ratio: { f: 0.25 } }, 0.25],
    [7, "x", { ratio: { f: 0.75 } }, 0.75],
    [10, "x", {}, 0.5],
    [12, "x r", {}, 0.25],
    [13, "x", {}, 0.5],
    [22, "x r on", {}, 0.25],
  ] as const)("opset %i, inputs %s, attributes %j: drops %f in training", async (opset, inputs, attributes, ratio) => {
    const { definition } = await read(file(opset, inputs, attributes));
    const graph = toGraph(definition, { training: true });
    const uniform = graph.inputs.find((v) => v.node.name === "uniform.0")!;
    expect(uniform.shape).toEqual([BATCH, 2, 2, 2]);
    const x = images(1, [2, 2, 2], 1);
    const grid = { ...x, data: x.data.map((_, i) => i / 8) };
    const run = (data: Float64Array, g = graph): Float64Array =>
      evaluateGraph(g, { ...start(definition), input: { ...x, data }, "uniform.0": grid })["logits"]!.data;
    const masked = x.data.map((v, i) => (i / 8 < 1 - ratio ? v / (1 - ratio) : 0));
    const expected = run(masked, toGraph(definition));
    run(x.data).forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 5));
    expect(toGraph(definition).inputs.some((v) => v.node.name === "uniform.0")).toBe(false);
  });

  it("needs random numbers from outside", async () => {
    const { definition } = await read(file(12, "x r", {}));
    const { graph } = applied(definition, 1, { training: false });
    expect(graphNodes(graph).some(({ op }) => op.name === "Dropout")).toBe(false);
    const values = Object.fromEntries(graph.inputs.map((v) => [v.node.name, v]));
    expect(() => definition.apply(values, values["input"]!, { training: true })).toThrow(/random numbers/);
  });
});

it.each([
  [13, ["n", "m1", "v1", "m2", "v2"], []],
  [15, ["n", "m1", "v1"], [{ name: "training_mode", type: 2, i: 1 }]],
] as const)(
  "a file exported in training mode (opset %i) trains, and is written in evaluation mode",
  async (opset, output, mode) => {
    const on: Tensor = { dtype: "bool", shape: [], data: Uint8Array.of(1) };
    const base = everything({ opset });
    const exported: ModelProto = {
      ...base,
      graph: {
        ...base.graph,
        node: [
          nodeOf("Constant", "", "on", { value: { t: on } }, { name: "on" }),
          ...base.graph!.node!.map((node) => {
            if (node.opType === "BatchNormalization")
              return { ...node, output, attribute: [...node.attribute!, ...mode] };
            return node.opType === "Dropout" ? { ...node, input: ["a", "ratio", "on"] } : node;
          }),
        ],
      },
    };
    const { definition, notes, withWeights } = await read(exported);
    expect(Object.keys(definition.buffers)).toEqual(["bn.m", "bn.v"]);
    expect(notes).toContain("The file was exported in training mode; it is written in evaluation mode.");
    const x = asTensor(images(2, [2, 6, 6], 4));
    const written = withWeights({});
    expect(written.graph!.node!.map(({ name }) => name)).toEqual(exported.graph!.node!.map(({ name }) => name));
    expect(difference(await runModel(base, { image: x }), await runModel(written, { image: x }))).toBeLessThan(1e-6);
  },
);

describe("taps of a file", () => {
  it("see the nodes by their names, and the identity changes nothing", async () => {
    const { definition } = await read(everything());
    const seen: string[] = [];
    const graphs = [
      { training: true },
      {
        training: true,
        tap: (name: string, v: Value): Value => {
          seen.push(name);
          return v;
        },
      },
    ].map((mode) => printGraph(withoutRules(simplify(applied(definition, 2, mode).graph))));
    expect(graphs[1]).toBe(graphs[0]);
    expect(seen).toEqual([
      "centre",
      "scale",
      "conv",
      "bn",
      "clip",
      "drop",
      "flat",
      "matmul",
      "add",
      "layer_scale",
      "temperature",
    ]);
  });

  it("use what they are given: a zero added there has the gradient of what is there", async () => {
    const { definition } = await read(everything());
    let there: Value | undefined, zero: Value | undefined;
    const tap = (name: string, v: Value): Value => {
      if (name !== "bn") return v;
      zero = input("zero", "float32", v.shape);
      there = add(v, zero);
      return there;
    };
    const x = input("input", "float32", [2, 2, 6, 6]);
    const specs = Object.entries({ ...definition.parameters, ...definition.buffers });
    const weights = Object.fromEntries(specs.map(([name, { shape }]) => [name, input(name, "float32", shape)]));
    const { y } = definition.apply(weights, x, { training: false, tap });
    const cost = reduceSum(mul(y, y), [0, 1]);
    const [atZero, atTap] = grad(cost, [zero!, there!]);
    const graph = createGraph("g", [x, ...Object.values(weights), zero!], { atZero: atZero!, atTap: atTap!, y });
    const feeds = { ...start(definition), input: images(2, [2, 6, 6], 2) };
    const nothing = { ...images(2, zero!.shape.slice(1), 0), data: new Float64Array(2 * 48) };
    const found = evaluateGraph(graph, { ...feeds, zero: nothing });
    expect(found["atZero"]!.data).toEqual(found["atTap"]!.data);
    expect(found["atTap"]!.data.some((v) => v !== 0)).toBe(true);
    expect(found["y"]).toEqual(evaluateGraph(toGraph(definition), feeds)["logits"]);
    const pushed = evaluateGraph(graph, { ...feeds, zero: { ...nothing, data: nothing.data.fill(1) } });
    expect(pushed["y"]!.data).not.toEqual(found["y"]!.data);
  });

  it("are not offered where a node became several", async () => {
    const groups = nodeOf("GroupNormalization", "x s o", "h", { num_groups: { i: 2 } }, { name: "groups" });
    const { definition } = await read(small([groups], { s: f32([1, 2]), o: f32([0, 1]) }, { opset: 21 }));
    expect(Object.keys(definition.parameters)).toEqual(["s", "o", "w", "b"]);
    const seen: string[] = [];
    applied(definition, 2, {
      training: false,
      tap: (name, v) => {
        seen.push(name);
        return v;
      },
    });
    expect(seen).toContain("gemm");
    expect(seen).not.toContain("groups");
  });
});
