import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import { type Array64, attr, defineOp, elements, emit, type Shape, type Value } from "../graph/index.ts";
import { add, mul } from "./arithmetic.ts";
import { perChannel, sumChannels } from "./channels.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { constantLike } from "./spread.ts";
import { moments, standardize, standardizeVjp } from "./standardize.ts";
import { spatialOf } from "./window.ts";

/** Cotangents of x [N, C, ...], scale and bias (both [C]) for rows that are the channels of each example. */
const channelsVjp = (g: Value, x: Value, scale: Value, epsilon: number): [Value, Value, Value] => {
  const axes = x.shape.slice(2).map((_, i) => i + 2);
  const rows = standardize(x, axes, epsilon);
  return [standardizeVjp(mul(g, perChannel(scale, x)), rows, axes), sumChannels(mul(g, rows.unit)), sumChannels(g)];
};

/** Rows of `size` elements standardized; row r takes scale and bias r mod their length. */
const standardizeRows = (x: Array64, scale: Array64, bias: Array64, size: number, epsilon: number): Array64 => {
  const out = zeros64(x.shape, x.dtype),
    channels = scale.data.length;
  for (let row = 0; row * size < x.data.length; row++) {
    const [mean, inverse] = moments(x.data, row * size, (row + 1) * size, epsilon);
    const factor = inverse * scale.data[row % channels]!;
    for (let i = row * size; i < (row + 1) * size; i++)
      out.data[i] = (x.data[i]! - mean) * factor + bias.data[row % channels]!;
  }
  return out;
};

const checkParameters = (parameters: readonly Value[], size: number): void => {
  for (const v of parameters)
    if (!sameShape(v.shape, [size]))
      throw new TemperError("bad-shape", `scale and bias must be [${size}], got ${formatShape(v.shape)}.`);
};

/**
 * Each channel of each example of x [N, C, ...] brought to mean 0 and variance 1, times scale [C], plus bias [C].
 * Source: ONNX InstanceNormalization.
 */
export const InstanceNormalization = defineOp({
  name: "InstanceNormalization",
  arity: [3, 3],
  attributes: { epsilon: attr.float(1e-5) },
  infer: ([x, scale, bias]) => {
    spatialOf(x.shape);
    checkParameters([scale, bias], x.shape[1]!);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs: [x, scale], attributes: { epsilon } }) => channelsVjp(g, x, scale, epsilon),
  reference: ([x, scale, bias], { epsilon }) => [standardizeRows(x, scale, bias, sizeOf(x.shape.slice(2)), epsilon)],
});

const groupsOf = (x: Shape, groups: number | undefined): Shape => {
  spatialOf(x);
  if (!groups || groups < 1 || x[1]! % groups !== 0)
    throw new TemperError("bad-shape", `num_groups must divide the ${x[1]} channels, got ${groups}.`);
  return [x[0]!, groups, elements(x.slice(1)) / groups];
};

/**
 * Groups of neighbouring channels of each example brought to mean 0 and variance 1, times scale, plus bias, both one
 * number a group. Source: ONNX GroupNormalization, opset 18 (from 21 on they are one a channel: see {@link groupNorm}).
 */
export const GroupNormalization = defineOp({
  name: "GroupNormalization",
  arity: [3, 3],
  attributes: { epsilon: attr.float(1e-5), num_groups: attr.int() },
  infer: ([x, scale, bias], { num_groups }) => {
    checkParameters([scale, bias], groupsOf(x.shape, num_groups)[1]!);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs: [x, scale], attributes: { epsilon, num_groups } }) => {
    const view = groupsOf(x.shape, num_groups);
    const [dx, ...rest] = channelsVjp(reshape(g, view), reshape(x, view), scale, epsilon);
    return [reshape(dx, x.shape), ...rest];
  },
  reference: ([x, scale, bias], { epsilon, num_groups }) => [
    standardizeRows(x, scale, bias, groupsOf(x.shape, num_groups)[2]!, epsilon),
  ],
});

/** Each channel of each example of x [N, C, ...] standardized, with scale and bias [C]. */
export const instanceNorm = (x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value =>
  emit(InstanceNormalization, [x, scale, bias], { epsilon });

/** Groups of channels of x [N, C, ...] standardized, with scale and bias one number a channel. */
export const groupNorm = (x: Value, groups: number, scale: Value, bias: Value, epsilon = 1e-5): Value => {
  const view = reshape(x, groupsOf(x.shape, groups));
  const filled = (value: number): Value => constantLike(x, new Float64Array(groups).fill(value), [groups]);
  const unit = instanceNorm(view, filled(1), filled(0), epsilon);
  return add(mul(reshape(unit, x.shape), perChannel(scale, x)), perChannel(bias, x));
};
