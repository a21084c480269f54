import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import { defineOp, emit, type Shape, type Value } from "../graph/index.ts";
import { biased, checkBias, sumChannels } from "./channels.ts";
import { convTranspose } from "./conv-transpose.ts";
import { convWeightGrad } from "./conv-weight-grad.ts";
import { addProduct, unfold } from "./kernels.ts";
import {
  convAttributes,
  type ConvAttributes,
  explicit,
  remainders,
  resolveWindow,
  spatialOf,
  sweepOf,
  type Window,
} from "./window.ts";

/** Checks weights [out, in / group, ...kernel] against the attributes. */
const convWindow = (x: Shape, w: Shape, a: ConvAttributes): Window => {
  const spatial = spatialOf(x),
    kernel = w.slice(2);
  if (w.length !== x.length || x[1] !== w[1]! * a.group || !Number.isInteger(w[0]! / a.group))
    throw new TemperError(
      "bad-shape",
      `weights ${formatShape(w)} with group ${a.group} do not fit an input of ${formatShape(x)}.`,
    );
  if (a.kernel_shape && !sameShape(a.kernel_shape, kernel))
    throw new TemperError("bad-shape", `kernel_shape [${a.kernel_shape.join(", ")}] but weights ${formatShape(w)}.`);
  return resolveWindow(spatial, kernel, a);
};

/**
 * Cross-correlation of x [N, C, ...] with weights [O, C / group, ...], plus bias [O]; 1 to 3 spatial axes.
 * Source: ONNX Conv, opset 11.
 */
export const Conv = defineOp({
  name: "Conv",
  arity: [2, 3],
  attributes: convAttributes,
  infer: ([x, w, bias], a) => {
    const { grid } = convWindow(x.shape, w.shape, a);
    checkBias(bias, w.shape[0]!);
    return [{ dtype: x.dtype, shape: [x.shape[0]!, w.shape[0]!, ...grid] }];
  },
  vjp: ({ g, inputs: [x, w, bias], attributes: a }) => {
    const window = convWindow(x.shape, w.shape, a),
      options = { ...explicit(window), group: a.group };
    return [
      convTranspose(g, w, undefined, { ...options, output_padding: remainders(window) }),
      convWeightGrad(x, g, options),
      bias && sumChannels(g),
    ];
  },
  reference: ([x, w, bias], a) => {
    const window = convWindow(x.shape, w.shape, a),
      sweep = sweepOf(window);
    const [batch, channels] = x.shape as [number, number],
      outs = w.shape[0]! / a.group,
      ins = channels / a.group;
    const area = sizeOf(window.image),
      cells = sizeOf(window.grid),
      depth = ins * sizeOf(window.kernel);
    const out = biased([batch, w.shape[0]!, ...window.grid], bias, x.dtype);
    for (let i = 0; i < batch * a.group; i++) {
      const b = { data: unfold(x.data, i * ins * area, ins, sweep), at: 0 };
      const weights = { data: w.data, at: (i % a.group) * outs * depth };
      addProduct(out.data, i * outs * cells, weights, b, outs, depth, cells);
    }
    return [out];
  },
});

export interface ConvOptions {
  readonly auto_pad?: string;
  readonly dilations?: readonly number[];
  readonly group?: number;
  readonly kernel_shape?: readonly number[];
  /** In front of every spatial axis, then behind every one. */
  readonly pads?: readonly number[];
  readonly strides?: readonly number[];
}
/** Convolution of x [N, C, ...] with weights [O, C / group, ...] and an optional bias [O]. */
export const conv = (x: Value, w: Value, bias?: Value, options: ConvOptions = {}): Value =>
  emit(Conv, bias ? [x, w, bias] : [x, w], { ...options });
