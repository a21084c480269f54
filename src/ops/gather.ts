import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import {
  attr,
  defineOp,
  elements,
  emit,
  extentsOf,
  intsOf,
  normalizeAxis,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { expandTo, Shape_, zerosLike } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { concat } from "./concat.ts";
import { rangeTo } from "./fill.ts";
import { blockOffsets, checkedIndex, checkElementwise, eachIndexed } from "./indexing.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { scatterAlong, spreadAlong } from "./scatter-along.ts";
import { scatterElements, scatterND } from "./scatter.ts";
import { slice } from "./slice.ts";
import { squeeze } from "./squeeze.ts";

const checkIntegers = (indices: Value): void => {
  if (indices.dtype !== "int64" && indices.dtype !== "int32")
    throw new TemperError("bad-shape", `indices must be int32 or int64, got ${indices.dtype}.`);
};

const gathered = (x: Shape, indices: Shape, axis: number): Shape => [
  ...x.slice(0, axis),
  ...indices,
  ...x.slice(axis + 1),
];

/** Entries of x along an axis, picked by an integer tensor. Source: ONNX Gather, opset 13. */
export const Gather = defineOp({
  name: "Gather",
  arity: [2, 2],
  attributes: { axis: attr.int(0) },
  infer: ([x, indices], a) => {
    checkIntegers(indices);
    const axis = normalizeAxis(a.axis, x.shape.length);
    const size = x.shape[axis]!;
    const wrong = size < 0 ? undefined : intsOf(indices)?.find((i) => i < -size || i >= size);
    if (wrong !== undefined) throw new TemperError("bad-shape", `index ${wrong} lies outside an axis of size ${size}.`);
    return [{ dtype: x.dtype, shape: gathered(x.shape, indices.shape, axis) }];
  },
  vjp: ({ g, inputs: [x, indices], attributes }) => {
    const axis = normalizeAxis(attributes.axis, x.shape.length),
      size = x.shape[axis]!,
      count = elements(indices.shape);
    const flat = reshape(g, gathered(x.shape, [count], axis));
    const known = size < 0 ? undefined : intsOf(indices);
    if (known)
      return [
        spreadAlong(
          flat,
          axis,
          known.map((i) => checkedIndex(i, size)),
          size,
        ),
      ];
    return [scatterAlong(zerosLike(x), axis, reshape(cast(indices, "int64"), [count]), flat)];
  },
  reference: ([x, indices], a) => {
    const axis = normalizeAxis(a.axis, x.shape.length),
      size = x.shape[axis]!,
      inner = sizeOf(x.shape.slice(axis + 1)),
      outer = sizeOf(x.shape.slice(0, axis));
    const out = zeros64(gathered(x.shape, indices.shape, axis), x.dtype);
    const rows = indices.data.map((i) => checkedIndex(i, size) * inner);
    let to = 0;
    for (let o = 0; o < outer; o++)
      for (const row of rows) {
        const from = o * size * inner + row;
        for (let k = 0; k < inner; k++) out.data[to++] = x.data[from + k]!;
      }
    return [out];
  },
  extents: ([x, indices]) => {
    const extents = extentsOf(x),
      at = intsOf(indices);
    if (!extents || !at || x.shape.length !== 1) return undefined;
    return at.map((i) => extents[checkedIndex(i, extents.length)]!);
  },
});

/** out[i, j] = x[indices[i, j], j] along axis 0, and so on. Source: ONNX GatherElements, opset 13. */
export const GatherElements = defineOp({
  name: "GatherElements",
  arity: [2, 2],
  attributes: { axis: attr.int(0) },
  infer: ([x, indices], { axis }) => {
    checkIntegers(indices);
    checkElementwise(x.shape, indices.shape, normalizeAxis(axis, x.shape.length));
    return [{ dtype: x.dtype, shape: indices.shape }];
  },
  vjp: ({ g, inputs: [x, indices], attributes: { axis } }) => [scatterElements(zerosLike(x), indices, g, axis, "add")],
  reference: ([x, indices], { axis }) => {
    const out = zeros64(indices.shape, x.dtype);
    eachIndexed(x, indices, normalizeAxis(axis, x.shape.length), (i, at) => {
      out.data[i] = x.data[at]!;
    });
    return [out];
  },
});

const blockShape = (x: Shape, indices: Shape, batchDims: number): Shape => {
  const depth = indices.at(-1);
  if (depth === undefined || depth < 0 || batchDims < 0 || depth + batchDims > x.length)
    throw new TemperError("bad-shape", `indices ${formatShape(indices)} do not fit ${formatShape(x)}.`);
  if (!sameShape(x.slice(0, batchDims), indices.slice(0, batchDims)) || batchDims >= indices.length)
    throw new TemperError("bad-shape", `the first ${batchDims} axes of data and indices must agree.`);
  return x.slice(batchDims + depth);
};

/** Blocks of x named by the rows of an index tensor. Source: ONNX GatherND, opset 13. */
export const GatherND = defineOp({
  name: "GatherND",
  arity: [2, 2],
  attributes: { batch_dims: attr.int(0) },
  infer: ([x, indices], { batch_dims }) => {
    checkIntegers(indices);
    const block = blockShape(x.shape, indices.shape, batch_dims);
    return [{ dtype: x.dtype, shape: [...indices.shape.slice(0, -1), ...block] }];
  },
  vjp: ({ g, inputs: [x, indices], attributes: { batch_dims } }) => [
    scatterND(zerosLike(x), withBatchIndices(cast(indices, "int64"), batch_dims), g, "add"),
  ],
  reference: ([x, indices], { batch_dims }) => {
    const { offsets, block } = blockOffsets(x.shape, indices, batch_dims);
    const shape = [...indices.shape.slice(0, -1), ...blockShape(x.shape, indices.shape, batch_dims)];
    const out = zeros64(shape as number[], x.dtype);
    offsets.forEach((from, row) => out.data.set(x.data.subarray(from, from + block), row * block));
    return [out];
  },
});

/** Indices with the coordinates of their batch axes put in front: what a scatter without batch axes needs. */
const withBatchIndices = (indices: Value, batchDims: number): Value => {
  const rank = indices.shape.length;
  const column = slice(indices, [0], [1], [rank - 1]);
  const coordinates = Array.from({ length: batchDims }, (_, axis) => {
    const count = squeeze(emit(Shape_, [indices], { start: axis, end: axis + 1 }), [0]);
    const shape = indices.shape.map((d, i) => (i === axis ? d : 1));
    return expandTo(reshape(rangeTo(count), shape), column);
  });
  return concat([...coordinates, indices], rank - 1);
};

/** Entries of x along an axis. */
export const gather = (x: Value, indices: Value, axis = 0): Value => emit(Gather, [x, indices], { axis });
export const gatherElements = (x: Value, indices: Value, axis = 0): Value =>
  emit(GatherElements, [x, indices], { axis });
export const gatherND = (x: Value, indices: Value, batchDims = 0): Value =>
  emit(GatherND, [x, indices], { batch_dims: batchDims });
