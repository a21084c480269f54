import { createRng, f32, i64, TemperError } from "temper/core";
import {
  apply,
  BATCH,
  bind,
  broadcastShapes,
  constant,
  constantOf,
  createGraph,
  elements,
  emit,
  float32,
  foldBatchNorm,
  foldConstants,
  type Graph,
  graphNodes,
  hashGraph,
  input,
  int64,
  mergeCommon,
  printGraph,
  simplify,
  toArray64,
  trace,
  withBatch,
} from "temper/graph";
import {
  add,
  BatchNormalization,
  concat,
  Conv,
  evaluateGraph,
  gather,
  matmul,
  mul,
  relu,
  Reshape,
  scale,
  shapeOf,
} from "temper/ops";
import { describe, expect, it } from "vitest";

describe("withBatch", () => {
  it("gives the same graph for one batch size", () => {
    const graph = trace("rows", { x: float32(BATCH, 3), w: float32(3, 2) }, ({ x, w }) => matmul(x, w));
    const fixed = withBatch(graph, 5);
    expect(fixed.inputs.map(({ shape }) => shape)).toEqual([
      [5, 3],
      [3, 2],
    ]);
    expect(Object.values(fixed.outputs).map(({ shape }) => shape)).toEqual([[5, 2]]);
    expect(fixed.inputs.map(({ node }) => node.name)).toEqual(["x", "w"]);
  });
});

const opsOf = (graph: Graph): string[] =>
  graphNodes(graph)
    .map((node) => node.op.name)
    .filter((name) => name !== "Input" && name !== "Constant");

describe("shapes", () => {
  it.each([
    [[2, 3], [3], [2, 3]],
    [
      [BATCH, 1, 4],
      [5, 1],
      [BATCH, 5, 4],
    ],
    [[BATCH], [1], [BATCH]],
    [[], [2], [2]],
  ])("%o and %o broadcast to %o", (a, b, expected) => expect(broadcastShapes(a, b)).toEqual(expected));
  it.each([
    [[2], [3]],
    [[BATCH], [4]],
    [[BATCH], [-2]],
  ])("%o and %o do not", (a, b) => expect(() => broadcastShapes(a, b)).toThrow(/do not broadcast/));
  it("count elements by example", () => {
    expect(elements([BATCH, 3, 4])).toBe(-12);
    expect(() => elements([BATCH, BATCH])).toThrow(/more than one batch/);
  });
});

describe("graphs", () => {
  it("refuse inputs that are missing or doubled", () => {
    const x = input("x", "float32", [2]),
      other = input("x", "float32", [2]);
    expect(() => createGraph("g", [], { y: relu(x) })).toThrow('an output needs input "x", which is not listed');
    expect(() => createGraph("g", [x, other], { y: relu(x) })).toThrow('two inputs are called "x"');
    expect(() => createGraph("g", [relu(x)], { y: x })).toThrow("Relu is listed as an input");
  });

  it("name the node where shapes do not fit", () => {
    const build = (): unknown => emit(relu(input("x", "float32", [2])).node.op, [], {}, "layer1");
    expect(build).toThrow(/Relu "layer1": wants 1 inputs, got 0/);
    expect(() => trace("g", { a: float32(2, 3), b: float32(4, 5) }, ({ a, b }) => matmul(a, b))).toThrow(
      /MatMul: .*3.*4/,
    );
    expect(() => add(input("a", "float32", [2]), input("b", "int64", [2]))).toThrow(TemperError);
  });

  it("do not contain what no output reaches", () => {
    const graph = trace("g", { x: float32(2) }, ({ x }) => {
      mul(x, x);
      return relu(x);
    });
    expect(opsOf(graph)).toEqual(["Relu"]);
  });

  it("bind inputs and call each other", () => {
    const inner = trace("inner", { a: float32(2), b: float32(2) }, ({ a, b }) => ({ sum: add(a, b) }));
    const half = bind(inner, { b: constant(f32([10, 20])) });
    expect(half.inputs.map((v) => v.node.name)).toEqual(["a"]);
    const outer = trace("outer", { x: float32(2) }, ({ x }) => apply(half, { a: scale(x, 2) }));
    expect(Array.from(evaluateGraph(outer, { x: toArray64(f32([1, 2])) })["sum"]!.data)).toEqual([12, 24]);
    expect(() => bind(inner, { c: constant(f32([1])) })).toThrow(/no input "c". Known: a, b/);
    expect(() => apply(inner, { a: constant(f32([1, 2])) })).toThrow(/no value given for input "b"/);
  });

  it("print and hash the computation, not its history", () => {
    const build = (factor: number): Graph =>
      trace("g", { x: float32(BATCH, 2) }, ({ x }) => ({ y: relu(scale(x, factor)) }));
    expect(printGraph(build(2))).toBe(
      "input %x: float32[N, 2]\n%0: float32[N, 2] = Mul(%x, float32[]{2})\n%1: float32[N, 2] = Relu(%0)\noutput y: %1\n",
    );
    expect(hashGraph(build(2))).toBe(hashGraph(build(2)));
    expect(hashGraph(build(2))).not.toBe(hashGraph(build(3)));
    const big = (last: number): Graph =>
      trace("g", { x: float32(100) }, ({ x }) =>
        add(x, constant(f32(Array.from({ length: 100 }, (_, i) => (i === 99 ? last : i))))),
      );
    expect(hashGraph(big(1))).not.toBe(hashGraph(big(2)));
  });

  it("survive a depth at which recursion would not", () => {
    const graph = trace("deep", { x: float32(1) }, ({ x }) => {
      let y = x;
      for (let i = 0; i < 30_000; i++) y = relu(y);
      return y;
    });
    expect(graphNodes(simplify(graph)).length).toBe(30_001);
  });
});

describe("passes", () => {
  it("fold constants, and integers that follow from shapes", () => {
    const graph = trace("g", { x: float32(BATCH, 3, 4) }, ({ x }) => {
      const dims = gather(shapeOf(x), constant(i64([1, 2]))); // 3, 4
      const target = concat([constant(i64([-1])), dims], 0);
      return { y: emit(Reshape, [x, target]), z: add(constant(f32([1, 2])), constant(f32([3, 4]))) };
    });
    const folded = foldConstants(graph);
    expect(opsOf(folded)).toEqual(["Reshape"]);
    expect(constantOf(folded.outputs["y"]!.node.inputs[1])).toEqual(i64([-1, 3, 4]));
    expect(constantOf(folded.outputs["z"])).toEqual(f32([4, 6]));
  });

  it("merge what computes the same", () => {
    const graph = trace("g", { x: float32(2) }, ({ x }) => add(relu(scale(x, 2)), relu(scale(x, 2))));
    expect(opsOf(mergeCommon(graph))).toEqual(["Mul", "Relu", "Add"]);
    const different = trace("g", { x: float32(2) }, ({ x }) => add(scale(x, 2), scale(x, 3)));
    expect(opsOf(mergeCommon(different))).toEqual(["Mul", "Mul", "Add"]);
  });

  it("fold batch normalization into the convolution before it", () => {
    const rng = createRng(1),
      random = (shape: number[], low: number, high: number): ReturnType<typeof constant> => {
        const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
        rng.fillUniform(data, low, high);
        return constant(f32(data, shape));
      };
    const weights = random([4, 3, 3, 3], -1, 1),
      norm = [random([4], 0.5, 2), random([4], -1, 1), random([4], -1, 1), random([4], 0.5, 2)];
    const graph = trace("g", { x: float32(BATCH, 3, 5, 5) }, ({ x }) =>
      relu(emit(BatchNormalization, [emit(Conv, [x, weights]), ...norm], { epsilon: 1e-3 })),
    );
    const folded = foldBatchNorm(graph);
    expect(opsOf(folded)).toEqual(["Conv", "Relu"]);
    const feeds = { x: toArray64(random([2, 3, 5, 5], -1, 1).node.attributes["value"] as ReturnType<typeof f32>) };
    const [a, b] = [graph, folded].map((g) => evaluateGraph(g, feeds)["output"]!.data);
    a!.forEach((value, i) => expect(b![i]).toBeCloseTo(value, 5)); // folded weights are rounded to float32 once
  });

  it("leave a convolution alone whose plain output is used as well", () => {
    const one = constant(f32([1])),
      zero = constant(f32([0]));
    const graph = trace("g", { x: float32(BATCH, 1, 2, 2) }, ({ x }) => {
      const y = emit(Conv, [x, constant(f32([2], [1, 1, 1, 1]))]);
      return { y, z: emit(BatchNormalization, [y, one, zero, zero, one]) };
    });
    expect(opsOf(foldBatchNorm(graph))).toEqual(["Conv", "BatchNormalization"]);
  });
});

it("traces integers too", () => {
  const graph = trace("g", { i: int64(BATCH) }, ({ i }) => add(i, i));
  expect(graph.outputs["output"]!.dtype).toBe("int64");
});
