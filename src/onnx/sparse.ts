import { type DataOf, type DType, DTYPES, type Tensor, tensor, TemperError } from "../core/index.ts";
import { elementCount, storageOf, tensorLabel } from "./storage.ts";
import { tensorFromProto, type TensorOptions } from "./tensor.ts";
import type { SparseTensorProto } from "./types.ts";

export interface SparseOptions extends TensorOptions {
  /** Elements that the dense tensor may have at most; a few bytes can ask for terabytes. Default 2^26. */
  readonly maxElements?: number | undefined;
}

/**
 * Checks a sparse tensor without reading its values: [n] values and int64 indices, [n] into the flattened tensor or
 * [n, rank].
 *
 * @returns the name, the dense shape and the count of its elements
 * @throws TemperError `bad-file`, naming the tensor
 */
export const checkSparse = (
  proto: SparseTensorProto,
  place?: string,
): { readonly label: string; readonly shape: readonly number[]; readonly count: number } => {
  const label = `sparse ${tensorLabel(proto.values ?? {}, place)}`;
  const bad = (text: string): TemperError => new TemperError("bad-file", `${label}: ${text}.`);
  if (proto.values === undefined) throw bad("it has no values");
  const shape = proto.dims ?? [];
  const count = elementCount(shape, label);
  const values = storageOf(proto.values, place);
  if (values.shape.length !== 1) throw bad(`its values have ${values.shape.length} dimensions, not one`);
  if (values.count > count) throw bad(`${values.count} values for ${count} elements`);
  if (proto.indices === undefined && values.count > 0) throw bad("it has no indices");
  const indices = proto.indices && storageOf(proto.indices, `indices of ${label}`);
  if (indices === undefined) return { label, shape, count };
  if (indices.type.dtype !== "int64") throw bad(`its indices are ${indices.type.name}, not int64`);
  const [n, rank] = indices.shape;
  const fits =
    n === values.count && (indices.shape.length === 1 || (indices.shape.length === 2 && rank === shape.length));
  if (!fits) throw bad(`indices [${indices.shape.join(", ")}] do not fit [${values.count}] values`);
  return { label, shape, count };
};

/**
 * A sparse tensor as a dense one, zeros filled in.
 *
 * @throws TemperError `unsupported`: more than `maxElements`, or a type without values; `bad-file`: indices outside the
 * shape or not in ascending order
 */
export const denseFromSparse = (proto: SparseTensorProto, options: SparseOptions = {}): Tensor => {
  const { label, shape, count } = checkSparse(proto, options.place);
  const { maxElements = 2 ** 26 } = options;
  if (count > maxElements)
    throw new TemperError("unsupported", `${label} has ${count} elements, more than maxElements, ${maxElements}.`);
  const values = tensorFromProto(proto.values!, options);
  const data = new DTYPES[values.dtype](count);
  const at = proto.indices ? flatIndices(tensorFromProto(proto.indices, options), shape) : [];
  let last = -1;
  for (const [i, flat] of at.entries()) {
    if (!(flat > last && flat < count))
      throw new TemperError("bad-file", `${label}: index ${i} is out of range or not above the one before.`);
    data[flat] = values.data[i]!;
    last = flat;
  }
  return tensor(values.dtype, shape, data as DataOf<DType>) as Tensor;
};

/** Positions in the flattened tensor; NaN where a coordinate is outside. */
const flatIndices = (indices: Tensor, shape: readonly number[]): number[] => {
  const numbers = Array.from(indices.data as BigInt64Array, Number);
  if (indices.shape.length === 1) return numbers;
  return Array.from({ length: indices.shape[0]! }, (_, row) =>
    shape.reduce((flat, size, axis) => {
      const i = numbers[row * shape.length + axis]!;
      return i >= 0 && i < size ? flat * size + i : NaN;
    }, 0),
  );
};
