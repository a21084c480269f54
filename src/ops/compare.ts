import { TemperError } from "../core/index.ts";
import {
  broadcastShapes,
  defineOp,
  emit,
  type Extent,
  extentsOf,
  type Inputs,
  type OpType,
  type Value,
} from "../graph/index.ts";
import { oneMinus } from "./activation.ts";
import { mul } from "./arithmetic.ts";
import { sumTo } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { commonType } from "./element-type.ts";
import { broadcast64, expand64, map64, zeros64 } from "./reference.ts";

type Truth = OpType<Record<never, never>> & { attributes: {} };
const test = (
  name: string,
  holds: (a: number, b: number) => boolean,
  zeroGradient: string,
  extent?: (a: Extent, b: Extent) => boolean | undefined,
): Truth =>
  defineOp({
    name,
    arity: [2, 2],
    infer: ([a, b]) => {
      commonType(a, b);
      return [{ dtype: "bool", shape: broadcastShapes(a.shape, b.shape) }];
    },
    zeroGradient,
    reference: ([a, b]) => [broadcast64(a, b, (x, y) => (holds(x, y) ? 1 : 0), "bool")],
    ...(extent && { extents: (inputs: Inputs) => testExtents(inputs, extent) }),
  });
const testExtents = (
  [a, b]: Inputs,
  f: (a: Extent, b: Extent) => boolean | undefined,
): readonly Extent[] | undefined => {
  const pairs = zipExtents([extentsOf(a), extentsOf(b)]);
  const out = pairs?.map(([x, y]) => f(x!, y!));
  return out?.every((v) => v !== undefined) ? out.map(Number) : undefined;
};

/** Elements of several values side by side; single elements repeat. Undefined where one is unknown or lengths differ. */
const zipExtents = (lists: readonly (readonly Extent[] | undefined)[]): readonly (readonly Extent[])[] | undefined => {
  const known = lists.filter((list) => list !== undefined);
  const length = Math.max(...known.map((list) => list.length));
  if (known.length < lists.length || known.some((list) => list.length !== length && list.length !== 1))
    return undefined;
  return Array.from({ length }, (_, i) => known.map((list) => list[list.length === 1 ? 0 : i]!));
};

/** A batch size is at least 1, so it differs from every number up to 0. */
const sameExtent = (a: Extent, b: Extent): boolean | undefined => {
  if (typeof a === "number") return typeof b === "number" ? a === b : sameExtent(b, a);
  if (typeof b === "number") return b <= 0 ? false : undefined;
  return a.batches === b.batches;
};

const COMPARISON = "a comparison is constant on both sides of equality";
const LOGIC = "truth values have no derivative";
export const Equal = test("Equal", (a, b) => a === b, COMPARISON, sameExtent);
export const Greater = test("Greater", (a, b) => a > b, COMPARISON);
export const GreaterOrEqual = test("GreaterOrEqual", (a, b) => a >= b, COMPARISON);
export const Less = test("Less", (a, b) => a < b, COMPARISON);
export const LessOrEqual = test("LessOrEqual", (a, b) => a <= b, COMPARISON);
export const And = test("And", (a, b) => a !== 0 && b !== 0, LOGIC);
export const Or = test("Or", (a, b) => a !== 0 || b !== 0, LOGIC);
export const Xor = test("Xor", (a, b) => a !== b, LOGIC);

/** Source: ONNX Not. */
export const Not = defineOp({
  name: "Not",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: "bool", shape: x.shape }],
  zeroGradient: LOGIC,
  reference: ([x]) => [map64(x, (v) => (v === 0 ? 1 : 0))],
});

/** Input 1 where input 0 holds, else input 2, with broadcasting. Source: ONNX Where, opset 16. */
export const Where = defineOp({
  name: "Where",
  arity: [3, 3],
  infer: ([c, x, y]) => {
    if (c.dtype !== "bool") throw new TemperError("bad-shape", `the condition must be bool, got ${c.dtype}.`);
    return [{ dtype: commonType(x, y), shape: broadcastShapes(c.shape, x.shape, y.shape) }];
  },
  // A product with the mask instead of another Where: much faster in the runtime.
  vjp: ({ g, inputs: [c, x, y] }) => {
    const mask = cast(c, g.dtype);
    return [undefined, sumTo(mul(g, mask), x), sumTo(mul(g, oneMinus(mask)), y)];
  },
  reference: ([c, x, y]) => {
    const shape = broadcastShapes(c.shape, x.shape, y.shape),
      out = zeros64(shape, x.dtype);
    const [p, q, r] = [expand64(c, shape).data, expand64(x, shape).data, expand64(y, shape).data];
    for (let i = 0; i < out.data.length; i++) out.data[i] = p[i]! ? q[i]! : r[i]!;
    return [out];
  },
  extents: (inputs) => zipExtents(inputs.slice(0, 3).map(extentsOf))?.map(([c, x, y]) => (c === 0 ? y! : x!)),
});

export const equal = (a: Value, b: Value): Value => emit(Equal, [a, b]);
export const greater = (a: Value, b: Value): Value => emit(Greater, [a, b]);
export const greaterOrEqual = (a: Value, b: Value): Value => emit(GreaterOrEqual, [a, b]);
export const less = (a: Value, b: Value): Value => emit(Less, [a, b]);
export const lessOrEqual = (a: Value, b: Value): Value => emit(LessOrEqual, [a, b]);
export const and = (a: Value, b: Value): Value => emit(And, [a, b]);
export const or = (a: Value, b: Value): Value => emit(Or, [a, b]);
export const not = (x: Value): Value => emit(Not, [x]);
export const where = (condition: Value, x: Value, y: Value): Value => emit(Where, [condition, x, y]);
