import { attr, defineOp, emit, normalizeAxes, type Value } from "../graph/index.ts";
import { addScalar, div, mul, sub } from "./arithmetic.ts";
import { broadcastStrides, walk, zeros64 } from "./reference.ts";
import { reduceMean } from "./reduce.ts";
import { sqrt, square } from "./unary.ts";

/** Added to the deviation (not the variance). Source: function body of the ONNX operator. */
const EPSILON = 1e-9;

/**
 * (x - mean) / (deviation + 1e-9), statistics over `axes`. Source: ONNX MeanVarianceNormalization, opset 13.
 */
export const MeanVarianceNormalization = defineOp({
  name: "MeanVarianceNormalization",
  arity: [1, 1],
  attributes: { axes: attr.ints([0, 2, 3]) },
  infer: ([x], a) => {
    normalizeAxes(a.axes, x.shape.length);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  // With c = x - mean and s the deviation: dx = (g - mean(g)) / (s + e) - c mean(g c) / ((s + e)² s)
  vjp: ({ g, inputs: [x], attributes: a }) => {
    const axes = normalizeAxes(a.axes, x.shape.length);
    const mean = (v: Value): Value => reduceMean(v, axes, true);
    const centred = sub(x, mean(x)),
      deviation = sqrt(mean(square(centred))),
      divisor = addScalar(deviation, EPSILON);
    const along = div(mean(mul(g, centred)), mul(square(divisor), deviation));
    return [sub(div(sub(g, mean(g)), divisor), mul(centred, along))];
  },
  reference: ([x], a) => {
    const axes = normalizeAxes(a.axes, x.shape.length),
      kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
    const count = axes.reduce((n, axis) => n * x.shape[axis]!, 1),
      strides = [broadcastStrides(kept, x.shape)];
    const mean = zeros64(kept).data,
      variance = zeros64(kept).data,
      out = zeros64(x.shape, x.dtype);
    walk(x.shape, strides, (i, [at]) => void (mean[at!]! += x.data[i]! / count));
    walk(x.shape, strides, (i, [at]) => void (variance[at!]! += (x.data[i]! - mean[at!]!) ** 2 / count));
    walk(x.shape, strides, (i, [at]) => {
      out.data[i] = (x.data[i]! - mean[at!]!) / (Math.sqrt(variance[at!]!) + EPSILON);
    });
    return [out];
  },
});
export const meanVarianceNorm = (x: Value, axes: readonly number[]): Value =>
  emit(MeanVarianceNormalization, [x], { axes });
