import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import { attr, defineOp, emit, type Shape, type Value } from "../graph/index.ts";
import { biased, checkBias, sumChannels } from "./channels.ts";
import { conv, type ConvOptions } from "./conv.ts";
import { convWeightGrad } from "./conv-weight-grad.ts";
import { addProduct, foldInto } from "./kernels.ts";
import { slice } from "./slice.ts";
import {
  convAttributes,
  type ConvAttributes,
  explicit,
  reachOf,
  spatialList,
  spatialOf,
  sweepOf,
  type Window,
} from "./window.ts";

interface TransposeAttributes extends ConvAttributes {
  readonly output_padding: readonly number[] | undefined;
  readonly output_shape: readonly number[] | undefined;
}

/**
 * The convolution that this operator is the transpose of: its window slides over our output, its grid is our input.
 * `end` is what the transposed output lacks behind; negative where output padding appends to it.
 */
const transposedWindow = (x: Shape, w: Shape, a: TransposeAttributes): Window => {
  const grid = spatialOf(x),
    kernel = w.slice(2),
    rank = grid.length;
  if (w.length !== x.length || x[1] !== w[0] || !Number.isInteger(w[0]! / a.group))
    throw new TemperError(
      "bad-shape",
      `weights ${formatShape(w)} with group ${a.group} do not fit an input of ${formatShape(x)}.`,
    );
  if (a.kernel_shape && !sameShape(a.kernel_shape, kernel))
    throw new TemperError("bad-shape", `kernel_shape [${a.kernel_shape.join(", ")}] but weights ${formatShape(w)}.`);
  const strides = spatialList("strides", a.strides, rank, 1, 1),
    dilations = spatialList("dilations", a.dilations, rank, 1, 1),
    extra = spatialList("output_padding", a.output_padding, rank, 0, 0),
    pads = spatialList("pads", a.auto_pad === "NOTSET" ? a.pads : undefined, 2 * rank, 0, 0);
  const wanted = a.output_shape?.length
    ? spatialList("output_shape", a.output_shape.slice(-rank), rank, 0, 1)
    : undefined;
  const axes = grid.map((size, i) => {
    const full = (size - 1) * strides[i]! + reachOf(kernel[i]!, dilations[i]!);
    const image = wanted?.[i] ?? (a.auto_pad.startsWith("SAME") ? size * strides[i]! : undefined);
    if (image === undefined)
      return {
        image: full + extra[i]! - pads[i]! - pads[i + rank]!,
        begin: pads[i]!,
        end: pads[i + rank]! - extra[i]!,
      };
    const total = Math.max(0, full + extra[i]! - image),
      half = Math.floor(total / 2),
      begin = a.auto_pad === "SAME_UPPER" ? half : total - half;
    return { image, begin, end: full - begin - image };
  });
  if (axes.some(({ image }) => image < 1))
    throw new TemperError("bad-shape", `pads [${pads.join(", ")}] leave nothing of the output.`);
  const column = (key: "image" | "begin" | "end"): number[] => axes.map((axis) => axis[key]);
  return { image: column("image"), kernel, strides, dilations, begin: column("begin"), end: column("end"), grid };
};

/**
 * The convolution's window with pads that are no longer negative, and the output cut where whole windows would be
 * added by that.
 */
const gradientOf = (g: Value, { end, strides, ...rest }: Window): { g: Value; window: Window } => {
  const cut = end.map((e, i) => (-e >= strides[i]! ? -e : 0));
  const window = { ...rest, strides, end: end.map((e) => Math.max(0, e)) };
  if (cut.every((c) => c === 0)) return { g, window };
  const image = rest.image.map((size, i) => size - cut[i]!);
  const axes = image.map((_, i) => i + 2);
  const part = slice(g, axes.map(() => 0), image, axes); // prettier-ignore
  return { g: part, window: { ...window, image } };
};

/**
 * Transposed convolution: x [N, C, ...] with weights [C, O / group, ...], plus bias [O]. Default auto padding and
 * output_shape split the padding as ONNX says, the odd one in front except for SAME_UPPER.
 * Source: ONNX ConvTranspose, opset 11.
 */
export const ConvTranspose = defineOp({
  name: "ConvTranspose",
  arity: [2, 3],
  attributes: { ...convAttributes, output_padding: attr.ints(), output_shape: attr.ints() },
  infer: ([x, w, bias], a) => {
    const { image } = transposedWindow(x.shape, w.shape, a);
    checkBias(bias, w.shape[1]! * a.group);
    return [{ dtype: x.dtype, shape: [x.shape[0]!, w.shape[1]! * a.group, ...image] }];
  },
  vjp: ({ g, inputs: [x, w, bias], attributes: a }) => {
    const part = gradientOf(g, transposedWindow(x.shape, w.shape, a)),
      options = { ...explicit(part.window), group: a.group };
    return [conv(part.g, w, undefined, options), convWeightGrad(part.g, x, options), bias && sumChannels(g)];
  },
  reference: ([x, w, bias], a) => {
    const window = transposedWindow(x.shape, w.shape, a),
      sweep = sweepOf(window);
    const [batch, channels] = x.shape as [number, number],
      ins = channels / a.group,
      outs = w.shape[1]!;
    const area = sizeOf(window.image),
      cells = sizeOf(window.grid),
      rows = outs * sizeOf(window.kernel);
    const out = biased([batch, outs * a.group, ...window.image], bias, x.dtype);
    for (let i = 0; i < batch * a.group; i++) {
      const matrix = new Float64Array(rows * cells);
      const weights = { data: w.data, at: (i % a.group) * ins * rows, transposed: true };
      addProduct(matrix, 0, weights, { data: x.data, at: i * ins * cells }, rows, ins, cells);
      foldInto(out.data, i * outs * area, outs, sweep, matrix);
    }
    return [out];
  },
});

export interface ConvTransposeOptions extends ConvOptions {
  readonly output_padding?: readonly number[];
  readonly output_shape?: readonly number[];
}
/** Transposed convolution of x [N, C, ...] with weights [C, O / group, ...] and an optional bias [O]. */
export const convTranspose = (x: Value, w: Value, bias?: Value, options: ConvTransposeOptions = {}): Value =>
  emit(ConvTranspose, bias ? [x, w, bias] : [x, w], { ...options });
