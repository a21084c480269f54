import { formatShape, sizeOf, type Tensor, TemperError } from "../../core/index.ts";
import { type AnyOp, attr, constant, defineOp, type Dim, emit, type Node, type Value } from "../../graph/index.ts";
import { reshape, scale } from "../../ops/index.ts";
import { all } from "./conv-form.ts";

/**
 * ONNX Runtime's own operators on the blocked layout. A blocked tensor is declared [N, C, H, W], but lies in memory as
 * [N, C / b, H, W, b], with b channels side by side (16 with AVX-512, 8 with AVX2). Element by element operators work on
 * it unchanged; others see what the memory order says.
 */
export const BLOCKED_DOMAIN = "com.microsoft.nchwc";

/** [N, C, H, W] (with `channels_last`: [N, H, W, C]) -> [N, C, H, W] blocked. C must be a multiple of the block. */
const ReorderInput = defineOp({
  name: "ReorderInput",
  domain: BLOCKED_DOMAIN,
  arity: [1, 1],
  attributes: { channels_last: attr.int(0) },
  infer: ([{ dtype, shape }], { channels_last }) => {
    const [n, h, w, c] = shape as readonly [Dim, Dim, Dim, Dim];
    return [{ dtype, shape: channels_last ? [n, c, h, w] : shape }];
  },
});
export const blocked = (x: Value): Value => (isPlain(x, ReorderOutput) ? x.node.inputs[0]! : emit(ReorderInput, [x]));

/** Blocked [N, C, H, W] -> plain (with `channels_last`: [N, H, W, C]). */
const ReorderOutput = defineOp({
  name: "ReorderOutput",
  domain: BLOCKED_DOMAIN,
  arity: [1, 1],
  attributes: { channels: attr.int(), channels_last: attr.int(0) },
  infer: ([{ dtype, shape }], { channels_last }) => {
    const [n, c, h, w] = shape as readonly [Dim, Dim, Dim, Dim];
    return [{ dtype, shape: channels_last ? [n, h, w, c] : shape }];
  },
});
export const plain = (x: Value): Value =>
  isPlain(x, ReorderInput) ? x.node.inputs[0]! : emit(ReorderOutput, [x], { channels: x.shape[1]! });
const isPlain = ({ node }: Value, op: AnyOp): boolean => node.op === op && node.attributes["channels_last"] === 0;

/** The blocked value that a plain one was made from. */
export const unblocked = (x: Value): Value | undefined => (isPlain(x, ReorderOutput) ? x.node.inputs[0]! : undefined);
/** Whether a node changes the layout. */
export const isReorder = ({ op }: Node): boolean => op === ReorderInput || op === ReorderOutput;

/** What a change of the layout gives whose input `x` is the opposite change. */
export const opposite = ({ op }: Node, x: Value): Value | undefined =>
  isPlain(x, op === ReorderInput ? ReorderOutput : ReorderInput) ? x.node.inputs[0]! : undefined;

/** For every element of a blocked image [C, H, W], in memory order, its place in the plain one. */
export const blockOrder = (shape: readonly number[], block: number): Int32Array => {
  const [channels, ...image] = shape as [number, ...number[]],
    pixels = sizeOf(image);
  return Int32Array.from({ length: channels * pixels }, (_, at) => {
    const pixel = Math.floor(at / block) % pixels,
      first = block * Math.floor(at / (block * pixels));
    return (first + (at % block)) * pixels + pixel;
  });
};

/** [N, C, H, W] -> [N, H, W, C] and back, by way of the blocked layout: in threads, where Transpose has one. */
export const channelsLast = (x: Value): Value =>
  emit(ReorderOutput, [blocked(x)], { channels: x.shape[1]!, channels_last: 1 });
export const channelsFirst = (x: Value): Value => plain(emit(ReorderInput, [x], { channels_last: 1 }));

/**
 * Convolution from blocked to blocked (or from plain, where channels are fewer than a block); weights in the order of
 * {@link blockedWeights}. A fourth input is added to the result, before the activation.
 */
const BlockedConv = defineOp({
  name: "Conv",
  domain: BLOCKED_DOMAIN,
  arity: [2, 4],
  attributes: {
    kernel_shape: attr.ints(),
    pads: attr.ints(),
    strides: attr.ints([1, 1]),
    dilations: attr.ints([1, 1]),
    group: attr.int(1),
    activation: attr.string(),
    activation_params: attr.floats(),
  },
  infer: ([x, w], { pads, strides, dilations, group }) => {
    const [n, channels, ...image] = x.shape as [Dim, ...Dim[]],
      [outs, ins, ...kernel] = w.shape as [Dim, ...Dim[]];
    if (channels !== ins! * group || image.length !== 2)
      throw new TemperError("bad-shape", `weights ${formatShape(w.shape)} do not fit ${formatShape(x.shape)}.`);
    const grid = image.map((size, i) => {
      const room = size + pads![i]! + pads![i + 2]! - dilations[i]! * (kernel[i]! - 1) - 1;
      return Math.floor(room / strides[i]!) + 1;
    });
    return [{ dtype: x.dtype, shape: [n, outs!, ...grid] }];
  },
});
interface BlockedConvOptions {
  readonly pads?: readonly number[] | undefined;
  readonly strides?: readonly number[] | undefined;
  readonly dilations?: readonly number[] | undefined;
  readonly group?: number;
  readonly bias?: Value | undefined;
}
export const blockedConv = (
  x: Value,
  weights: Value,
  { pads = [0, 0, 0, 0], strides = [1, 1], dilations = [1, 1], group = 1, bias }: BlockedConvOptions,
): Value =>
  emit(BlockedConv, bias ? [x, weights, bias] : [x, weights], {
    kernel_shape: weights.shape.slice(2),
    pads,
    strides,
    dilations,
    group,
  });

/** Input, weights and bias of a depthwise convolution of size 1x1 that nothing has joined. */
export const depthwiseOf = (
  v: Value,
): { readonly x: Value; readonly weights: Value; readonly bias: Value | undefined } | undefined => {
  const [x, weights, bias] = v.node.inputs,
    { group, pads, strides } = v.node.attributes as Readonly<Record<string, readonly number[]>> & { group: number };
  if (!isBareConv(v) || group !== v.shape[1] || weights!.shape.slice(1).some((d) => d !== 1)) return undefined;
  return all(pads!, 0) && all(strides!, 1) ? { x: x!, weights: weights!, bias } : undefined;
};
/** Weights of a depthwise convolution that changes nothing. */
export const ones = (channels: number): Value =>
  constant({ dtype: "float32", shape: [channels, 1, 1, 1], data: new Float32Array(channels).fill(1) });

const GlobalAveragePool = defineOp({
  name: "GlobalAveragePool",
  domain: BLOCKED_DOMAIN,
  arity: [1, 1],
  infer: ([{ dtype, shape }]) => [{ dtype, shape: [shape[0]!, shape[1]!, 1, 1] }],
});
/** Mean of each channel of a blocked image, [N, C, 1, 1]: both layouts are one there. */
export const channelMeans = (x: Value): Value => emit(GlobalAveragePool, [x]);

/**
 * Mean of each channel of a product of two blocked images, [N, C, 1, 1]: one image is the kernel over the other, every
 * channel of every example a group of its own. For known batch sizes.
 */
export const meansOfProduct = (a: Value, b: Value): Value => {
  const [batch, channels, h, w] = a.shape as [number, number, number, number],
    group = batch * channels;
  const sums = blockedConv(reshape(a, [1, group, h, w]), reshape(b, [group, 1, h, w]), { group });
  return scale(reshape(sums, [batch, channels, 1, 1]), 1 / (h * w));
};

/** Whether a sum or an activation can still become part of what made the value. */
export const isBareConv = ({ node }: Value): boolean =>
  node.op === BlockedConv && !node.inputs[3] && node.attributes["activation"] === undefined;

/** The convolution's result plus another blocked value. @param conv  one that {@link isBareConv} */
export const withSum = ({ node }: Value, other: Value): Value =>
  emit(BlockedConv, [node.inputs[0], node.inputs[1], node.inputs[2], other], node.attributes, node.name);

/** The convolution followed by an activation; undefined where the runtime has no such form. */
export const activated = ({ node }: Value, { op, attributes }: Node): Value | undefined => {
  if (node.op !== BlockedConv || node.attributes["activation"] !== undefined || op.domain !== "") return undefined;
  if (!ACTIVATIONS.has(op.name)) return undefined;
  const { alpha } = attributes as { readonly alpha?: number };
  const given = { activation: op.name, ...(alpha !== undefined && { activation_params: [alpha] }) };
  return emit(BlockedConv, node.inputs, { ...node.attributes, ...given }, node.name);
};
const ACTIVATIONS = new Set(["Relu", "LeakyRelu", "Sigmoid", "Tanh"]);

/**
 * Weights [O, I, kh, kw] in the memory order that {@link blockedConv} reads, [O / b, I / b, kh, kw, b (in), b (out)];
 * where I is no multiple of the block (an image's channels, depthwise): [O / b, I, kh, kw, b].
 */
export const blockedWeights = (
  [outs, ins, kh, kw]: readonly [number, number, number, number],
  block: number,
  at: (o: number, i: number, y: number, x: number) => number,
): Tensor => {
  const data = new Float32Array(outs * ins * kh * kw),
    width = ins % block === 0 ? block : 1;
  let next = 0;
  for (let o = 0; o < outs; o += block)
    for (let i = 0; i < ins; i += width)
      for (let y = 0; y < kh; y++)
        for (let x = 0; x < kw; x++)
          for (let inner = i; inner < i + width; inner++)
            for (let outer = o; outer < o + block; outer++) data[next++] = at(outer, inner, y, x);
  return { dtype: "float32", shape: [outs, ins, kh, kw], data };
};
