import { TemperError } from "../core/index.ts";
import { attr, defineOp, emit, normalizeAxis, type Value } from "../graph/index.ts";
import { abs } from "./activation.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { sign } from "./discrete.ts";
import { broadcastStrides, walk, zeros64 } from "./reference.ts";
import { sqrt, square } from "./unary.ts";

/**
 * x divided by its 1- or 2-norm along `axis`; zero rows stay zero (their gradient is undefined).
 * Source: ONNX LpNormalization.
 */
export const LpNormalization = defineOp({
  name: "LpNormalization",
  arity: [1, 1],
  attributes: { axis: attr.int(-1), p: attr.int(2) },
  infer: ([x], { axis, p }) => {
    normalizeAxis(axis, x.shape.length);
    if (p !== 1 && p !== 2) throw new TemperError("bad-shape", `p must be 1 or 2, got ${p}.`);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  // dx = (g - d sum(g y)) / n, d = y (2-norm) or sign x (1-norm)
  vjp: ({ g, inputs: [x], outputs: [y], attributes: { axis, p } }) => {
    const axes = [normalizeAxis(axis, x.shape.length)];
    const norm = p === 2 ? sqrt(reduceSum(square(x), axes, true)) : reduceSum(abs(x), axes, true);
    return [div(sub(g, mul(p === 2 ? y : sign(x), reduceSum(mul(g, y), axes, true))), norm)];
  },
  reference: ([x], { axis, p }) => {
    const along = normalizeAxis(axis, x.shape.length),
      kept = x.shape.map((d, i) => (i === along ? 1 : d));
    const sums = zeros64(kept).data,
      out = zeros64(x.shape, x.dtype),
      strides = [broadcastStrides(kept, x.shape)];
    walk(x.shape, strides, (i, [at]) => void (sums[at!]! += Math.abs(x.data[i]!) ** p));
    walk(x.shape, strides, (i, [at]) => {
      const norm = p === 2 ? Math.sqrt(sums[at!]!) : sums[at!]!;
      out.data[i] = norm === 0 ? 0 : x.data[i]! / norm;
    });
    return [out];
  },
});
export const lpNorm = (x: Value, axis = -1, p: 1 | 2 = 2): Value => emit(LpNormalization, [x], { axis, p });
