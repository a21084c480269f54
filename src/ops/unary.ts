import { attr, defineOp, emit, type OpType, type Value } from "../graph/index.ts";
import { abs } from "./activation.ts";
import { add, addScalar, div, mul, neg, scalarLike, scale, sub } from "./arithmetic.ts";
import { erf64 } from "./erf.ts";
import { map64 } from "./reference.ts";

/** 1 - x². */
const oneMinusSquare = (x: Value): Value => sub(scalarLike(x, 1), mul(x, x));

/**
 * Smooth functions of one number.
 * @param pull  cotangent of the input from the output's: g f'(x), with y = f(x) at hand
 */
const smooth = (
  name: string,
  compute: (x: number) => number,
  pull: (g: Value, x: Value, y: Value) => Value,
): OpType<Record<never, never>> & { attributes: {} } =>
  defineOp({
    name,
    arity: [1, 1],
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    vjp: ({ g, inputs: [x], outputs: [y] }) => [pull(g, x, y)],
    reference: ([x]) => [map64(x, compute)],
  });

export const Exp = smooth("Exp", Math.exp, (g, _, y) => mul(g, y));
export const Log = smooth("Log", Math.log, (g, x) => div(g, x));
/** The derivative at 0 is infinite. */
export const Sqrt = smooth("Sqrt", Math.sqrt, (g, _, y) => div(g, scale(y, 2)));
export const Reciprocal = smooth(
  "Reciprocal",
  (x) => 1 / x,
  (g, _, y) => neg(mul(g, mul(y, y))),
);
export const Sin = smooth("Sin", Math.sin, (g, x) => mul(g, cos(x)));
export const Cos = smooth("Cos", Math.cos, (g, x) => neg(mul(g, sin(x))));
export const Tan = smooth("Tan", Math.tan, (g, _, y) => mul(g, addScalar(mul(y, y), 1)));
export const Asin = smooth("Asin", Math.asin, (g, x) => div(g, sqrt(oneMinusSquare(x))));
export const Acos = smooth("Acos", Math.acos, (g, x) => neg(div(g, sqrt(oneMinusSquare(x)))));
export const Atan = smooth("Atan", Math.atan, (g, x) => div(g, addScalar(mul(x, x), 1)));
export const Sinh = smooth("Sinh", Math.sinh, (g, x) => mul(g, cosh(x)));
export const Cosh = smooth("Cosh", Math.cosh, (g, x) => mul(g, sinh(x)));
export const Tanh = smooth("Tanh", Math.tanh, (g, _, y) => mul(g, oneMinusSquare(y)));
export const Asinh = smooth("Asinh", Math.asinh, (g, x) => div(g, sqrt(addScalar(mul(x, x), 1))));
export const Acosh = smooth("Acosh", Math.acosh, (g, x) => div(g, sqrt(addScalar(mul(x, x), -1))));
export const Atanh = smooth("Atanh", Math.atanh, (g, x) => div(g, oneMinusSquare(x)));
export const Erf = smooth("Erf", erf64, (g, x) => mul(g, scale(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))));

const sigmoid64 = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : 1 - 1 / (1 + Math.exp(x)));
const softplus64 = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const Sigmoid = smooth("Sigmoid", sigmoid64, (g, _, y) => mul(g, mul(y, sub(scalarLike(y, 1), y))));
/** ln(1 + e^x). */
export const Softplus = smooth("Softplus", softplus64, (g, x) => mul(g, sigmoid(x)));
/** x / (1 + |x|); the derivative is (1 - |y|)². */
export const Softsign = smooth(
  "Softsign",
  (x) => x / (1 + Math.abs(x)),
  (g, _, y) => {
    const root = sub(scalarLike(y, 1), abs(y));
    return mul(g, mul(root, root));
  },
);
/** x tanh(ln(1 + e^x)). */
export const Mish = smooth(
  "Mish",
  (x) => x * Math.tanh(softplus64(x)),
  (g, x) => {
    const t = tanh(softplus(x));
    return mul(g, add(t, mul(mul(x, oneMinusSquare(t)), sigmoid(x))));
  },
);

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

/** x Φ(x), or its tanh approximation. Source: ONNX Gelu, opset 20. */
export const Gelu = defineOp({
  name: "Gelu",
  arity: [1, 1],
  attributes: { approximate: attr.string("none") },
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ({ g, inputs: [x], attributes: { approximate } }) => [
    mul(g, approximate === "tanh" ? geluTanhSlope(x) : geluSlope(x)),
  ],
  reference: ([x], { approximate }) => [
    map64(
      x,
      approximate === "tanh"
        ? (v) => 0.5 * v * (1 + Math.tanh(TANH_SCALE * (v + TANH_CUBIC * v ** 3)))
        : (v) => 0.5 * v * (1 + erf64(v * Math.SQRT1_2)),
    ),
  ],
});
/** Φ(x) + x φ(x). */
const geluSlope = (x: Value): Value => {
  const density = scale(exp(scale(mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return add(scale(addScalar(erf(scale(x, Math.SQRT1_2)), 1), 0.5), mul(x, density));
};
/** ½ (1 + t) + ½ x (1 - t²) u', where t = tanh(u), u = √(2/π) (x + 0.044715 x³). */
const geluTanhSlope = (x: Value): Value => {
  const square = mul(x, x);
  const t = tanh(mul(x, addScalar(scale(square, TANH_SCALE * TANH_CUBIC), TANH_SCALE)));
  const inner = addScalar(scale(square, 3 * TANH_SCALE * TANH_CUBIC), TANH_SCALE);
  return scale(add(addScalar(t, 1), mul(mul(x, oneMinusSquare(t)), inner)), 0.5);
};

export const exp = (x: Value): Value => emit(Exp, [x]);
export const log = (x: Value): Value => emit(Log, [x]);
export const sqrt = (x: Value): Value => emit(Sqrt, [x]);
export const reciprocal = (x: Value): Value => emit(Reciprocal, [x]);
export const sin = (x: Value): Value => emit(Sin, [x]);
export const cos = (x: Value): Value => emit(Cos, [x]);
export const sinh = (x: Value): Value => emit(Sinh, [x]);
export const cosh = (x: Value): Value => emit(Cosh, [x]);
export const tanh = (x: Value): Value => emit(Tanh, [x]);
export const erf = (x: Value): Value => emit(Erf, [x]);
export const sigmoid = (x: Value): Value => emit(Sigmoid, [x]);
export const softplus = (x: Value): Value => emit(Softplus, [x]);
export const gelu = (x: Value, approximate: "none" | "tanh" = "none"): Value => emit(Gelu, [x], { approximate });
/** x². */
export const square = (x: Value): Value => mul(x, x);
