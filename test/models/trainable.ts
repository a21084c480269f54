import { grad } from "temper/autodiff";
import { createRng, f32, type Tensor, toFloat64 } from "temper/core";
import { type Array64, createGraph, type Graph, input, type Value } from "temper/graph";
import { crossEntropy } from "temper/loss";
import { decodeTrainable, type ModelDefinition, type Trainable } from "temper/models";
import { initialize, type Mode } from "temper/nn";
import { evaluateGraph, reduceMean, reshape } from "temper/ops";
import { modelOf, nodeOf, infoOf, randomTensor } from "../ops/model-file.ts";
import { concatChunks, encodeModel, type ModelProto } from "temper/onnx";

/** What the tests of trainable files share: files written by hand, and a network as graphs. */

export const asArray = (t: Tensor): Array64 => ({ dtype: t.dtype, shape: t.shape, data: toFloat64(t) });
export const asTensor = ({ shape, data }: Array64): Tensor<"float32"> => ({
  dtype: "float32",
  shape,
  data: Float32Array.from(data),
});

export const images = (n: number, shape: readonly number[], seed: number): Array64 => {
  const rng = createRng(seed),
    full = [n, ...shape];
  const data = Float64Array.from({ length: full.reduce((a, b) => a * b) }, () => Math.fround(rng.uniform()));
  return { dtype: "float32", shape: full, data };
};

/** The starting values, as feeds. */
export const start = (net: ModelDefinition): Record<string, Array64> =>
  Object.fromEntries(Object.entries(initialize(net, createRng(0))).map(([name, t]) => [name, asArray(t)]));

/** The network on `n` images: `logits`, and `next.<name>` of every buffer. */
export const applied = (
  net: ModelDefinition,
  n: number,
  mode: Mode,
): { readonly graph: Graph; readonly weights: Readonly<Record<string, Value>>; readonly logits: Value } => {
  const x = input("input", "float32", [n, ...net.inputShape]);
  const specs = Object.entries({ ...net.parameters, ...net.buffers });
  const weights = Object.fromEntries(specs.map(([name, { shape }]) => [name, input(name, "float32", shape)]));
  const drawn: Value[] = [];
  const { y, updates } = net.apply(weights, x, {
    ...mode,
    random: (shape, kind) => {
      drawn.push(input(`${kind}.${drawn.length}`, "float32", shape));
      return drawn.at(-1)!;
    },
  });
  const next = Object.fromEntries(Object.entries(updates).map(([name, v]) => [`next.${name}`, v]));
  const graph = createGraph("net", [x, ...Object.values(weights), ...drawn], { logits: y, ...next });
  return { graph, weights, logits: y };
};

/** Largest difference between gradients of the mean cross-entropy and central differences, at one entry a weight. */
export const gradientError = (net: ModelDefinition, n: number, seed: number): Record<string, number> => {
  const { graph, weights, logits } = applied(net, n, { training: true });
  const labels = input("labels", "int64", [n]),
    loss = reshape(reduceMean(crossEntropy(logits, labels), [0]), []);
  const names = Object.keys(net.parameters),
    inputs = [...graph.inputs, labels],
    gradients = grad(
      loss,
      names.map((name) => weights[name]!),
    );
  const forward = createGraph("loss", inputs, { loss });
  const rng = createRng(seed);
  const drawn = graph.inputs.flatMap(({ node: { name }, shape }) =>
    name.startsWith("uniform.") ? [[name, images(shape[0]!, shape.slice(1), seed)] as const] : [],
  );
  const feeds: Record<string, Array64> = {
    ...start(net),
    ...Object.fromEntries(drawn),
    input: images(n, net.inputShape, seed),
    labels: { dtype: "int64", shape: [n], data: Float64Array.from({ length: n }, () => rng.int(net.classes)) },
  };
  const found = evaluateGraph(
    createGraph("gradient", inputs, Object.fromEntries(names.map((name, i) => [`g.${name}`, gradients[i]!]))),
    feeds,
  );
  return Object.fromEntries(
    names.map((name) => {
      const g = found[`g.${name}`]!.data,
        at = g.reduce((best, v, i) => (Math.abs(v) > Math.abs(g[best]!) ? i : best), 0);
      const lossAt = (step: number): number => {
        const data = feeds[name]!.data.slice();
        data[at]! += step;
        return evaluateGraph(forward, { ...feeds, [name]: { ...feeds[name]!, data } })["loss"]!.data[0]!;
      };
      const h = 1e-6;
      return [name, Math.abs((lossAt(h) - lossAt(-h)) / (2 * h) - g[at]!) / Math.max(1e-3, Math.abs(g[at]!))] as const;
    }),
  );
};

const random = (shape: readonly number[], seed: number): Tensor => randomTensor("float32", shape, seed);
const positive = (shape: readonly number[], seed: number): Tensor => {
  const { data } = random(shape, seed);
  return { dtype: "float32", shape, data: Float32Array.from(data as Float32Array, (v) => Math.abs(v) + 0.5) };
};

/**
 * A small network with one of everything: pixels brought to mean and deviation, convolution, batch norm, clip, dropout,
 * a kernel that lies in a Constant node, a layer's scale and single numbers.
 */
export const everything = (more: Partial<Parameters<typeof modelOf>[0]> = {}): ModelProto =>
  modelOf({
    opset: 13,
    inputs: [infoOf("image", "float32", ["N", 2, 6, 6])],
    outputs: [infoOf("scores", "float32", ["N", 5])],
    nodes: [
      nodeOf("Sub", "image mean", "centred", {}, { name: "centre" }),
      nodeOf("Div", "centred std", "pixels", {}, { name: "scale" }),
      nodeOf("Conv", "pixels conv.w conv.b", "c", { kernel_shape: { ints: [3, 3] } }, { name: "conv" }),
      nodeOf(
        "BatchNormalization",
        "c bn.s bn.b bn.m bn.v",
        "n",
        { momentum: { f: 0.8 }, epsilon: { f: 1e-3 } },
        { name: "bn" },
      ),
      nodeOf("Clip", "n low high", "a", {}, { name: "clip" }),
      nodeOf("Dropout", "a ratio", "d", {}, { name: "drop" }),
      nodeOf("Flatten", "d", "f", {}, { name: "flat" }),
      nodeOf("Constant", "", "dense.w", { value: { t: random([48, 5], 3) } }, { name: "dense_w" }),
      nodeOf("MatMul", "f dense.w", "m", {}, { name: "matmul" }),
      nodeOf("Add", "m dense.b", "s", {}, { name: "add" }),
      nodeOf("Mul", "s gamma", "t", {}, { name: "layer_scale" }),
      nodeOf("Mul", "t one", "scores", {}, { name: "temperature" }),
    ],
    initializers: {
      mean: random([1, 2, 1, 1], 8),
      std: positive([1, 2, 1, 1], 9),
      "conv.w": random([3, 2, 3, 3], 1),
      "conv.b": random([3], 2),
      "bn.s": positive([3], 4),
      "bn.b": random([3], 5),
      "bn.m": random([3], 6),
      "bn.v": positive([3], 7),
      low: { dtype: "float32", shape: [], data: Float32Array.of(0) },
      high: { dtype: "float32", shape: [], data: Float32Array.of(6) },
      ratio: { dtype: "float32", shape: [], data: Float32Array.of(0.25) },
      "dense.b": random([5], 10),
      gamma: positive([5], 11),
      one: f32([0.5]),
    },
    ...more,
  });

export const bytesOf = (model: ModelProto): Uint8Array => concatChunks(encodeModel(model));
export const read = (model: ModelProto, ...more: [(readonly [number, number, number])?]): Promise<Trainable> =>
  decodeTrainable(bytesOf(model), ...more);

/** A file of one layer on two features, made of `nodes` from `x` to `y`. */
export const small = (
  nodes: NonNullable<Parameters<typeof modelOf>[0]>["nodes"],
  initializers: Record<string, Tensor>,
  { opset = 13, shape = ["N", 2, 2, 2] as readonly (string | number)[] } = {},
): ModelProto =>
  modelOf({
    opset,
    inputs: [infoOf("x", "float32", shape)],
    outputs: [infoOf("y", "float32", ["N", 3])],
    nodes: [...nodes, nodeOf("Flatten", "h", "f"), nodeOf("Gemm", "f w b", "y", {}, { name: "gemm" })],
    initializers: { ...initializers, w: randomTensor("float32", [8, 3], 20), b: f32([1, 2, 3]) },
  });
