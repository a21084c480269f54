import {
  type Array64,
  attr,
  defineOp,
  emit,
  extentsOf,
  type Extent,
  type Inputs,
  ints,
  normalizeAxes,
  type OpType,
  type Value,
} from "../graph/index.ts";
import { oneMinus, signSteps, step } from "./activation.ts";
import { add, div, mul, scale, sub } from "./arithmetic.ts";
import { expandTo, reducedShape, reductionAxes, reduceSum } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { zeroToOne } from "./power.ts";
import { broadcast64, fold64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { size } from "./fill.ts";
import { exp } from "./unary.ts";

const attributes = { keepdims: attr.int(1), noop_with_empty_axes: attr.int(0) };
type Attributes = { readonly keepdims: number; readonly noop_with_empty_axes: number };

interface Fold {
  readonly start: number;
  readonly step: (sum: number, x: number) => number;
  /** @param count  how many elements went into the sum */
  readonly finish?: (sum: number, count: number) => number;
}
interface Pull {
  readonly x: Value;
  /** Output and cotangent with the reduced axes kept, so that they broadcast against x. */
  readonly y: Value;
  readonly g: Value;
  readonly axes: readonly number[];
}

/**
 * Reduction over the axes of input 1 (absent: all), with attributes keepdims and noop_with_empty_axes, opset 18.
 * @param reference  a fold over the elements, or a function of all of them
 * @param pull       cotangent of x; may be of a shape that broadcasts to x
 */
const reduction = (
  name: string,
  fold: Fold | ((x: Array64, axes: readonly number[]) => Array64),
  pull: (p: Pull) => Value,
): OpType<Attributes> & { readonly attributes: typeof attributes } =>
  defineOp({
    name,
    arity: [1, 2],
    attributes,
    infer: ([x, axes], a) => [
      {
        dtype: x.dtype,
        shape: reducedShape(x.shape, reductionAxes(x, axes, a.noop_with_empty_axes === 1), a.keepdims === 1),
      },
    ],
    vjp: ({ g, inputs: [x, given], outputs: [y], attributes: a }) => {
      const axes = reductionAxes(x, given, a.noop_with_empty_axes === 1);
      const kept = reducedShape(x.shape, axes, true);
      return [expandTo(pull({ x, y: reshape(y, kept), g: reshape(g, kept), axes }), x)];
    },
    reference: ([x, given], a) => {
      const axes = axes64(x, given, a.noop_with_empty_axes === 1);
      const out = typeof fold === "function" ? fold(x, axes) : reduce64(x, axes, fold);
      return [{ ...out, shape: reducedShape(x.shape, axes, a.keepdims === 1) }];
    },
    ...(name === "ReduceProd" && { extents: productExtents }),
  });

const axes64 = (x: Array64, axes: Array64 | undefined, none: boolean): number[] => {
  const all = x.shape.map((_, i) => i);
  return normalizeAxes(axes && axes.data.length > 0 ? Array.from(axes.data) : none ? [] : all, all.length);
};
const reduce64 = (x: Array64, axes: readonly number[], { start, step, finish }: Fold): Array64 => {
  const out = fold64(x, reducedShape(x.shape, axes, true), start, step);
  const count = axes.reduce((n, axis) => n * x.shape[axis]!, 1);
  return finish ? { ...out, data: out.data.map((v) => finish(v, count)) } : out;
};

/** Product of all sizes: at most one of them may hold the batch size. */
const productExtents = ([x]: Inputs): readonly Extent[] | undefined => {
  const extents = extentsOf(x);
  const batches = extents?.filter((e) => typeof e !== "number");
  if (!extents || x.shape.length > 1 || batches!.length > 1) return undefined;
  const product = extents.reduce<number>((p, e) => p * (typeof e === "number" ? e : e.batches), 1);
  return [batches!.length === 0 ? product : product > 0 ? { batches: product } : 0];
};

/** How many elements of x go into one element of y, as a scalar of x's type. */
const share = (x: Value, y: Value): Value => div(cast(size(x), x.dtype), cast(size(y), x.dtype));

export const ReduceMean = reduction(
  "ReduceMean",
  { start: 0, step: (s, x) => s + x, finish: (s, n) => s / n },
  ({ g, x, y, axes }) => {
    const dims = axes.map((axis) => x.shape[axis]!);
    return dims.every((d) => d >= 0) ? scale(g, 1 / dims.reduce((a, b) => a * b, 1)) : div(g, share(x, y));
  },
);

/** @param below  1 where x is not the extreme */
const amongTies = ({ g, axes }: Pull, below: Value): Value => {
  const mask = oneMinus(below);
  return mul(div(g, reduceSum(mask, axes, true)), mask);
};
/** Ties share the gradient evenly, as torch.amax does. */
export const ReduceMax = reduction("ReduceMax", { start: -Infinity, step: Math.max }, (p) =>
  amongTies(p, step(sub(p.y, p.x))),
);
/** Ties share the gradient evenly, as torch.amin does. */
export const ReduceMin = reduction("ReduceMin", { start: Infinity, step: Math.min }, (p) =>
  amongTies(p, step(sub(p.x, p.y))),
);

/**
 * The cotangent of x_i is the product of the others: P / x_i with zeros counted apart. Exact to first order, and to
 * second order where no element is zero.
 */
export const ReduceProd = reduction("ReduceProd", { start: 1, step: (p, x) => p * x }, ({ g, x, axes }) => {
  const nonzero = zeroToOne(x);
  const product = emit(ReduceProd, [nonzero, ints(axes)], { noop_with_empty_axes: 1 });
  const zero = oneMinus(add(step(x), step(scale(x, -1))));
  const otherZeros = sub(reduceSum(zero, axes, true), zero);
  return mul(mul(g, div(product, nonzero)), oneMinus(step(otherZeros)));
});

export const ReduceL1 = reduction("ReduceL1", { start: 0, step: (s, x) => s + Math.abs(x) }, ({ g, x }) =>
  mul(g, signSteps(x)),
);
/** The gradient at the zero vector is 0, as in torch.linalg.vector_norm. */
export const ReduceL2 = reduction(
  "ReduceL2",
  { start: 0, step: (s, x) => s + x * x, finish: Math.sqrt },
  ({ g, x, y }) => mul(x, div(g, add(y, oneMinus(step(y))))),
);
export const ReduceLogSum = reduction(
  "ReduceLogSum",
  { start: 0, step: (s, x) => s + x, finish: Math.log },
  ({ g, x, axes }) => div(g, reduceSum(x, axes, true)),
);
export const ReduceSumSquare = reduction("ReduceSumSquare", { start: 0, step: (s, x) => s + x * x }, ({ g, x }) =>
  mul(x, scale(g, 2)),
);
export const ReduceLogSumExp = reduction(
  "ReduceLogSumExp",
  (x, axes) => {
    const top = reduce64(x, axes, { start: -Infinity, step: Math.max });
    // Infinite maxima stand for themselves: Infinity - Infinity is no number.
    const shifted = broadcast64(x, top, (v, t) => (Number.isFinite(t) ? Math.exp(v - t) : 1));
    const sum = reduce64(shifted, axes, { start: 0, step: (s, v) => s + v, finish: Math.log });
    return { ...top, data: top.data.map((v, i) => (Number.isFinite(v) ? v + sum.data[i]! : v)) };
  },
  ({ g, x, y }) => mul(g, exp(sub(x, y))),
);

const builder =
  (op: OpType<Attributes> & { readonly attributes: typeof attributes }) =>
  (x: Value, axes: readonly number[], keepdims = false): Value =>
    emit(op, [x, ints(axes)], { keepdims: keepdims ? 1 : 0, noop_with_empty_axes: 1 });

/** Reductions over the given axes; no axes: x as it is, except where the operator changes single elements. */
export const reduceMean = builder(ReduceMean);
export const reduceMax = builder(ReduceMax);
export const reduceMin = builder(ReduceMin);
export const reduceProd = builder(ReduceProd);
export const reduceL1 = builder(ReduceL1);
export const reduceL2 = builder(ReduceL2);
export const reduceSumSquare = builder(ReduceSumSquare);
export const reduceLogSumExp = builder(ReduceLogSumExp);
