import { toFloat64 } from "../core/index.ts";
import { attr, broadcastShapes, constantOf, defineOp, emit, type Value } from "../graph/index.ts";
import { oneMinus, step } from "./activation.ts";
import { add, addScalar, div, mul, neg, scalarLike, scale, sub } from "./arithmetic.ts";
import { sumTo } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { commonType } from "./element-type.ts";
import { round } from "./discrete.ts";
import { broadcast64 } from "./reference.ts";
import { log } from "./unary.ts";

/**
 * x to the power of input 1, in x's element type. By the exponent: 0 at x = 0, NaN for x < 0, as in PyTorch.
 * Source: ONNX Pow, opset 15.
 */
export const Pow = defineOp({
  name: "Pow",
  arity: [2, 2],
  infer: ([x, p]) => [{ dtype: x.dtype, shape: broadcastShapes(x.shape, p.shape) }],
  vjp: ({ g, inputs: [x, p], outputs: [y], needs }) => [
    sumTo(mul(g, powerSlope(x, p)), x),
    needs[1] ? sumTo(mul(g, mul(y, log(zeroToOne(x)))), p) : undefined,
  ],
  reference: ([x, p]) => [broadcast64(x, p, x.dtype.includes("int") ? (a, b) => Math.trunc(a ** b) : (a, b) => a ** b)],
});

/** p x^(p-1), without a Pow where the exponent is a constant 0, 1 or 2. */
const powerSlope = (x: Value, p: Value): Value => {
  const constant = constantOf(p);
  const exponent = constant?.data.length === 1 ? toFloat64(constant)[0] : undefined;
  if (exponent === 0) return scalarLike(x, 0);
  if (exponent === 1) return scalarLike(x, 1);
  if (exponent === 2) return scale(x, 2);
  const q = cast(p, x.dtype);
  return mul(q, pow(x, addScalar(q, -1)));
};

/** x with zeros replaced by one. */
export const zeroToOne = (x: Value): Value => add(x, oneMinus(add(step(x), step(neg(x)))));

/**
 * Remainder. fmod = 1: sign of the dividend, as in C; fmod = 0 (integers): sign of the divisor, as in Python.
 * Source: ONNX Mod, opset 13.
 */
export const Mod = defineOp({
  name: "Mod",
  arity: [2, 2],
  attributes: { fmod: attr.int(0) },
  infer: ([a, b]) => [{ dtype: commonType(a, b), shape: broadcastShapes(a.shape, b.shape) }],
  // a mod b = a - k b with a whole number k
  vjp: ({ g, inputs: [a, b], outputs: [y] }) => [sumTo(g, a), sumTo(neg(mul(g, round(div(sub(a, y), b)))), b)],
  reference: ([a, b], { fmod }) => [
    broadcast64(a, b, fmod === 1 ? (x, y) => x % y : (x, y) => x - Math.floor(x / y) * y),
  ],
});

export const pow = (x: Value, exponent: Value): Value => emit(Pow, [x, exponent]);
/** x to a constant power. */
export const powScalar = (x: Value, exponent: number): Value => pow(x, scalarLike(x, exponent));
