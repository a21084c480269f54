import { formatShape, sizeOf, TemperError } from "../core/index.ts";
import type { Array64, Shape } from "../graph/index.ts";
import { stridesOf } from "./reference.ts";

/** An index counted from the front. @throws TemperError `bad-data` where it lies outside the axis */
export const checkedIndex = (index: number, size: number): number => {
  if (index >= -size && index < size) return index < 0 ? index + size : index;
  throw new TemperError("bad-data", `index ${index} lies outside an axis of size ${size}.`);
};

/** Rank and sizes outside the axis must fit: indices may be smaller than x there. */
export const checkElementwise = (x: Shape, indices: Shape, axis: number): void => {
  const fits = (d: number, i: number): boolean => i === axis || d === x[i] || (d >= 0 && d < x[i]!);
  if (indices.length !== x.length || !indices.every(fits))
    throw new TemperError("bad-shape", `indices ${formatShape(indices)} do not fit ${formatShape(x)}.`);
};
/** Calls visit(position in indices, position in x) for every index along an axis. */
export const eachIndexed = (
  x: Pick<Array64, "shape">,
  indices: Array64,
  axis: number,
  visit: (from: number, at: number) => void,
): void => {
  const strides = stridesOf(x.shape),
    at = indices.shape.map(() => 0),
    rank = at.length;
  for (let i = 0; i < indices.data.length; i++) {
    let offset = checkedIndex(indices.data[i]!, x.shape[axis]!) * strides[axis]!;
    for (let k = 0; k < rank; k++) if (k !== axis) offset += at[k]! * strides[k]!;
    visit(i, offset);
    for (let k = rank - 1; k >= 0; k--) {
      if (++at[k]! < indices.shape[k]!) break;
      at[k] = 0;
    }
  }
};

/** Offsets in x of the blocks that the rows of `indices` name, and the size of a block. */
export const blockOffsets = (
  x: readonly number[],
  indices: Array64,
  batchDims = 0,
): { readonly offsets: readonly number[]; readonly block: number } => {
  const depth = indices.shape.at(-1)!,
    strides = stridesOf(x);
  const rows = sizeOf(indices.shape.slice(0, -1)),
    batches = sizeOf(x.slice(0, batchDims)),
    perBatch = sizeOf(x.slice(batchDims));
  const offsets = Array.from({ length: rows }, (_, row) => {
    let offset = Math.floor((row * batches) / rows) * perBatch;
    for (let k = 0; k < depth; k++) {
      const axis = batchDims + k;
      offset += checkedIndex(indices.data[row * depth + k]!, x[axis]!) * strides[axis]!;
    }
    return offset;
  });
  return { offsets, block: sizeOf(x.slice(batchDims + depth)) };
};
