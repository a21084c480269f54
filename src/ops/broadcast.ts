import { sameShape, sizeOf, TemperError } from "../core/index.ts";
import {
  attr,
  broadcastShapes,
  constant,
  defineOp,
  dimOf,
  emit,
  extentOf,
  ints,
  knownExtents,
  normalizeAxes,
  knownInts,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { scalarLike } from "./arithmetic.ts";
import { expand64, fold64 } from "./reference.ts";
import { reshape } from "./reshape.ts";

/** The shape after a reduction. */
export const reducedShape = (shape: Shape, axes: readonly number[], keep: boolean): Shape =>
  keep ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));

/** Axes of a reduction: constant input 1, else all (or none, where the attribute says so). */
export const reductionAxes = (x: Value, axes: Value | undefined, none = false): number[] => {
  const given = axes && axes.shape[0] !== 0 ? knownInts(axes, "axes") : none ? [] : x.shape.map((_, i) => i);
  return normalizeAxes(given, x.shape.length);
};

/** Sum over axes (input 1; absent: all). Source: ONNX ReduceSum, opset 13. */
export const ReduceSum = defineOp({
  name: "ReduceSum",
  arity: [1, 2],
  attributes: { keepdims: attr.int(1), noop_with_empty_axes: attr.int(0) },
  infer: ([x, axes], a) => [
    {
      dtype: x.dtype,
      shape: reducedShape(x.shape, reductionAxes(x, axes, a.noop_with_empty_axes === 1), a.keepdims === 1),
    },
  ],
  vjp: ({ g, inputs: [x, axes], attributes: a }) => {
    const kept = reducedShape(x.shape, reductionAxes(x, axes, a.noop_with_empty_axes === 1), true);
    return [expandTo(reshape(g, kept), x)];
  },
  reference: ([x, axes], a) => {
    const none = a.noop_with_empty_axes === 1;
    const list = axes && axes.data.length > 0 ? Array.from(axes.data) : none ? [] : x.shape.map((_, i) => i);
    const over = normalizeAxes(list, x.shape.length);
    const out = fold64(x, reducedShape(x.shape, over, true), 0, (sum, v) => sum + v);
    return [{ ...out, shape: reducedShape(x.shape, over, a.keepdims === 1) }];
  },
});

/** Broadcasts x with the shape in input 1 (both ways). Source: ONNX Expand. */
export const Expand = defineOp({
  name: "Expand",
  arity: [2, 2],
  infer: ([x, shape]) => [{ dtype: x.dtype, shape: broadcastShapes(x.shape, knownExtents(shape, "shape").map(dimOf)) }],
  vjp: ({ g, inputs: [x] }) => [sumTo(g, x)],
  reference: ([x, shape]) => [expand64(x, broadcastShapes(x.shape, Array.from(shape.data)))],
});

/** The shape of x as int64. Source: ONNX Shape. */
export const Shape_ = defineOp({
  name: "Shape",
  arity: [1, 1],
  attributes: { start: attr.int(0), end: attr.int() },
  infer: ([x], a) => [{ dtype: "int64", shape: [sliceOf(x.shape, a).length] }],
  zeroGradient: "a shape does not depend on the elements",
  reference: ([x], a) => {
    const part = sliceOf(x.shape, a);
    return [{ dtype: "int64", shape: [part.length], data: Float64Array.from(part) }];
  },
  extents: ([x], a) => sliceOf(x.shape, a).map(extentOf),
});
const sliceOf = (shape: Shape, { start, end }: { start: number; end: number | undefined }): Shape =>
  shape.slice(start, end);

export const shapeOf = (x: Value): Value => emit(Shape_, [x]);

/** Sum over the given axes. */
export const reduceSum = (x: Value, axes: readonly number[], keepdims = false): Value =>
  axes.length === 0 ? x : emit(ReduceSum, [x, ints(axes)], { keepdims: keepdims ? 1 : 0 });

/** x broadcast to the shape of `like`. Constant target where it does not depend on the batch size. */
export const expandTo = (x: Value, like: Value): Value => {
  if (sameShape(x.shape, like.shape)) return x;
  const shift = like.shape.length - x.shape.length;
  // A batch axis that x has already broadcasts from 1; only one that x lacks needs the run-time shape.
  const target = like.shape.map((d, i) => (d < 0 && x.shape[i - shift] === d ? 1 : d));
  return emit(Expand, [x, target.every((d) => d >= 0) ? ints(target) : shapeOf(like)]);
};

/** Zeros of a value's type and shape. */
export const zerosLike = (like: Value): Value => expandTo(scalarLike(like, 0), like);

/** Sums x down to the shape of `like`, undoing a broadcast. The transpose of Expand. */
export const sumTo = (x: Value, like: Value): Value => {
  if (sameShape(x.shape, like.shape)) return x;
  const shift = x.shape.length - like.shape.length;
  if (shift < 0) throw new TemperError("bad-shape", "sumTo: the target has more axes than the value.");
  const axes = x.shape.flatMap((d, i) => (i < shift || (like.shape[i - shift] === 1 && d !== 1) ? [i] : []));
  return reshape(reduceSum(x, axes, true), like.shape);
};

/** A constant filled with one number. */
export const full = (shape: readonly number[], value: number): Value =>
  constant({ dtype: "float32", shape, data: new Float32Array(sizeOf(shape)).fill(value) });
