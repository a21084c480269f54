import { scalar } from "../core/index.ts";
import {
  broadcastShapes,
  constant,
  defineOp,
  emit,
  type Extent,
  extentsOf,
  type Inputs,
  type OpType,
  type Value,
  type VjpContext,
} from "../graph/index.ts";
import { commonType } from "./element-type.ts";
import { broadcast64, map64 } from "./reference.ts";
import { sumTo } from "./broadcast.ts";

type Rule = (context: VjpContext<unknown>) => readonly (Value | undefined)[];

interface BinarySpec {
  readonly compute: (a: number, b: number) => number;
  /** Result on extents, where shape arithmetic uses this operator. */
  readonly extent?: (a: Extent, b: Extent, integer: boolean) => Extent | undefined;
  readonly vjp: Rule;
}
const binary = (
  name: string,
  { compute, extent, vjp }: BinarySpec,
): OpType<Record<never, never>> & { attributes: {} } =>
  defineOp({
    name,
    arity: [2, 2],
    infer: ([a, b]) => [{ dtype: commonType(a, b), shape: broadcastShapes(a.shape, b.shape) }],
    vjp,
    reference: ([a, b]) => [broadcast64(a, b, a.dtype.includes("int") ? (x, y) => Math.trunc(compute(x, y)) : compute)],
    ...(extent && { extents: (inputs: Inputs) => zipExtents(inputs, extent) }),
  });

/** Elementwise rule on known extents; a single element meets every element of the other side. */
const zipExtents = (
  [a, b]: Inputs,
  f: (a: Extent, b: Extent, integer: boolean) => Extent | undefined,
): readonly Extent[] | undefined => {
  const x = extentsOf(a),
    y = extentsOf(b);
  if (!x || !y || (x.length !== y.length && x.length !== 1 && y.length !== 1)) return undefined;
  const out = Array.from({ length: x.length === 1 ? y.length : x.length }, (_, i) =>
    f(x[x.length === 1 ? 0 : i]!, y[y.length === 1 ? 0 : i]!, a.dtype.includes("int")),
  );
  return out.every((e) => e !== undefined) ? out : undefined;
};
const linear =
  (sign: 1 | -1) =>
  (a: Extent, b: Extent): Extent | undefined => {
    if (typeof a === "number" && typeof b === "number") return a + sign * b;
    if (b === 0) return a;
    if (typeof a === "number" || typeof b === "number") return undefined;
    const batches = a.batches + sign * b.batches;
    return batches === 0 ? 0 : batches > 0 ? { batches } : undefined;
  };
const product = (a: Extent, b: Extent): Extent | undefined => {
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (typeof a === "number")
    return typeof b === "number" || a < 0 ? undefined : a === 0 ? 0 : { batches: a * b.batches };
  return typeof b === "number" ? product(b, a) : undefined;
};
const quotient = (a: Extent, b: Extent, integer: boolean): Extent | undefined => {
  if (typeof a === "number")
    return typeof b === "number" && b !== 0 ? (integer ? Math.trunc(a / b) : a / b) : undefined;
  if (typeof b === "number") return b > 0 && (!integer || a.batches % b === 0) ? { batches: a.batches / b } : undefined;
  return a.batches % b.batches === 0 ? a.batches / b.batches : undefined;
};

/** a + b with broadcasting. Source: ONNX Add. */
export const Add = binary("Add", {
  compute: (a, b) => a + b,
  extent: linear(1),
  vjp: ({ g, inputs: [a, b] }) => [sumTo(g, a), sumTo(g, b)],
});
/** a - b with broadcasting. Source: ONNX Sub. */
export const Sub = binary("Sub", {
  compute: (a, b) => a - b,
  extent: linear(-1),
  vjp: ({ g, inputs: [a, b] }) => [sumTo(g, a), sumTo(neg(g), b)],
});
/** a b with broadcasting. Source: ONNX Mul. */
export const Mul = binary("Mul", {
  compute: (a, b) => a * b,
  extent: product,
  vjp: ({ g, inputs: [a, b] }) => [sumTo(mul(g, b), a), sumTo(mul(g, a), b)],
});
/** a / b with broadcasting; integers truncate. Source: ONNX Div. */
export const Div = binary("Div", {
  compute: (a, b) => a / b,
  extent: quotient,
  vjp: ({ g, inputs: [a, b], outputs: [y] }) => [sumTo(div(g, b), a), sumTo(neg(div(mul(g, y), b)), b)], // d(a/b)/db = -y/b
});

/** -x. Source: ONNX Neg. */
export const Neg = defineOp({
  name: "Neg",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ({ g }) => [neg(g)],
  reference: ([x]) => [map64(x, (v) => -v)],
});

export const add = (a: Value, b: Value): Value => emit(Add, [a, b]);
export const sub = (a: Value, b: Value): Value => emit(Sub, [a, b]);
export const mul = (a: Value, b: Value): Value => emit(Mul, [a, b]);
export const div = (a: Value, b: Value): Value => emit(Div, [a, b]);
export const neg = (x: Value): Value => emit(Neg, [x]);

/** A scalar constant of `like`'s element type. */
export const scalarLike = (like: Value, value: number): Value =>
  constant(scalar(value, like.dtype as "float32" | "int64" | "float64"));
/** factor · x. */
export const scale = (x: Value, factor: number): Value => (factor === 1 ? x : mul(x, scalarLike(x, factor)));
/** x + value. */
export const addScalar = (x: Value, value: number): Value => add(x, scalarLike(x, value));
