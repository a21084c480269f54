import { f32, i64, scalar, type Tensor } from "temper/core";
import { grad } from "temper/autodiff";
import { concretize, graphNodes, printGraph } from "temper/graph";
import type { GraphProto, ModelProto, NodeProto } from "temper/onnx";
import { bindParameters, dataInputs, importModel, type ImportOptions, reduceSum, toOnnx } from "temper/ops";
import { describe, expect, it } from "vitest";
import {
  type AttributeValue,
  difference,
  infoOf,
  modelOf,
  type ModelParts,
  nodeOf,
  randomTensor,
  runModel,
} from "./model-file.ts";
import { errorOf } from "../errors.ts";

/** Values for the data inputs of an imported model. */
const feedsFor = (model: ReturnType<typeof importModel>, batch: number, seed = 1): Record<string, Tensor> =>
  Object.fromEntries(
    model.graph.inputs
      .filter((v) => dataInputs(model).includes(v.node.name))
      .map((v, i) => [v.node.name, randomTensor(v.dtype, concretize(v.shape, batch), seed + i)]),
  );

/** Runs the file and what we make of it, at batch sizes 1 and 3. */
const disagreement = async (file: ModelProto, options: ImportOptions = {}): Promise<number> => {
  const model = importModel(file, options);
  const emitted = toOnnx(bindParameters(model), { domains: model.domains });
  let worst = 0;
  for (const batch of [1, 3]) {
    const feeds = feedsFor(model, batch);
    worst = Math.max(worst, difference(await runModel(file, feeds), await runModel(emitted, feeds)));
  }
  return worst;
};

/** A model of one operator on x [N, ...rest]. */
const single = (
  opset: number,
  opType: string,
  rest: readonly number[],
  attributes: Readonly<Record<string, AttributeValue>>,
  more: { inputs?: string; outputs?: string; initializers?: Record<string, Tensor> } = {},
): ModelProto =>
  modelOf({
    opset,
    inputs: [infoOf("x", "float32", ["N", ...rest])],
    outputs: (more.outputs ?? "y")
      .split(" ")
      .flatMap((name) => (name === "-" ? [] : [infoOf(name, name.startsWith("i") ? "int64" : "float32")])),
    nodes: [nodeOf(opType, more.inputs ?? "x", more.outputs ?? "y", attributes, { name: "the/node" })],
    initializers: more.initializers ?? {},
  });

const channels = (k: number): Tensor => f32([1, 2, 3, 4].slice(0, k).map((v) => v * k));
const normal = { s: channels(3), b: channels(3), m: channels(3), v: channels(3) };

describe("older forms of operators mean the same after import", () => {
  const cases: Readonly<Record<string, ModelProto>> = {
    "ReduceMean 11, axes": single(11, "ReduceMean", [3, 4], { axes: { ints: [1, -1] }, keepdims: { i: 0 } }),
    "ReduceMax 12, axes": single(12, "ReduceMax", [3, 4], { axes: { ints: [2] } }),
    "ReduceSum 11, axes": single(11, "ReduceSum", [3, 4], { axes: { ints: [1] } }),
    "ReduceL2 13, axes": single(13, "ReduceL2", [3, 4], { axes: { ints: [1] } }),
    "ReduceLogSumExp 13, axes": single(13, "ReduceLogSumExp", [3, 4], { axes: { ints: [-1] } }),
    "Squeeze 11, axes": single(11, "Squeeze", [1, 4], { axes: { ints: [1] } }),
    "Unsqueeze 11, axes": single(11, "Unsqueeze", [4], { axes: { ints: [1, 3] } }),
    "Slice 9": single(9, "Slice", [5, 6], {
      starts: { ints: [1, -4] },
      ends: { ints: [9, -1] },
      axes: { ints: [1, 2] },
    }),
    "Slice 9 without axes": single(9, "Slice", [5], { starts: { ints: [0, 1] }, ends: { ints: [2 ** 40, 3] } }),
    "Pad 9": single(9, "Pad", [2, 3], { pads: { ints: [0, 1, 0, 0, 0, 2] }, value: { f: 1.5 } }),
    "Pad 9, reflect": single(9, "Pad", [3, 4], { pads: { ints: [0, 0, 1, 0, 0, 2] }, mode: { s: "reflect" } }),
    "Clip 9": single(9, "Clip", [6], { min: { f: -0.5 }, max: { f: 0.25 } }),
    "Clip 9, below only": single(9, "Clip", [6], { min: { f: 0 } }),
    "TopK 9": single(9, "TopK", [6], { k: { i: 2 } }, { outputs: "y indices" }),
    "Split 11, sizes": single(11, "Split", [6], { axis: { i: 1 }, split: { ints: [1, 5] } }, { outputs: "y z" }),
    "Split 11, equal": single(11, "Split", [6], { axis: { i: -1 } }, { outputs: "y z w" }),
    "Split 13, equal": single(13, "Split", [6], { axis: { i: 1 } }, { outputs: "y z" }),
    "Dropout 7": single(7, "Dropout", [6], { ratio: { f: 0.5 } }),
    "Dropout 12": single(12, "Dropout", [6], {}, { inputs: "x r", initializers: { r: scalar(0.5) } }),
    "Upsample 7, nearest": single(7, "Upsample", [2, 3, 4], {
      scales: { floats: [1, 1, 2, 2.5] },
      mode: { s: "nearest" },
    }),
    "Upsample 9, linear": single(
      9,
      "Upsample",
      [2, 3, 4],
      { mode: { s: "linear" } },
      {
        inputs: "x s",
        initializers: { s: f32([1, 1, 2, 2]) },
      },
    ),
    "Resize 10, nearest": single(
      10,
      "Resize",
      [2, 3, 4],
      {},
      {
        inputs: "x s",
        initializers: { s: f32([1, 1, 3, 1.5]) },
      },
    ),
    "Resize 11, empty roi": single(
      11,
      "Resize",
      [2, 3, 4],
      { mode: { s: "linear" } },
      {
        inputs: "x r s",
        initializers: { r: f32([]), s: f32([1, 1, 2, 2]) },
      },
    ),
    "BatchNormalization 7": single(
      7,
      "BatchNormalization",
      [3, 2],
      { spatial: { i: 1 }, epsilon: { f: 0.01 } },
      {
        inputs: "x s b m v",
        initializers: normal,
      },
    ),
    "BatchNormalization 14": single(
      14,
      "BatchNormalization",
      [3, 2],
      {},
      { inputs: "x s b m v", initializers: normal },
    ),
    "Softmax 11, axis 1 of 3": single(11, "Softmax", [3, 4], {}),
    "Softmax 9, one long axis": single(9, "Softmax", [5, 1, 1], {}),
    "LogSoftmax 11, last axis": single(11, "LogSoftmax", [3, 4], { axis: { i: 2 } }),
    "LogSoftmax 11, axis 1 of 4": single(11, "LogSoftmax", [3, 2, 2], { axis: { i: 1 } }),
    "Softmax 13": single(13, "Softmax", [3, 4], {}),
    "Gemm 7": single(
      7,
      "Gemm",
      [3],
      { alpha: { f: 0.5 }, transB: { i: 1 } },
      {
        inputs: "x w c",
        initializers: { w: f32([1, 2, 3, 4, 5, 6], [2, 3]), c: f32([7]) },
      },
    ),
    "Gemm 11 without bias": single(
      11,
      "Gemm",
      [3],
      {},
      { inputs: "x w", initializers: { w: f32([1, 2, 3, 4, 5, 6], [3, 2]) } },
    ),
    "Cast 9": single(9, "Cast", [3], { to: { i: 7 } }, { outputs: "integers" }),
    "Flatten 9, axis 2": single(9, "Flatten", [3, 2], { axis: { i: 2 } }),
    "AveragePool 7": single(7, "AveragePool", [2, 4, 4], {
      kernel_shape: { ints: [2, 2] },
      pads: { ints: [1, 0, 1, 0] },
    }),
    "MaxPool 8, indices not wanted": single(
      8,
      "MaxPool",
      [2, 4, 4],
      { kernel_shape: { ints: [2, 2] } },
      { outputs: "y -" },
    ),
    "Pow 12, whole exponent": single(12, "Pow", [3], {}, { inputs: "x p", initializers: { p: i64([2], []) } }),
    "CastLike 15": single(
      15,
      "CastLike",
      [3],
      {},
      { inputs: "x p", outputs: "integers", initializers: { p: i64([2], []) } },
    ),
    "GroupNormalization 21": single(
      21,
      "GroupNormalization",
      [4, 3, 2],
      { num_groups: { i: 2 }, epsilon: { f: 0.1 } },
      {
        inputs: "x s b",
        initializers: { s: channels(4), b: channels(4) },
      },
    ),
  };
  it.each(Object.entries(cases))("%s", async (_, file) => {
    expect(await disagreement(file)).toBeLessThan(1e-6);
  });

  const fixed: Readonly<Record<string, ModelProto>> = {
    "Resize 11, sizes": single(
      11,
      "Resize",
      [2, 3, 4],
      { mode: { s: "linear" }, coordinate_transformation_mode: { s: "align_corners" } },
      { inputs: "x r s z", initializers: { r: f32([]), s: f32([]), z: i64([2, 2, 5, 7]) } },
    ),
    "Scatter 9": single(
      9,
      "Scatter",
      [3],
      { axis: { i: 1 } },
      {
        inputs: "x i u",
        initializers: { i: i64([2, 0], [2, 1]), u: f32([9, 8], [2, 1]) },
      },
    ),
  };
  it.each(Object.entries(fixed))("%s, with a batch of two", async (_, file) => {
    expect(await disagreement(file, { dims: { N: 2 } })).toBeLessThan(1e-6);
  });

  it("outputs that nobody reads do not matter", async () => {
    const file = modelOf({
      opset: 9,
      inputs: [infoOf("x", "float32", ["N", 3])],
      outputs: [infoOf("y", "float32")],
      nodes: [nodeOf("Dropout", "x", "a mask"), nodeOf("Neg", "a", "y")],
    });
    expect(await disagreement(file)).toBe(0);
  });

  it("GroupNormalization 18 scales whole groups", async () => {
    const parts = { inputs: "x s b", initializers: { s: f32([2, 3]), b: f32([4, 5]) } };
    const file = single(18, "GroupNormalization", [4, 3, 2], { num_groups: { i: 2 } }, parts);
    // ONNX Runtime has only the newer form; the same network with one scale a channel is the reference.
    const perChannel = { inputs: "x s b", initializers: { s: f32([2, 2, 3, 3]), b: f32([4, 4, 5, 5]) } };
    const newer = single(21, "GroupNormalization", [4, 3, 2], { num_groups: { i: 2 } }, perChannel);
    const model = importModel(file);
    const feeds = feedsFor(model, 2);
    const emitted = await runModel(toOnnx(bindParameters(model)), feeds);
    expect(difference(await runModel(newer, feeds), emitted)).toBeLessThan(1e-6);
  });
});

describe("operators before version 7", () => {
  // ONNX Runtime has few kernels that old: the same in today's form is the reference.
  const cases: readonly (readonly [string, ModelProto, ModelProto])[] = [
    [
      "Add along the axis of the channels",
      single(
        6,
        "Add",
        [3, 2],
        { broadcast: { i: 1 }, axis: { i: 1 } },
        { inputs: "x b", initializers: { b: channels(3) } },
      ),
      single(13, "Add", [3, 2], {}, { inputs: "x b", initializers: { b: f32([3, 6, 9], [3, 1]) } }),
    ],
    [
      "Mul along the last axes",
      single(6, "Mul", [3, 2], { broadcast: { i: 1 } }, { inputs: "x b", initializers: { b: f32([4, 5]) } }),
      single(13, "Mul", [3, 2], {}, { inputs: "x b", initializers: { b: f32([4, 5]) } }),
    ],
    [
      "PRelu with a slope for each channel",
      single(6, "PRelu", [3, 2], {}, { inputs: "x b", initializers: { b: channels(3) } }),
      single(13, "PRelu", [3, 2], {}, { inputs: "x b", initializers: { b: f32([3, 6, 9], [3, 1]) } }),
    ],
    [
      "BatchNormalization, test mode",
      single(6, "BatchNormalization", [3, 2], { is_test: { i: 1 } }, { inputs: "x s b m v", initializers: normal }),
      single(15, "BatchNormalization", [3, 2], {}, { inputs: "x s b m v", initializers: normal }),
    ],
    [
      "Gemm with a broadcast flag",
      single(
        6,
        "Gemm",
        [2],
        { broadcast: { i: 1 } },
        { inputs: "x w b", initializers: { w: f32([1, 2], [2, 1]), b: f32([3]) } },
      ),
      single(13, "Gemm", [2], {}, { inputs: "x w b", initializers: { w: f32([1, 2], [2, 1]), b: f32([3]) } }),
    ],
    [
      "Reshape with its shape as an attribute",
      single(4, "Reshape", [3, 2], { shape: { ints: [0, 6] } }),
      single(13, "Flatten", [3, 2], {}),
    ],
    [
      "Upsample 1",
      single(6, "Upsample", [1, 2, 2], { height_scale: { f: 2 }, width_scale: { f: 3 } }),
      single(9, "Upsample", [1, 2, 2], {}, { inputs: "x s", initializers: { s: f32([1, 1, 2, 3]) } }),
    ],
    ["Cast with a word", single(5, "Cast", [3], { to: { s: "FLOAT" } }), single(13, "Cast", [3], { to: { i: 1 } })],
    ["consumed inputs", single(5, "Relu", [3], { consumed_inputs: { ints: [0] } }), single(13, "Relu", [3], {})],
  ];
  it.each(cases)("%s", async (_, old, today) => {
    const model = importModel(old);
    const feeds = feedsFor(model, 2);
    const emitted = await runModel(toOnnx(bindParameters(model)), feeds);
    expect(difference(await runModel(today, feeds), emitted)).toBe(0);
  });
});

describe("constants", () => {
  const withConstant = (attributes: Readonly<Record<string, AttributeValue>>, cast = false): ModelProto =>
    modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32", ["N", 2])],
      outputs: [infoOf("y", "float32")],
      nodes: [
        nodeOf("Constant", "", "c", attributes),
        ...(cast ? [nodeOf("Cast", "c", "d", { to: { i: 1 } })] : []),
        nodeOf("Mul", cast ? "x d" : "x c", "y"),
      ],
    });
  it.each([
    ["value", { value: { t: f32([2, 3]) } }, false],
    ["value_float", { value_float: { f: 2.5 } }, false],
    ["value_floats", { value_floats: { floats: [2.5, 3] } }, false],
    ["value_int", { value_int: { i: 3 } }, true],
    ["value_ints", { value_ints: { ints: [3, 4] } }, true],
  ])("%s", async (_, attributes, cast) => {
    const file = withConstant(attributes as Record<string, AttributeValue>, cast);
    expect(await disagreement(file)).toBe(0);
    expect(importModel(file).parameters).toEqual({});
  });

  it("a Constant of text is refused with its name", () => {
    const error = errorOf(() => importModel(withConstant({ value_string: { s: "text" } })));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain('Constant "c"');
  });
});

describe("parameters", () => {
  const file = modelOf({
    opset: 13,
    // Older exporters list the weights among the inputs.
    inputs: [infoOf("w", "float32", [2, 2]), infoOf("x", "float32", ["N", 2])],
    outputs: [infoOf("y", "float32")],
    nodes: [
      nodeOf("MatMul", "x w", "a"),
      nodeOf("Add", "a b", "c", {}, { name: "bias" }),
      nodeOf("Clip", "c low high", "d"),
      nodeOf("Mul", "d half", "e"),
      nodeOf("Reshape", "e to", "y"),
    ],
    initializers: {
      unused: f32([1, 2]),
      w: f32([1, 2, 3, 4], [2, 2]),
      low: f32([-1], []),
      high: f32([1], []),
      half: scalar(0.5),
      to: i64([-1, 1, 2]),
      b: f32([5, 6]),
    },
  });
  const model = importModel(file);

  it("are inputs after the data, in the order of the file; the rest is constant", () => {
    expect(model.graph.inputs.map((v) => v.node.name)).toEqual(["x", "w", "b"]);
    expect(Object.keys(model.parameters)).toEqual(["w", "b"]);
    expect(model.parameters["b"]).toEqual(f32([5, 6]));
    expect(dataInputs(model)).toEqual(["x"]);
  });
  it("can be bound, and bound to other values", async () => {
    const x = f32([1, 1], [1, 2]);
    const run = async (values?: Record<string, Tensor>) => {
      const graph = bindParameters(model, values);
      expect(graph.inputs.map((v) => v.node.name)).toEqual(["x"]);
      return Array.from((await runModel(toOnnx(graph), { x }))["y"]!.data);
    };
    expect(await run()).toEqual([0.5, 0.5]);
    expect(await run({ w: f32([0, 0, 0, 0], [2, 2]), b: f32([0.5, -9]) })).toEqual([0.25, -0.5]);
  });
  it("refuse values of another shape and names that do not exist", () => {
    expect(errorOf(() => bindParameters(model, { b: f32([1]) })).code).toBe("bad-shape");
    expect(errorOf(() => bindParameters(model, { q: f32([1]) })).code).toBe("not-found");
  });
  it("keep their names in what is written", () => {
    const written = toOnnx(bindParameters(model)).graph!;
    expect(written.initializer!.map((t) => t.name)).toEqual(expect.arrayContaining(["w", "b"]));
  });
  it("node names survive; nodes without one take that of their output", () => {
    const names = graphNodes(model.graph).map((n) => n.name);
    expect(names).toContain("bias");
    expect(names).toContain("a");
  });
});

describe("symbolic axes", () => {
  const over = (
    shape: readonly (number | string | null)[],
    options: ImportOptions = {},
  ): ReturnType<typeof importModel> =>
    importModel(
      modelOf({
        opset: 13,
        inputs: [infoOf("x", "float32", shape)],
        outputs: [infoOf("y", "float32")],
        nodes: [nodeOf("Add", "x x", "y")],
      }),
      options,
    );
  const shapeOf = (...args: Parameters<typeof over>): readonly number[] => over(...args).graph.inputs[0]!.shape;
  it.each([
    [
      ["N", 3],
      [-1, 3],
    ],
    [
      ["batch", 3],
      [-1, 3],
    ],
    [
      [null, 3],
      [-1, 3],
    ],
    [
      [0, 3],
      [-1, 3],
    ],
    [
      [-1, 3],
      [-1, 3],
    ],
    [
      [2, 3],
      [2, 3],
    ],
    [
      [3, "T"],
      [3, -1],
    ],
    [
      ["4N", 3],
      [-4, 3],
    ],
  ])("%j becomes %j", (shape, expected) => {
    expect(shapeOf(shape)).toEqual(expected);
  });
  it("take sizes from dims", () => {
    expect(shapeOf(["N", "H"], { dims: { H: 5 } })).toEqual([-1, 5]);
    expect(shapeOf(["N", 3], { dims: { N: 7 } })).toEqual([7, 3]);
    expect(shapeOf(["N", null], { dims: { "x[1]": 4 } })).toEqual([-1, 4]);
  });
  it("a second one is refused with axis, name and remedy", () => {
    const error = errorOf(() => over(["N", 3, "H"]));
    expect(error.code).toBe("unsupported");
    expect(error.message).toMatch(/Input "x": axis 2 .*"H".*dims: \{ "H"/s);
  });
  it("the batch on two axes is refused", () => {
    expect(errorOf(() => over(["N", "N"])).message).toContain("two axes");
  });
  it("dims for an axis that does not exist is refused with those that do", () => {
    const error = errorOf(() => over(["N", "H"], { dims: { W: 5 } }));
    expect(error.code).toBe("bad-option");
    expect(error.message).toContain("N, H");
    expect(errorOf(() => over(["N", "H"], { dims: { H: 0 } })).code).toBe("bad-option");
  });
  it("an input without a shape is refused", () => {
    const file = modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32")],
      outputs: [infoOf("y", "float32")],
      nodes: [nodeOf("Add", "x x", "y")],
    });
    expect(errorOf(() => importModel(file)).message).toContain('Input "x" has no shape');
  });
});

describe("a fixed batch of one", () => {
  const parts: ModelParts = {
    opset: 13,
    inputs: [infoOf("x", "float32", [1, 2, 3])],
    outputs: [infoOf("y", "float32", [1, 4])],
    nodes: [
      nodeOf("Reshape", "x flat", "a"),
      nodeOf("MatMul", "a w", "b"),
      nodeOf("Reshape", "b pair", "c"),
      nodeOf("Concat", "c token", "d", { axis: { i: 1 } }),
      nodeOf("Reshape", "d back", "e"),
      nodeOf("Slice", "e from until one", "y"),
    ],
    initializers: {
      flat: i64([1, 6]),
      w: randomTensor("float32", [6, 4], 3),
      pair: i64([1, 2, -1]),
      token: f32([7, 8], [1, 1, 2]),
      back: i64([1, -1]),
      from: i64([2]),
      until: i64([6]),
      one: i64([1]),
    },
  };
  it("stays as it is by default", () => {
    const model = importModel(modelOf(parts));
    expect(model.graph.inputs[0]!.shape).toEqual([1, 2, 3]);
    expect(model.notes).toEqual([]);
  });
  it("can be opened: every example of a batch gives what it gives alone", async () => {
    const model = importModel(modelOf(parts), { batch: "symbolic" });
    expect(model.notes).toEqual([]);
    expect(model.graph.inputs[0]!.shape).toEqual([-1, 2, 3]);
    const x = randomTensor("float32", [3, 2, 3], 1);
    const together = await runModel(toOnnx(bindParameters(model)), { x });
    const apart: number[] = [];
    for (let i = 0; i < 3; i++) {
      const one: Tensor = {
        dtype: "float32",
        shape: [1, 2, 3],
        data: (x.data as Float32Array).slice(6 * i, 6 * i + 6),
      };
      apart.push(...(await runModel(modelOf(parts), { x: one }))["y"]!.data);
    }
    const expected = { y: { shape: [3, 4], data: Float64Array.from(apart) } };
    expect(difference(expected, together)).toBeLessThan(1e-6);
  });
  it("can be opened where the batch is not in front for a while", async () => {
    // attention heads as PyTorch writes them: [length, batch · heads, size]
    const file = modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32", [1, 3, 4])],
      outputs: [infoOf("y", "float32")],
      nodes: [
        nodeOf("Transpose", "x", "a", { perm: { ints: [1, 0, 2] } }),
        nodeOf("Reshape", "a heads", "b"),
        nodeOf("Transpose", "b", "c", { perm: { ints: [1, 0, 2] } }),
        nodeOf("MatMul", "c w", "d"),
        nodeOf("Reshape", "d out", "y"),
      ],
      initializers: { heads: i64([3, 2, 2]), w: randomTensor("float32", [2, 2], 4), out: i64([1, 12]) },
    });
    const model = importModel(file, { batch: "symbolic" });
    expect(model.notes).toEqual([]);
    const data = randomTensor("float32", [2, 3, 4], 1).data as Float32Array<ArrayBuffer>;
    const results = [data.slice(0, 12), data.slice(12)].map(async (part) => {
      const { y } = await runModel(file, { x: f32(part, [1, 3, 4]) });
      return Array.from(y!.data);
    });
    const apart = Float64Array.from((await Promise.all(results)).flat());
    const together = await runModel(toOnnx(bindParameters(model)), { x: f32(data, [2, 3, 4]) });
    expect(difference({ y: { shape: [2, 12], data: apart } }, together)).toBeLessThan(1e-6);
  });
  const closed = (
    nodes: readonly NodeProto[],
    initializers: Record<string, Tensor> = {},
  ): ReturnType<typeof importModel> =>
    importModel(
      modelOf({
        opset: 13,
        inputs: [infoOf("x", "float32", [1, 3])],
        outputs: [infoOf("y", "float32")],
        nodes,
        initializers,
      }),
      { batch: "symbolic" },
    );
  it.each([
    ["a mean over the batch axis", [nodeOf("ReduceMean", "x", "y", { axes: { ints: [0] } })]],
    ["a softmax over the batch axis", [nodeOf("Softmax", "x", "y", { axis: { i: 0 } })]],
    ["an output without the batch", [nodeOf("Reshape", "x all", "y")], { all: i64([3]) }],
    [
      "positions before examples in one axis",
      [
        nodeOf("Unsqueeze", "x last", "a"),
        nodeOf("Transpose", "a", "b", { perm: { ints: [1, 0, 2] } }), // [3, 1, 1], to be [3, N, 1]
        nodeOf("Reshape", "b column", "c"), // rows: positions, then examples
        nodeOf("Reshape", "c row", "y"), // for more than one example this would mix them
      ],
      { last: i64([2]), column: i64([-1, 1]), row: i64([1, 3]) },
    ],
    [
      "copies of the whole batch",
      [nodeOf("Tile", "x twice", "a"), nodeOf("Reshape", "a six", "y")],
      { twice: i64([2, 1]), six: i64([1, 6]) },
    ],
    ["a batch that ends up inside", [nodeOf("Transpose", "x", "y", { perm: { ints: [1, 0] } })]],
  ] as [string, NodeProto[], Record<string, Tensor>?][])(
    "stays where opening would change the meaning: %s",
    (_, nodes, init) => {
      const model = closed(nodes, init);
      expect(model.graph.inputs[0]!.shape).toEqual([1, 3]);
      expect(model.notes).toHaveLength(1);
      expect(model.notes[0]).toContain("batch size stays 1");
    },
  );
});

describe("shape arithmetic", () => {
  const chain = modelOf({
    opset: 13,
    inputs: [infoOf("x", "float32", ["N", 2, 3])],
    outputs: [infoOf("y", "float32"), infoOf("z", "float32"), infoOf("rows", "float32")],
    nodes: [
      nodeOf("Shape", "x", "s"),
      nodeOf("Gather", "s zero", "n", { axis: { i: 0 } }),
      nodeOf("Unsqueeze", "n axis", "n1"),
      nodeOf("Concat", "n1 rest", "to", { axis: { i: 0 } }),
      nodeOf("Reshape", "x to", "y"),
      nodeOf("Mul", "n1 pair", "n2"),
      nodeOf("Concat", "n2 width", "rowsTo", { axis: { i: 0 } }),
      nodeOf("Reshape", "x rowsTo", "rows"),
      nodeOf("Gather", "s two", "three", { axis: { i: 0 } }),
      nodeOf("Unsqueeze", "three axis", "three1"),
      nodeOf("Concat", "n1 six three1", "wide", { axis: { i: 0 } }),
      nodeOf("Reshape", "x column", "thin"),
      nodeOf("Slice", "thin start stop one", "thin3"),
      nodeOf("Unsqueeze", "thin3 one", "thin4"),
      nodeOf("Expand", "thin4 wide", "z"),
    ],
    initializers: {
      zero: i64([0], []),
      two: i64([2], []),
      axis: i64([0]),
      rest: i64([-1]),
      pair: i64([2]),
      width: i64([3]),
      six: i64([6]),
      column: i64([0, 6]),
      start: i64([0]),
      stop: i64([3]),
      one: i64([1]),
    },
  });
  it("vanishes where only the batch is unknown", async () => {
    expect(await disagreement(chain)).toBe(0);
    const names = graphNodes(importModel(chain).graph).map((n) => n.op.name);
    expect(names.filter((n) => ["Shape", "Gather", "Concat"].includes(n))).toEqual([]);
  });

  it("of constants is done at once, big ones included", async () => {
    const file = modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32", ["N", 1, 2, 2])],
      outputs: [infoOf("y", "float32"), infoOf("z", "float32")],
      nodes: [
        nodeOf("Constant", "", "front", { value: { t: f32([1, 1]) } }),
        nodeOf("Constant", "", "back", { value: { t: f32([2, 2]) } }),
        nodeOf("Concat", "front back", "scales", { axis: { i: 0 } }),
        nodeOf("Resize", "x - scales", "y", { mode: { s: "nearest" } }),
        nodeOf("Cast", "many", "floats", { to: { i: 1 } }),
        nodeOf("ReduceSum", "x all", "sum", { keepdims: { i: 0 } }),
        nodeOf("Mul", "sum floats", "z"),
      ],
      initializers: { many: randomTensor("int64", [5000], 1) as Tensor, all: i64([0, 1, 2, 3]) },
    });
    expect(await disagreement(file)).toBeLessThan(1e-6);
    const names = graphNodes(importModel(file).graph).map((n) => n.op.name);
    expect(names).not.toContain("Concat");
    expect(names).not.toContain("Cast");
  });

  it("branches of an If whose condition follows from shapes are taken at import", async () => {
    const branch = (nodes: NodeProto[], output: string): GraphProto => ({
      name: "b",
      node: nodes,
      output: [infoOf(output, "float32")],
    });
    const file = modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32", ["N", 1, 3])],
      outputs: [infoOf("y", "float32")],
      nodes: [
        nodeOf("Shape", "x", "s"),
        nodeOf("Gather", "s one", "d"),
        nodeOf("Equal", "d one", "is"),
        nodeOf("If", "is", "y", {
          then_branch: { g: branch([nodeOf("Squeeze", "x one", "t")], "t") },
          else_branch: { g: branch([nodeOf("Identity", "x", "e")], "e") },
        }),
      ],
      initializers: { one: i64([1]) },
    });
    expect(await disagreement(file)).toBe(0);
    const model = importModel(file);
    expect(model.graph.outputs["y"]!.shape).toEqual([-1, 3]);
    expect(model.notes).toEqual([]);
  });
});

describe("functions of the file", () => {
  const file = modelOf({
    opset: 17,
    inputs: [infoOf("x", "float32", ["N", 3])],
    outputs: [infoOf("y", "float32")],
    nodes: [
      nodeOf("Twice", "x", "a", { slope: { f: 0.25 } }, { domain: "local", name: "first" }),
      nodeOf("Twice", "a", "b", {}, { domain: "local", name: "second" }),
      // what the functions call w is another value
      nodeOf("Add", "b w", "y"),
    ],
    initializers: { w: f32([1, 2, 3]) },
    domains: { local: 1 },
    functions: [
      {
        name: "Twice",
        domain: "local",
        input: ["v"],
        output: ["out"],
        attributeProto: [{ name: "slope", type: 1, f: 0.5 }],
        node: [
          nodeOf("LeakyRelu", "v", "mid", { alpha: { f: 0, ref: "slope" } }),
          nodeOf("Once", "mid", "out", {}, { domain: "local" }),
        ],
        opsetImport: [{ version: 17 }, { domain: "local", version: 1 }],
      },
      {
        name: "Once",
        domain: "local",
        input: ["v"],
        output: ["mid"],
        node: [nodeOf("Add", "v v", "w"), nodeOf("Neg", "w", "mid")],
        opsetImport: [{ version: 17 }],
      },
    ],
  });
  it("are written out, attributes and defaults included", async () => {
    expect(await disagreement(file)).toBe(0);
    const names = graphNodes(importModel(file).graph).map((n) => n.op.name);
    expect(names.slice(2)).toEqual(["LeakyRelu", "Add", "Neg", "LeakyRelu", "Add", "Neg", "Add"]);
  });
});

describe("operators without a record", () => {
  const unknown = modelOf({
    opset: 17,
    inputs: [infoOf("x", "float32", ["N", 4])],
    outputs: [infoOf("y", "float32", ["N", 4])],
    nodes: [
      nodeOf("Mul", "x x", "a"),
      nodeOf("QuickGelu", "a", "b", { alpha: { f: 1.5 } }, { domain: "com.microsoft", name: "gelu" }),
      nodeOf("Add", "b w", "y"),
    ],
    initializers: { w: f32([1, 2, 3, 4]) },
    valueInfo: [infoOf("b", "float32", ["N", 4])],
    domains: { "com.microsoft": 1 },
  });
  it("are kept and run, and the notes say so", async () => {
    expect(await disagreement(unknown)).toBeLessThan(1e-6);
    const model = importModel(unknown);
    expect(model.domains).toEqual({ "com.microsoft": 1 });
    expect(model.notes.join()).toContain("com.microsoft.QuickGelu");
  });
  it("survive a second import", () => {
    const graph = bindParameters(importModel(unknown));
    const again = importModel(toOnnx(graph, { domains: { "com.microsoft": 1 } }));
    expect(graphNodes(again.graph).map((n) => n.op.name)).toContain("QuickGelu");
  });
  it("stop a gradient with their name", () => {
    const { graph } = importModel(unknown);
    const error = errorOf(() => grad(reduceSum(reduceSum(graph.outputs["y"]!, [1]), [0]), [graph.inputs[0]!]));
    expect(error.code).toBe("no-rule");
    expect(error.message).toContain('QuickGelu "gelu"');
  });
  it("newer than the records set the version of the file", async () => {
    const capped = { q_num_heads: { i: 2 }, kv_num_heads: { i: 2 }, softcap: { f: 2 } };
    const file = modelOf({
      opset: 23,
      inputs: [infoOf("x", "float32", ["N", 5, 8])],
      outputs: [infoOf("y", "float32", ["N", 5, 8])],
      nodes: [nodeOf("Attention", "x x x", "y", capped)],
    });
    expect(toOnnx(importModel(file).graph)).toMatchObject({ irVersion: 10, opsetImport: [{ version: 23 }] });
    expect(await disagreement(file)).toBeLessThan(1e-6);
  });
  it("of the recurrent kind need no declared types", async () => {
    const file = modelOf({
      opset: 14,
      inputs: [infoOf("x", "float32", [4, "N", 3])],
      outputs: [infoOf("y", "float32")],
      nodes: [
        nodeOf("LSTM", "x w r", "all - last", { hidden_size: { i: 2 }, direction: { s: "bidirectional" } }),
        nodeOf("Neg", "all", "y"),
      ],
      initializers: { w: randomTensor("float32", [2, 8, 3], 1), r: randomTensor("float32", [2, 8, 2], 2) },
    });
    const { graph, notes } = importModel(file);
    expect(graph.outputs["y"]!.shape).toEqual([4, 2, -1, 2]);
    expect(notes.join()).toMatch(/LSTM.*: only one direction, .*LSTM .* is run as it is, without gradients/);
    expect(await disagreement(file)).toBeLessThan(1e-6);
  });
  it("are refused where the file does not say what they give", () => {
    const node = unknown.graph!.node!.map((n) => (n.domain ? { ...n, opType: "Mystery" } : n));
    const error = errorOf(() => importModel({ ...unknown, graph: { ...unknown.graph, node, valueInfo: [] } }));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain('com.microsoft.Mystery "gelu"');
  });
  it("keep sub-graphs that read values around them", async () => {
    const body: GraphProto = {
      name: "body",
      node: [
        nodeOf("Add", "state scaled", "next"),
        nodeOf("Identity", "going", "still"),
        // bears the name of a value that emission might give to the product outside
        nodeOf("Neg", "next", "outer_output_0"),
      ],
      input: [infoOf("i", "int64", []), infoOf("going", "bool", []), infoOf("state", "float32", [2])],
      output: [infoOf("still", "bool", []), infoOf("next", "float32", [2]), infoOf("outer_output_0", "float32", [2])],
    };
    const file = modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32", [2])],
      outputs: [infoOf("y", "float32", [2]), infoOf("all", "float32", [4, 2])],
      nodes: [
        nodeOf("Mul", "x w", "scaled", {}, { name: "outer" }),
        nodeOf("Loop", "trips - x", "y all", { body: { g: body } }, { name: "loop" }),
      ],
      initializers: { trips: i64([4], []), w: f32([0.5, 2]) },
    });
    expect(await disagreement(file)).toBe(0);
  });
});

describe("newer operators", () => {
  const over = (node: NodeProto, initializers: Record<string, Tensor> = {}): ModelProto =>
    modelOf({
      opset: 23,
      inputs: [infoOf("x", "float32", ["N", 5, 8])],
      outputs: [infoOf("y", "float32")],
      nodes: [node],
      initializers,
    });
  const heads = { q_num_heads: { i: 4 }, kv_num_heads: { i: 2 } };
  const keys = { k: randomTensor("float32", [1, 5, 4], 8), v: randomTensor("float32", [1, 5, 4], 9) };
  it.each([
    [
      "Attention",
      over(nodeOf("Attention", "x x x", "y", { q_num_heads: { i: 2 }, kv_num_heads: { i: 2 }, is_causal: { i: 1 } })),
    ],
    [
      "RMSNormalization",
      over(nodeOf("RMSNormalization", "x s", "y", { axis: { i: 1 } }), { s: randomTensor("float32", [5, 8], 3) }),
    ],
  ])("%s is written in plain operators and has gradients", async (_, file) => {
    const model = importModel(file);
    expect(model.notes).toEqual([]);
    expect(await disagreement(file)).toBeLessThan(1e-6);
    const y = model.graph.outputs["y"]!;
    const [g] = grad(reduceSum(y, [0, 1, 2]), [model.graph.inputs[0]!]);
    expect(g!.shape).toEqual([-1, 5, 8]);
  });
  it("Attention with shared key heads", async () => {
    const file = over(nodeOf("Attention", "x k v", "y", heads), keys);
    const fixed = importModel(file, { dims: { N: 1 } });
    const feeds = { x: randomTensor("float32", [1, 5, 8], 1) };
    const emitted = await runModel(toOnnx(bindParameters(fixed)), feeds);
    expect(difference(await runModel(file, feeds), emitted)).toBeLessThan(1e-6);
    expect(fixed.notes).toEqual([]);
  });
});

describe("errors name the node", () => {
  const one = (node: NodeProto, initializers: Record<string, Tensor> = {}, opset = 17): ModelProto =>
    modelOf({
      opset,
      inputs: [infoOf("x", "float32", ["N", 4])],
      outputs: [infoOf("y", "float32")],
      nodes: [node],
      initializers,
    });
  it.each([
    ["bad-file", one(nodeOf("Softmax", "x", "y", { axes: { i: 1 } }, { name: "s" })), /Softmax "s".*no attribute axes/],
    [
      "bad-file",
      one(nodeOf("Softmax", "x", "y", { axis: { f: 1 } }, { name: "s" })),
      /Softmax "s".*axis must be of kind int/,
    ],
    ["bad-shape", one(nodeOf("Reshape", "x to", "y", {}, { name: "r" }), { to: i64([-1, 3]) }), /Reshape "r"/],
    ["bad-graph", one(nodeOf("Reshape", "x", "y", {}, { name: "r" })), /Reshape "r"/],
    ["bad-shape", one(nodeOf("MatMul", "x w", "y"), { w: f32([1, 2, 3], [3, 1]) }), /MatMul "y"/],
    ["bad-file", one(nodeOf("Concat", "x - x", "y", { axis: { i: 1 } }, { name: "c" })), /Concat "c".*must be given/],
    ["unsupported", one(nodeOf("Dropout", "x", "z y", {}, { name: "d" })), /Dropout "d".*mask/],
    [
      "bad-shape",
      one(nodeOf("Add", "x w", "y", { broadcast: { i: 1 }, axis: { i: 2 } }), { w: f32([1]) }, 6),
      /Add "y".*axis 2/,
    ],
  ])("%s", (code, file, message) => {
    const error = errorOf(() => importModel(file));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

it("says what the file says about itself", () => {
  const file = {
    ...modelOf({
      opset: 17,
      inputs: [infoOf("x", "float32", ["N"])],
      outputs: [infoOf("y", "float32"), infoOf("x2", "float32")],
      nodes: [nodeOf("Neg", "x", "y"), nodeOf("Add", "x x", "x2")],
    }),
    producerVersion: "2",
    metadataProps: [{ key: "classes", value: "a,b" }],
  };
  const model = importModel(file);
  expect(model).toMatchObject({ opset: 17, producer: "by hand 2", metadata: { classes: "a,b" }, notes: [] });
  expect(Object.keys(model.graph.outputs)).toEqual(["y", "x2"]);
  expect(printGraph(model.graph)).toBe(
    "input %x: float32[N]\n%0: float32[N] = Neg(%x)\n%1: float32[N] = Add(%x, %x)\noutput y: %0\noutput x2: %1\n",
  );
});
