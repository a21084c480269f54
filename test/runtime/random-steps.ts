import { f32 } from "temper/core";
import { constant, type Value } from "temper/graph";
import { batchNorm as batchNormLayer } from "temper/nn";
import {
  abs,
  add,
  averagePool,
  batchNorm,
  clip,
  concat,
  conv,
  convTranspose,
  div,
  elu,
  exp,
  gelu,
  gemm,
  globalAveragePool,
  hardSwish,
  layerNorm,
  leakyRelu,
  matmul,
  maximum,
  maxPool,
  minimum,
  mul,
  neg,
  pad,
  reduceMax,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  scale,
  sigmoid,
  slice,
  softmax,
  softplus,
  split,
  sqrt,
  sub,
  tanh,
  transpose,
  upsample,
} from "temper/ops";

/** What a step of a random graph works with. */
export interface Bench {
  /** An image [N, C, H, W] of the graph. */
  readonly x: Value;
  /** Another one, perhaps the same. */
  readonly other: Value;
  /** The next choice: a whole number below `most`. */
  readonly pick: (most: number) => number;
  readonly one: <T>(list: readonly T[]) => T;
  /** Weights, fed or constant. */
  readonly weights: (...shape: number[]) => Value;
  /** The batch, or so many times it. */
  readonly batch: number;
}

const WIDTHS = [16, 32, 3, 28, 5, 24, 8, 48];
const KERNELS = [3, 3, 1, 2, 4, 3, 5];

const geometry = ({ pick, one, x }: Bench, most: number) => {
  const square = pick(3) > 0,
    both = (choose: () => number): [number, number] => {
      const first = choose();
      return [first, square ? first : choose()];
    };
  const kernel = both(() => one(KERNELS.slice(0, most))),
    dilations = pick(4) === 0 ? both(() => 1 + pick(3)) : [1, 1],
    strides = pick(3) === 0 ? both(() => 1 + pick(3)) : [1, 1];
  const same = kernel.map((k, i) => Math.floor((dilations[i]! * (k - 1)) / 2));
  const pads = pick(3) > 0 ? [...same, ...same] : [pick(3), pick(2), pick(2), pick(3)];
  const groups = pick(3) === 0 ? [2, 4, x.shape[1]!].filter((g) => x.shape[1]! % g === 0) : [];
  return { kernel, group: groups.length > 0 ? one(groups) : 1, options: { dilations, strides, pads } };
};

const pooled = (bench: Bench): { kernel: number[]; options: { strides: number[]; pads: number[] } } => {
  const kernel = [1 + bench.pick(3), 1 + bench.pick(3)],
    strides = [1 + bench.pick(2), 1 + bench.pick(2)];
  return {
    kernel,
    options: { strides, pads: bench.pick(2) ? [0, 0, 0, 0] : kernel.concat(kernel).map((k) => k >> 1) },
  };
};

const near = (c: number): Value => constant(f32([c]));
const activations: readonly ((x: Value) => Value)[] = [
  relu,
  sigmoid,
  tanh,
  (x) => leakyRelu(x, 0.1),
  (x) => mul(x, sigmoid(x)),
  softplus,
  elu,
  gelu,
  hardSwish,
  abs,
  neg,
  (x) => clip(x, near(-0.3), near(0.4)),
  (x) => exp(scale(x, 0.5)),
  (x) => sqrt(add(mul(x, x), near(0.5))),
  (x) => div(x, add(mul(x, x), near(1))),
];
const binary: readonly ((a: Value, b: Value) => Value)[] = [
  add,
  add,
  mul,
  sub,
  maximum,
  minimum,
  (a, b) => div(a, add(mul(b, b), near(1))),
  (a, b) => sub(b, a),
];
const AXES = [[2, 3], [1], [0, 2, 3], [3], [2], [1, 2, 3]];

/** The image as [N, all], a dense layer's view, and back to some image. */
const dense = ({ x, one, pick, weights }: Bench): Value => {
  const [n, c, h, w] = x.shape as [number, number, number, number],
    flat = reshape(x, [n, c * h * w]),
    [channels, side] = one([
      [16, 4],
      [10, 1],
      [32, 2],
      [3, 5],
    ] as const),
    outs = channels * side * side;
  const bias = pick(2) ? weights(outs) : undefined;
  const y = pick(2)
    ? gemm(flat, weights(outs, c * h * w), bias, { transB: 1 })
    : gemm(flat, weights(c * h * w, outs), bias);
  return reshape(y, [n, channels, side, side]);
};

/** Steps of a random graph: an image makes others. What does not fit throws `bad-shape`, and is left out. */
export const steps = {
  conv: (bench) => {
    const { x, one, pick, weights } = bench,
      { kernel, group, options } = geometry(bench, KERNELS.length),
      width = one(WIDTHS);
    const outs = group === 1 ? width : group * Math.max(1, Math.floor(width / group));
    const w = weights(outs, x.shape[1]! / group, ...kernel);
    return [conv(x, w, pick(2) ? weights(outs) : undefined, { ...options, group })];
  },
  /** Those that are common, so that passes meet one another. */
  conv3x3: ({ x, one, weights, pick }) => {
    const outs = one([16, 32, x.shape[1]!, 64, 16]),
      y = conv(x, weights(outs, x.shape[1]!, 3, 3), pick(2) ? weights(outs) : undefined, { pads: [1, 1, 1, 1] });
    return [one([relu, tanh, (v: Value) => v])(y)];
  },
  strided: ({ x, one, weights }) => {
    const kernel = one([3, 4, 2, 1, 5]),
      outs = one([16, 32, 48]),
      pads = Array<number>(4).fill((kernel - 1) >> 1);
    return [tanh(conv(x, weights(outs, x.shape[1]!, kernel, kernel), undefined, { pads, strides: [2, 2] }))];
  },
  convTranspose: (bench) => {
    const { x, one, pick, weights } = bench,
      { kernel, group, options } = geometry(bench, 5);
    const outs = one(WIDTHS.filter((c) => c % group === 0 || group === x.shape[1]));
    const each = Math.max(1, Math.floor(outs / group));
    const w = weights(x.shape[1]!, each, ...kernel);
    const output_padding = options.strides.map((s) => (s > 1 ? pick(s) : 0));
    return [convTranspose(x, w, pick(2) ? weights(each * group) : undefined, { ...options, output_padding, group })];
  },
  maxPool: (bench) => {
    const { kernel, options } = pooled(bench);
    return [maxPool(bench.x, kernel, options)];
  },
  averagePool: (bench) => {
    const { kernel, options } = pooled(bench);
    return [averagePool(bench.x, kernel, { ...options, count_include_pad: bench.pick(2) })];
  },
  globalAverage: ({ x, pick }) => {
    const means = globalAveragePool(x);
    return [pick(2) ? mul(x, sigmoid(means)) : sub(x, means)];
  },
  norm: ({ x, weights }) => {
    const each = (): Value => weights(x.shape[1]!);
    return [batchNorm(x, each(), each(), each(), sigmoid(each()), 1e-2)];
  },
  trainingNorm: ({ x, weights }) => {
    const c = x.shape[1]!,
      stats = { running_mean: weights(c), running_var: weights(c) };
    const layer = batchNormLayer(c, { epsilon: 0.1 });
    return [layer.apply({ weight: weights(c), bias: weights(c), ...stats }, x, { training: true }).y];
  },
  residual: ({ x, weights, pick }) => {
    const c = x.shape[1]!,
      inner = conv(relu(x), weights(c, c, 3, 3), undefined, { pads: [1, 1, 1, 1] });
    return [pick(2) ? add(x, inner) : relu(add(inner, x))];
  },
  activation: ({ x, one }) => [one(activations)(x)],
  binary: ({ x, other, one }) => [one(binary)(x, other)],
  broadcast: ({ x, one, weights, pick }) => {
    const [, c, h, w] = x.shape as [number, number, number, number];
    const shape = one([[c, 1, 1], [1, c, 1, 1], [w], [h, 1], [c, h, w], [1], [1, c, h, w], [h, w], [1, c, 1, w]]);
    const v = weights(...shape);
    return [pick(2) ? one(binary)(x, v) : one(binary)(v, x)];
  },
  concat: ({ x, other, one }) => [concat([x, other], one([1, 1, 1, 2, 3]))],
  split: ({ x, pick, one }) => {
    const axis = one([1, 1, 1, 2]),
      size = x.shape[axis]!,
      first = size % 16 === 0 && size > 16 ? 16 : 1 + pick(Math.max(1, size - 1));
    const parts = split(x, [first, size - first], axis);
    return pick(2) ? parts : [one(parts)];
  },
  slice: ({ x, pick, one }) => {
    const axis = one([1, 2, 3]),
      from = pick(x.shape[axis]!),
      step = 1 + pick(2);
    return [slice(x, [from], [x.shape[axis]!], [axis], [step])];
  },
  pad: ({ x, pick, one }) => {
    const sizes = [pick(2), pick(2), pick(2), pick(2)];
    const small = Math.min(x.shape[2]!, x.shape[3]!) < 2, // nothing to reflect
      mode = small ? "constant" : one(["constant", "constant", "edge", "reflect"] as const);
    return [pad(x, [0, 0, sizes[0]!, sizes[1]!, 0, 0, sizes[2]!, sizes[3]!], mode)];
  },
  transpose: ({ x, one }) => [
    transpose(
      x,
      one([
        [0, 1, 3, 2],
        [0, 2, 3, 1],
        [0, 3, 1, 2],
        [0, 2, 1, 3],
        [0, 3, 2, 1],
      ]),
    ),
  ],
  /** With the batch behind the channels, and back. */
  turned: ({ x, one }) => [transpose(one(activations)(transpose(x, [1, 2, 3, 0])), [3, 0, 1, 2])],
  upsample: ({ x, pick }) => [upsample(x, [1 + pick(2), 1 + pick(2)])],
  reduce: ({ x, one, pick }) => {
    const axes = one(AXES),
      reduced = one([reduceMean, reduceSum, reduceMax])(x, axes, true);
    return [pick(2) ? sub(x, reduced) : mul(x, sigmoid(reduced))];
  },
  softmax: ({ x, one }) => [scale(softmax(x, one([-1, 1, 2])), 4)],
  layerNorm: ({ x, weights }) => [layerNorm(x, weights(x.shape[3]!), weights(x.shape[3]!), { epsilon: 0.1 })],
  dense: (bench) => [dense(bench)],
  /** Pixels that look at one another, as in a transformer. */
  attention: ({ x }) => {
    const [n, c, h, w] = x.shape as [number, number, number, number],
      tokens = transpose(reshape(x, [n, c, h * w]), [0, 2, 1]);
    const weights = softmax(scale(matmul(tokens, transpose(tokens, [0, 2, 1])), 1 / Math.sqrt(c)));
    return [reshape(transpose(matmul(weights, tokens), [0, 2, 1]), x.shape)];
  },
} satisfies Record<string, (bench: Bench) => readonly Value[]>;

export type StepName = keyof typeof steps;
