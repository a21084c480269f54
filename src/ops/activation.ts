import {
  type AttributeSpec,
  type AttributeValues,
  attr,
  defineOp,
  emit,
  type OpType,
  type Value,
} from "../graph/index.ts";
import { add, addScalar, mul, scalarLike, scale, sub } from "./arithmetic.ts";
import { sumTo } from "./broadcast.ts";
import { broadcast64, map64 } from "./reference.ts";

/**
 * Functions of one number with kinks. Their rules are built from {@link Step} masks, which the runtime computes far
 * faster than Where, Sign or comparisons.
 */
const kinked = <const S extends AttributeSpec = Record<never, never>>(
  name: string,
  attributes: S,
  compute: (x: number, a: AttributeValues<S>) => number,
  pull: (g: Value, x: Value, y: Value, a: AttributeValues<S>) => Value,
): OpType<AttributeValues<S>> & { readonly attributes: S } =>
  defineOp<S>({
    name,
    arity: [1, 1],
    attributes,
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    vjp: ({ g, inputs: [x], outputs: [y], attributes: a }) => [pull(g, x, y, a)],
    reference: ([x], a) => [map64(x, (v) => compute(v, a))],
  });

/** Slope of HardSigmoid that makes it a step for every normal float32 number. */
const STEEP = 1e30;

/** 1 where x > 0, else 0. Lowered to a steep HardSigmoid; positive numbers below 1e-30 fall on its ramp there. */
export const Step = defineOp({
  name: "Step",
  domain: "temper",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  zeroGradient: "a step is constant on both sides of zero",
  reference: ([x]) => [map64(x, (v) => (v > 0 ? 1 : 0))],
  decompose: (_, [x]) => [emit(HardSigmoid, [x], { alpha: STEEP, beta: 0 })],
});
/** 1 where x > 0, else 0. */
export const step = (x: Value): Value => emit(Step, [x]);
/** 1 - x. */
export const oneMinus = (x: Value): Value => sub(scalarLike(x, 1), x);
/** Sign of x out of two steps; 0 at 0. */
export const signSteps = (x: Value): Value => sub(step(x), step(scale(x, -1)));
/** `right` where mask is 1, `left` where it is 0. */
const blend = (mask: Value, left: Value, right: Value): Value => add(mul(mask, right), mul(oneMinus(mask), left));
/** 1 where mask is 1, `left` where it is 0. */
const oneOr = (mask: Value, left: Value): Value => add(mask, mul(oneMinus(mask), left));

/** The mask is taken from the output, so that the runtime can fuse the operator into the convolution before it. */
export const Relu = kinked(
  "Relu",
  {},
  (x) => (x > 0 ? x : 0),
  (g, _, y) => mul(g, step(y)),
);
/** At 0 the slope is alpha. */
export const LeakyRelu = kinked(
  "LeakyRelu",
  { alpha: attr.float(0.01) },
  (x, { alpha }) => (x >= 0 ? x : alpha * x),
  // Where alpha >= 0 the output has the input's sign and takes its place, as in Relu.
  (g, x, y, { alpha }) => mul(g, addScalar(scale(step(alpha >= 0 ? y : x), 1 - alpha), alpha)),
);
export const ThresholdedRelu = kinked(
  "ThresholdedRelu",
  { alpha: attr.float(1) },
  (x, { alpha }) => (x > alpha ? x : 0),
  (g, x, _, { alpha }) => mul(g, step(addScalar(x, -alpha))),
);
/** x, or alpha (e^x - 1) below 0, whose slope is y + alpha. */
export const Elu = kinked(
  "Elu",
  { alpha: attr.float(1) },
  (x, { alpha }) => (x > 0 ? x : alpha * Math.expm1(x)),
  (g, x, y, { alpha }) => mul(g, oneOr(step(x), addScalar(y, alpha))),
);
/** gamma times Elu. */
export const Selu = kinked(
  "Selu",
  { alpha: attr.float(1.67326319217681884765625), gamma: attr.float(1.05070102214813232421875) },
  (x, { alpha, gamma }) => gamma * (x > 0 ? x : alpha * Math.expm1(x)),
  (g, x, y, { alpha, gamma }) => mul(g, blend(step(x), addScalar(y, alpha * gamma), scalarLike(x, gamma))),
);
/** x, or alpha (e^(x / alpha) - 1) below 0, whose slope is y / alpha + 1. */
export const Celu = kinked(
  "Celu",
  { alpha: attr.float(1) },
  (x, { alpha }) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha)),
  (g, x, y, { alpha }) => mul(g, oneOr(step(x), addScalar(scale(y, 1 / alpha), 1))),
);
/** Slope alpha strictly between the two ends, 0 at them. */
export const HardSigmoid = kinked(
  "HardSigmoid",
  { alpha: attr.float(0.2), beta: attr.float(0.5) },
  (x, { alpha, beta }) => Math.max(0, Math.min(1, alpha * x + beta)),
  (g, _, y, { alpha }) => mul(g, scale(inside(y), alpha)),
);
/** 1 where 0 < y < 1. */
const inside = (y: Value): Value => mul(step(y), step(oneMinus(y)));
/** x HardSigmoid(x) with slope 1/6. */
export const HardSwish = kinked(
  "HardSwish",
  {},
  (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)),
  (g, x) => {
    const h = hardSigmoid(x, 1 / 6, 0.5);
    return mul(g, add(h, mul(scale(x, 1 / 6), inside(h))));
  },
);
/** The slope at 0 is 0. */
export const Abs = kinked("Abs", {}, Math.abs, (g, x) => mul(g, signSteps(x)));

/** x, or slope (input 1, broadcast to x) times x below 0. Source: ONNX PRelu, opset 16. */
export const PRelu = defineOp({
  name: "PRelu",
  arity: [2, 2],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ({ g, inputs: [x, slope] }) => {
    const positive = step(x);
    return [mul(g, oneOr(positive, slope)), sumTo(mul(mul(g, x), oneMinus(positive)), slope)];
  },
  reference: ([x, slope]) => [broadcast64(x, slope, (v, s) => (v >= 0 ? v : s * v))],
});

export const relu = (x: Value): Value => emit(Relu, [x]);
export const leakyRelu = (x: Value, alpha = 0.01): Value => emit(LeakyRelu, [x], { alpha });
export const elu = (x: Value, alpha = 1): Value => emit(Elu, [x], { alpha });
export const hardSigmoid = (x: Value, alpha = 0.2, beta = 0.5): Value => emit(HardSigmoid, [x], { alpha, beta });
export const hardSwish = (x: Value): Value => emit(HardSwish, [x]);
export const prelu = (x: Value, slope: Value): Value => emit(PRelu, [x, slope]);
export const abs = (x: Value): Value => emit(Abs, [x]);
