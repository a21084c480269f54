import { formatShape, sizeOf, TemperError } from "../core/index.ts";
import {
  type Array64,
  attr,
  defineOp,
  type Dim,
  dimOf,
  emit,
  emitAll,
  type Extent,
  extentsOf,
  ints,
  knownExtents,
  normalizeAxis,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { Shape_, zerosLike } from "./broadcast.ts";
import { zeros64 } from "./reference.ts";

/** Sizes side by side: numbers or multiples of the batch size, not both. */
const total = (sizes: readonly Dim[]): Dim => {
  const parts = sizes.filter((d) => d !== 0);
  if (parts.some((d) => d < 0) && parts.some((d) => d > 0))
    throw new TemperError("unsupported", "cannot join a part that grows with the batch and one that does not.");
  return parts.reduce((a, b) => a + b, 0);
};
const joined = (shapes: readonly Shape[], axis: number): Shape => {
  const [first] = shapes;
  for (const shape of shapes)
    if (shape.length !== first!.length || shape.some((d, i) => i !== axis && d !== first![i]))
      throw new TemperError("bad-shape", `${shapes.map(formatShape).join(", ")} differ outside axis ${axis}.`);
  return first!.map((d, i) => (i === axis ? total(shapes.map((s) => s[axis]!)) : d));
};

/** Moves blocks between a whole and its parts along one axis. */
const copyParts = (whole: Array64, parts: readonly Array64[], axis: number, toWhole: boolean): void => {
  const outer = sizeOf(whole.shape.slice(0, axis)),
    inner = sizeOf(whole.shape.slice(axis + 1));
  const row = whole.shape[axis]! * inner;
  let offset = 0;
  for (const part of parts) {
    const length = part.shape[axis]! * inner;
    for (let o = 0; o < outer; o++) {
      const at = o * row + offset;
      if (toWhole) whole.data.set(part.data.subarray(o * length, (o + 1) * length), at);
      else part.data.set(whole.data.subarray(at, at + length), o * length);
    }
    offset += length;
  }
};

/** Inputs side by side along an axis. Source: ONNX Concat, opset 13. */
export const Concat = defineOp({
  name: "Concat",
  arity: [1, Infinity],
  attributes: { axis: attr.int() },
  infer: (xs, a) => {
    const axis = normalizeAxis(a.axis ?? NaN, xs[0].shape.length);
    const odd = xs.find((x) => x.dtype !== xs[0].dtype);
    if (odd) throw new TemperError("bad-shape", `inputs differ in type: ${xs[0].dtype} and ${odd.dtype}.`);
    return [
      {
        dtype: xs[0].dtype,
        shape: joined(
          xs.map((x) => x.shape),
          axis,
        ),
      },
    ];
  },
  vjp: ({ g, inputs, attributes }) => {
    const axis = normalizeAxis(attributes.axis!, g.shape.length);
    return inputs.length === 1 ? [g] : emitAll(Split, [g, sizesAlong(inputs, axis)], { axis });
  },
  reference: (xs, a) => {
    const axis = normalizeAxis(a.axis!, xs[0].shape.length);
    const out = zeros64(
      joined(
        xs.map((x) => x.shape),
        axis,
      ),
      xs[0].dtype,
    );
    copyParts(out, xs, axis, true);
    return [out];
  },
  extents: (xs, a) => {
    const all = xs.map(extentsOf);
    if (normalizeAxis(a.axis!, xs[0].shape.length) !== 0) return undefined;
    return all.every((e) => e !== undefined) ? all.flat() : undefined;
  },
});

/** Sizes of values along an axis as an int64 vector: a constant, or read at run time where the batch counts. */
const sizesAlong = (xs: readonly Value[], axis: number): Value => {
  const sizes = xs.map((x) => x.shape[axis]!);
  return sizes.every((d) => d >= 0)
    ? ints(sizes)
    : concat(
        xs.map((x) => emit(Shape_, [x], { start: axis, end: axis + 1 })),
        0,
      );
};

const partSizes = (size: Dim, given: readonly Extent[] | undefined, count: number | undefined): readonly Dim[] => {
  if (given) {
    const sizes = given.map(dimOf);
    if (total(sizes) === size) return sizes;
    throw new TemperError("bad-shape", `parts ${formatShape(sizes)} do not add up to ${formatShape([size])}.`);
  }
  if (!count || count < 1 || (size >= 0 && count > Math.max(size, 1)) || count > 1e6)
    throw new TemperError("bad-shape", `num_outputs must be from 1 to the size of the axis, got ${count}.`);
  if (size < 0 && size % count !== 0)
    throw new TemperError("unsupported", `cannot cut ${formatShape([size])} into ${count} equal parts.`);
  const part = size < 0 ? size / count : Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) => (size < 0 ? part : Math.max(0, Math.min(part, size - i * part))));
};
const withSize = (shape: Shape, axis: number, size: Dim): Shape => shape.map((d, i) => (i === axis ? size : d));

/** Parts of x along an axis: sizes in input 1, or `num_outputs` equal ones. Source: ONNX Split, opset 18. */
export const Split = defineOp({
  name: "Split",
  arity: [1, 2],
  attributes: { axis: attr.int(0), num_outputs: attr.int() },
  infer: ([x, split], a) => {
    const axis = normalizeAxis(a.axis, x.shape.length);
    return partSizes(x.shape[axis]!, split && knownExtents(split, "split"), a.num_outputs).map((size) => ({
      dtype: x.dtype,
      shape: withSize(x.shape, axis, size),
    }));
  },
  vjp: ({ gs, outputs, attributes: { axis } }) => [
    concat(
      outputs.map((y, i) => gs[i] ?? zerosLike(y)),
      axis,
    ),
  ],
  reference: ([x, split], a) => {
    const axis = normalizeAxis(a.axis, x.shape.length);
    const sizes = partSizes(x.shape[axis]!, split && Array.from(split.data), a.num_outputs);
    const parts = sizes.map((size) => zeros64(withSize(x.shape, axis, size), x.dtype));
    copyParts(x, parts, axis, false);
    return parts;
  },
});

/** Values side by side along an axis. */
export const concat = (xs: readonly Value[], axis: number): Value =>
  xs.length === 1 ? xs[0]! : emit(Concat, xs, { axis });
/** Parts of the given sizes along an axis. */
export const split = (x: Value, sizes: readonly number[], axis: number): readonly Value[] =>
  emitAll(Split, [x, ints(sizes)], { axis });
