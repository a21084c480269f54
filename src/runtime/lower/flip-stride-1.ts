import { type DType, fromFloat64, sizeOf, type Tensor, toFloat64 } from "../../core/index.ts";
import { constant, constantOf, emit, type Graph, rewrite, type Value } from "../../graph/index.ts";
import { Conv, ConvTranspose, matmul, reshape, transpose } from "../../ops/index.ts";
import { all, type ConvForm, convForm } from "./conv-form.ts";

/** Below this many input channels ConvTranspose beats a convolution with flipped weights (engine measurements). */
const MIN_FLIP_CHANNELS = 8;

/**
 * The data gradient of a stride-1 convolution, as a convolution with the weights flipped in space and with their
 * channels exchanged: the runtime's fastest kernel, where ConvTranspose multiplies and then scatters. Constant weights
 * are flipped here, those of a training step at run time.
 */
export const flipStride1 = (graph: Graph): Graph =>
  rewrite(graph, (node, [x, w, bias]) => {
    if (node.op !== ConvTranspose || !x || !w || bias || w.shape.some((d) => d < 0)) return undefined;
    const form = convForm(node, w.shape.length - 2),
      pads = form && stride1Pads(form, w.shape.slice(2));
    if (!form || !pads || w.shape[1]! * form.group < MIN_FLIP_CHANNELS) return undefined;
    const { dilations, group } = form,
      weights = constantOf(w),
      flippedWeights = weights ? constant(flip(weights, group)) : flipped(w, group);
    const attributes = { pads, dilations, group, kernel_shape: w.shape.slice(2) };
    return [emit(Conv, [x, flippedWeights], attributes, node.name)];
  });

/** Pads of the equivalent convolution, d (k - 1) - p, or undefined where there is none. */
export const stride1Pads = (form: ConvForm, spatial: readonly number[]): readonly number[] | undefined => {
  if (!all(form.strides, 1) || !all(form.outputPadding, 0)) return undefined;
  const out = form.pads.map((pad, i) => form.dilations[i % spatial.length]! * (spatial[i % spatial.length]! - 1) - pad);
  return out.every((p) => p >= 0) ? out : undefined;
};

/** [I, O / groups, ...k] -> [O, I / groups, ...reversed k]. */
const flip = (weights: Tensor, groups: number): Tensor => {
  const [ins, columns, ...kernel] = weights.shape as [number, number, ...number[]];
  const taps = sizeOf(kernel),
    rows = ins / groups,
    from = toFloat64(weights),
    to = new Float64Array(from.length);
  for (let g = 0; g < groups; g++)
    for (let i = 0; i < rows; i++)
      for (let o = 0; o < columns; o++)
        for (let t = 0; t < taps; t++)
          to[((g * columns + o) * rows + i) * taps + t] = from[((g * rows + i) * columns + o) * taps + taps - 1 - t]!;
  return fromFloat64(to, weights.dtype, [groups * columns, rows, ...kernel]);
};

/**
 * The same at run time. A product with the matrix that reverses the taps is exact, and threaded, where Slice with
 * negative steps and Gather of single elements are not.
 */
const flipped = (w: Value, groups: number): Value => {
  const [ins, columns, ...kernel] = w.shape as [number, number, ...number[]];
  const taps = sizeOf(kernel),
    rows = ins / groups;
  const exchanged = transpose(reshape(reversedTaps(w), [groups, rows, columns, taps]), [0, 2, 1, 3]);
  return reshape(exchanged, [groups * columns, rows, ...kernel]);
};
/** Weights [I, O, ...kernel] flipped in space at run time. */
export const reversedTaps = (w: Value): Value => {
  const [ins, columns, ...kernel] = w.shape as [number, number, ...number[]],
    taps = sizeOf(kernel);
  if (taps === 1) return w;
  return reshape(matmul(reshape(w, [ins * columns, taps]), constant(reversal(taps, w.dtype))), w.shape);
};
const reversal = (size: number, dtype: DType): Tensor => {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * size + size - 1 - i] = 1;
  return fromFloat64(matrix, dtype, [size, size]);
};
