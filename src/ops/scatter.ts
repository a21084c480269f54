import { formatShape, sameShape, TemperError } from "../core/index.ts";
import {
  type Array64,
  attr,
  defineOp,
  describeNode,
  emit,
  type Node,
  normalizeAxis,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { zerosLike } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { gatherElements, gatherND } from "./gather.ts";
import { blockOffsets, checkElementwise, eachIndexed } from "./indexing.ts";

/** How an update meets the element that is there; `none` replaces it. */
const REDUCTIONS: Readonly<Record<string, (old: number, update: number) => number>> = {
  none: (_, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  max: Math.max,
  min: Math.min,
};
const reductionOf = (name: string): ((old: number, update: number) => number) => {
  const reduction = Object.hasOwn(REDUCTIONS, name) ? REDUCTIONS[name] : undefined;
  if (reduction) return reduction;
  throw new TemperError("unsupported", `reduction must be one of ${Object.keys(REDUCTIONS).join(", ")}, got ${name}.`);
};
const sharedType = (x: Value, updates: Value): void => {
  if (x.dtype !== updates.dtype)
    throw new TemperError("bad-shape", `updates must be ${x.dtype} like the data, got ${updates.dtype}.`);
};

/**
 * Cotangents of data and updates. With `none`, indices must not repeat (ONNX leaves the result open there).
 * @param clear  g with zeros at the indices
 * @param pick   g at the indices
 */
const pullBack = (
  node: Node,
  g: Value,
  reduction: string,
  clear: () => Value,
  pick: () => Value,
): readonly (Value | undefined)[] => {
  if (reduction === "add") return [g, undefined, pick()];
  if (reduction === "none") return [clear(), undefined, pick()];
  throw new TemperError(
    "no-rule",
    `${describeNode(node)} has no gradient rule for reduction ${reduction}, only for none and add. Give it one with customVjp.`,
  );
};

/** Copy of x with elements replaced (or combined) along an axis. Source: ONNX ScatterElements, opset 18. */
export const ScatterElements = defineOp({
  name: "ScatterElements",
  arity: [3, 3],
  attributes: { axis: attr.int(0), reduction: attr.string("none") },
  infer: ([x, indices, updates], { axis, reduction }) => {
    reductionOf(reduction);
    sharedType(x, updates);
    checkElementwise(x.shape, indices.shape, normalizeAxis(axis, x.shape.length));
    checkUpdates(indices.shape, updates.shape);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ node, g, inputs: [, indices, updates], attributes: { axis, reduction } }) =>
    pullBack(
      node,
      g,
      reduction,
      () => scatterElements(g, indices, zerosLike(updates), axis),
      () => gatherElements(g, indices, axis),
    ),
  reference: ([x, indices, updates], { axis, reduction }) => {
    const combine = reductionOf(reduction),
      data = x.data.slice();
    eachIndexed(x, indices, normalizeAxis(axis, x.shape.length), (i, at) => {
      data[at] = combine(data[at]!, updates.data[i]!);
    });
    return [{ ...x, data }];
  },
});
const checkUpdates = (wanted: Shape, got: Shape): void => {
  if (!sameShape(wanted, got))
    throw new TemperError("bad-shape", `updates must be ${formatShape(wanted)}, got ${formatShape(got)}.`);
};

/** Copy of x with blocks replaced (or combined). Source: ONNX ScatterND, opset 18. */
export const ScatterND = defineOp({
  name: "ScatterND",
  arity: [3, 3],
  attributes: { reduction: attr.string("none") },
  infer: ([x, indices, updates], { reduction }) => {
    reductionOf(reduction);
    sharedType(x, updates);
    const depth = indices.shape.at(-1);
    if (depth === undefined || depth < 0 || depth > x.shape.length)
      throw new TemperError("bad-shape", `indices ${formatShape(indices.shape)} do not fit ${formatShape(x.shape)}.`);
    checkUpdates([...indices.shape.slice(0, -1), ...x.shape.slice(depth)], updates.shape);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ node, g, inputs: [, indices, updates], attributes: { reduction } }) =>
    pullBack(
      node,
      g,
      reduction,
      () => scatterND(g, indices, zerosLike(updates)),
      () => gatherND(g, indices),
    ),
  reference: ([x, indices, updates], { reduction }) => [scatterND64(x, indices, updates, reductionOf(reduction))],
});
const scatterND64 = (
  x: Array64,
  indices: Array64,
  updates: Array64,
  combine: (old: number, update: number) => number,
): Array64 => {
  const data = x.data.slice();
  const { offsets, block } = blockOffsets(x.shape, indices);
  offsets.forEach((to, row) => {
    for (let k = 0; k < block; k++) data[to + k] = combine(data[to + k]!, updates.data[row * block + k]!);
  });
  return { ...x, data };
};

export type ScatterReduction = "none" | "add";

export const scatterElements = (
  x: Value,
  indices: Value,
  updates: Value,
  axis = 0,
  reduction: ScatterReduction = "none",
): Value => emit(ScatterElements, [x, indices, updates], { axis, reduction });

/** Blocks of x replaced (or added to); indices become int64, as ONNX wants here. */
export const scatterND = (x: Value, indices: Value, updates: Value, reduction: ScatterReduction = "none"): Value =>
  emit(ScatterND, [x, cast(indices, "int64"), updates], { reduction });
