import { formatShape, i64, TemperError, type Tensor, toFloat64 } from "../core/index.ts";
import {
  type Array64,
  constant,
  constantOf,
  type Dim,
  type Extent,
  type Inputs,
  type Shape,
  type Value,
} from "./value.ts";

/** Product of dimensions. Negative: so many elements per example of the batch. @throws `bad-shape` for two batch axes */
export const elements = (shape: Shape): Dim => {
  if (shape.filter((d) => d < 0).length > 1)
    throw new TemperError("bad-shape", `${formatShape(shape)} has more than one batch dimension.`);
  return shape.reduce((a, b) => a * b, 1);
};

/** The shape for a given batch size. */
export const concretize = (shape: Shape, batch: number): number[] => shape.map((d) => (d < 0 ? -d * batch : d));

/** Multidirectional broadcasting as in NumPy and ONNX. @throws TemperError `bad-shape` */
export const broadcastShapes = (...shapes: readonly Shape[]): Shape => {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    let dim = 1;
    for (const shape of shapes) {
      const d = shape[axis - rank + shape.length] ?? 1;
      if (d === 1 || d === dim) continue;
      if (dim !== 1) throw new TemperError("bad-shape", `${shapes.map(formatShape).join(" and ")} do not broadcast.`);
      dim = d;
    }
    return dim;
  });
};

/** An axis counted from the front. @throws TemperError `bad-shape` where it lies outside the rank */
export const normalizeAxis = (axis: number, rank: number): number => {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw new TemperError("bad-shape", `axis must be from ${-rank} to ${rank - 1}, got ${axis}.`);
  return axis < 0 ? axis + rank : axis;
};

/** Distinct axes counted from the front, ascending. */
export const normalizeAxes = (axes: readonly number[], rank: number): number[] => {
  const all = axes.map((axis) => normalizeAxis(axis, rank)).sort((a, b) => a - b);
  if (new Set(all).size !== all.length) throw new TemperError("bad-shape", `axes ${axes.join(", ")} repeat.`);
  return all;
};

export const dimOf = (extent: Extent): Dim => (typeof extent === "number" ? extent : -extent.batches);
export const extentOf = (dim: Dim): Extent => (dim < 0 ? { batches: -dim } : dim);

const MAX_EXTENTS = 4096;
/** Per value: computed once, because imported shape arithmetic forms deep chains. */
const known = new WeakMap<Value, readonly Extent[] | null>();

/**
 * Elements of a small integer value as far as they follow from constants and shapes, in row-major order.
 * Undefined where they depend on data.
 */
export const extentsOf = (value: Value | undefined): readonly Extent[] | undefined => {
  if (!value) return undefined;
  const found = known.get(value);
  if (found !== undefined) return found ?? undefined;
  const result = computeExtents(value);
  known.set(value, result ?? null);
  return result;
};
const computeExtents = (value: Value): readonly Extent[] | undefined => {
  const tensor = constantOf(value);
  if (tensor) return tensor.data.length <= MAX_EXTENTS ? Array.from(toFloat64(tensor)) : undefined;
  const { node } = value;
  if (value.shape.some((d) => d < 0) || elements(value.shape) > MAX_EXTENTS) return undefined;
  const direct = value.index === 0 ? node.op.extents?.(node.inputs as unknown as Inputs, node.attributes) : undefined;
  // A rule for vectors says nothing about a broadcast of two axes: its list is too short there.
  return direct?.length === elements(value.shape) ? direct : referenceExtents(value);
};

/** Where all inputs are known numbers, the operator's reference gives the output (shape arithmetic in floats, say). */
const referenceExtents = ({ node, index }: Value): readonly Extent[] | undefined => {
  if (!node.op.reference || node.inputs.length === 0) return undefined;
  const arrays = node.inputs.map((v): Array64 | undefined => {
    const extents = extentsOf(v);
    return v && extents?.every((e) => typeof e === "number")
      ? { dtype: v.dtype, shape: v.shape, data: Float64Array.from(extents) }
      : undefined;
  });
  if (arrays.some((array, i) => !array && node.inputs[i])) return undefined;
  return Array.from(node.op.reference(arrays as unknown as Inputs<Array64>, node.attributes)[index]!.data);
};

/** Elements of an integer value that must be known. @throws TemperError `unsupported`, naming the input */
export const knownExtents = (value: Value, what: string): readonly Extent[] => {
  const extents = extentsOf(value);
  if (!extents)
    throw new TemperError("unsupported", `${what} depends on data; it must be a constant or follow from shapes.`);
  return extents;
};

/** Elements of an integer value that must be known and free of the batch size. */
export const knownInts = (value: Value, what: string): readonly number[] =>
  knownExtents(value, what).map((e) => {
    if (typeof e === "number") return e;
    throw new TemperError("unsupported", `${what} depends on the batch size; it must be a constant.`);
  });

/** Constant integers of a value, or undefined. */
export const intsOf = (value: Value | undefined): readonly number[] | undefined => {
  const extents = extentsOf(value);
  return extents?.every((e) => typeof e === "number") ? extents : undefined;
};

/** Int64 vector constant. */
export const ints = (values: readonly number[]): Value => constant(i64(values));

/** Fully known extents as a constant tensor, else undefined. */
export const extentsTensor = (extents: readonly Extent[], shape: readonly number[]): Tensor | undefined =>
  extents.every((e) => typeof e === "number") ? i64(extents, shape) : undefined;
