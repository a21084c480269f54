import { sizeOf, TemperError } from "../core/index.ts";
import {
  attr,
  broadcastShapes,
  defineOp,
  elements,
  emit,
  normalizeAxis,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { add, mul, scale as scaled, sub } from "./arithmetic.ts";
import { expandTo, sumTo } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { broadcastStrides, walk, zeros64 } from "./reference.ts";
import { moments, standardize, standardizeVjp } from "./standardize.ts";

/** The axes from `axis` on, and the shape with size 1 there. @throws TemperError `unsupported` over the batch */
const normalized = (shape: Shape, axis: number): { axes: number[]; kept: Shape; count: number } => {
  const first = normalizeAxis(axis, shape.length),
    count = elements(shape.slice(first));
  if (count < 0) throw new TemperError("unsupported", "the batch axis must not be normalized.");
  return {
    axes: shape.flatMap((_, i) => (i >= first ? [i] : [])),
    kept: shape.map((d, i) => (i >= first ? 1 : d)),
    count,
  };
};

/**
 * Each row (all axes from `axis` on) of x brought to mean 0 and variance 1, times scale, plus bias (both broadcast to
 * x). Outputs 1 and 2: mean and 1 / sqrt(variance + epsilon), float32; runtimes skip them where nobody reads them.
 * Source: ONNX LayerNormalization, opset 17.
 */
export const LayerNormalization = defineOp({
  name: "LayerNormalization",
  optionalFrom: 1,
  arity: [2, 3],
  attributes: { axis: attr.int(-1), epsilon: attr.float(1e-5), stash_type: attr.int(1) },
  infer: ([x, scale, bias], { axis }) => {
    const { kept } = normalized(x.shape, axis);
    const all = broadcastShapes(x.shape, scale.shape, ...(bias ? [bias.shape] : []));
    if (elements(all) !== elements(x.shape) || all.length !== x.shape.length)
      throw new TemperError("bad-shape", "scale and bias must broadcast to the input.");
    return [
      { dtype: x.dtype, shape: x.shape },
      { dtype: "float32", shape: kept },
      { dtype: "float32", shape: kept },
    ];
  },
  vjp: ({ gs, inputs: [x, scale, bias], outputs: [, mean, inverse], attributes: { axis, epsilon } }) => {
    const { axes, count } = normalized(x.shape, axis);
    const rows = x.dtype === "float32" ? { unit: mul(sub(x, mean), inverse), inverse } : standardize(x, axes, epsilon); // statistics in float32 would spoil a float64 gradient
    const [g, gMean, gInverse] = gs;
    const parts = [
      g && standardizeVjp(mul(g, scale), rows, axes),
      gMean && expandTo(scaled(cast(gMean, x.dtype), 1 / count), x),
      // d inverse / dx = -inverse² unit / n
      gInverse && scaled(mul(mul(cast(gInverse, x.dtype), mul(rows.inverse, rows.inverse)), rows.unit), -1 / count),
    ].filter((part) => part !== undefined);
    return [parts.reduce(add), g && sumTo(mul(g, rows.unit), scale), g && bias && sumTo(g, bias)];
  },
  reference: ([x, scale, bias], { axis, epsilon }) => {
    const { kept, count } = normalized(x.shape, axis) as { kept: readonly number[]; count: number };
    const y = zeros64(x.shape, x.dtype),
      means = zeros64(kept),
      inverses = zeros64(kept);
    for (let row = 0; row < sizeOf(kept); row++)
      [means.data[row], inverses.data[row]] = moments(x.data, row * count, (row + 1) * count, epsilon);
    const strides = [scale, ...(bias ? [bias] : [])].map((v) => broadcastStrides(v.shape, x.shape));
    walk(x.shape, strides, (i, [s, b]) => {
      const row = Math.floor(i / count);
      y.data[i] = (x.data[i]! - means.data[row]!) * inverses.data[row]! * scale.data[s!]! + (bias ? bias.data[b!]! : 0);
    });
    return [y, means, inverses];
  },
});

/** Normalization of x over the axes from `axis` on. */
export const layerNorm = (
  x: Value,
  scale: Value,
  bias?: Value,
  options: { readonly axis?: number; readonly epsilon?: number } = {},
): Value => emit(LayerNormalization, bias ? [x, scale, bias] : [x, scale], options);
