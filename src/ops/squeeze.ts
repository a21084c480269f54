import { TemperError } from "../core/index.ts";
import {
  attr,
  defineOp,
  elements,
  emit,
  extentsOf,
  ints,
  knownInts,
  normalizeAxes,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { reshape } from "./reshape.ts";

const squeezed = (shape: Shape, axes: readonly number[] | undefined): Shape => {
  const gone = axes ? normalizeAxes(axes, shape.length) : shape.flatMap((d, i) => (d === 1 ? [i] : []));
  const long = gone.find((axis) => shape[axis] !== 1);
  if (long !== undefined) throw new TemperError("bad-shape", `axis ${long} has size ${shape[long]}, not 1.`);
  return shape.filter((_, i) => !gone.includes(i));
};
const unsqueezed = (shape: Shape, axes: readonly number[]): Shape => {
  const added = normalizeAxes(axes, shape.length + axes.length);
  const rest = [...shape];
  return Array.from({ length: shape.length + added.length }, (_, i) => (added.includes(i) ? 1 : rest.shift()!));
};

/** Drops the axes of input 1 (absent: all of size 1). Source: ONNX Squeeze, opset 13. */
export const Squeeze = defineOp({
  name: "Squeeze",
  arity: [1, 2],
  infer: ([x, axes]) => [{ dtype: x.dtype, shape: squeezed(x.shape, axes && knownInts(axes, "axes")) }],
  vjp: ({ g, inputs: [x] }) => [reshape(g, x.shape)],
  reference: ([x, axes]) => [{ ...x, shape: squeezed(x.shape, axes && Array.from(axes.data)) }],
  extents: ([x]) => extentsOf(x),
});

/** Adds axes of size 1 at the places in input 1, counted in the output. Source: ONNX Unsqueeze, opset 13. */
export const Unsqueeze = defineOp({
  name: "Unsqueeze",
  arity: [2, 2],
  infer: ([x, axes]) => [{ dtype: x.dtype, shape: unsqueezed(x.shape, knownInts(axes, "axes")) }],
  vjp: ({ g, inputs: [x] }) => [reshape(g, x.shape)],
  reference: ([x, axes]) => [{ ...x, shape: unsqueezed(x.shape, Array.from(axes.data)) }],
  extents: ([x]) => extentsOf(x),
});

const flattened = (shape: Shape, axis: number): Shape => {
  const rank = shape.length;
  if (axis < -rank || axis > rank) throw new TemperError("bad-shape", `axis must be from ${-rank} to ${rank}.`);
  const cut = axis < 0 ? axis + rank : axis;
  return [elements(shape.slice(0, cut)), elements(shape.slice(cut))];
};

/** A matrix: axes before `axis` become rows, the others columns. Source: ONNX Flatten. */
export const Flatten = defineOp({
  name: "Flatten",
  arity: [1, 1],
  attributes: { axis: attr.int(1) },
  infer: ([x], { axis }) => [{ dtype: x.dtype, shape: flattened(x.shape, axis) }],
  vjp: ({ g, inputs: [x] }) => [reshape(g, x.shape)],
  reference: ([x], { axis }) => [{ ...x, shape: flattened(x.shape, axis) }],
  extents: ([x]) => extentsOf(x),
});

/** x without the given axes of size 1. */
export const squeeze = (x: Value, axes: readonly number[]): Value => emit(Squeeze, [x, ints(axes)]);
/** x with axes of size 1 at the given places of the result. */
export const unsqueeze = (x: Value, axes: readonly number[]): Value => emit(Unsqueeze, [x, ints(axes)]);
export const flatten = (x: Value, axis = 1): Value => emit(Flatten, [x], { axis });
