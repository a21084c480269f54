import { TemperError } from "./error.ts";

/** Element types that tensors in memory may have. `bool` is one byte; `float16` and `bfloat16` are raw bits. */
export const DTYPES = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
} as const;

export type DType = keyof typeof DTYPES;
export type DataOf<D extends DType> = InstanceType<(typeof DTYPES)[D]>;
export type TensorData = DataOf<DType>;

/** A dense row-major array. Data is shared, never copied, unless a function says so. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DataOf<D>;
}

/** Number of elements of a shape; 1 for a scalar. */
export const sizeOf = (shape: readonly number[]): number => {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
};

/** @throws TemperError `bad-shape` where the data does not fill the shape */
export const tensor = <D extends DType>(dtype: D, shape: readonly number[], data: DataOf<D>): Tensor<D> => {
  if (data.length !== sizeOf(shape))
    throw new TemperError(
      "bad-shape",
      `A ${dtype} tensor ${formatShape(shape)} needs ${sizeOf(shape)} elements, got ${data.length}.`,
    );
  return { dtype, shape, data };
};

export const zeros = <D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> => ({
  dtype,
  shape,
  data: new DTYPES[dtype](sizeOf(shape)) as DataOf<D>,
});

/** Float32 tensor from numbers. */
export const f32 = (values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor<"float32"> =>
  tensor("float32", shape, values instanceof Float32Array ? (values as DataOf<"float32">) : Float32Array.from(values));

/** Int64 tensor from whole numbers; beyond the range of int64 ("to the end" in a slice) they saturate. */
export const i64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor<"int64"> =>
  tensor(
    "int64",
    shape,
    BigInt64Array.from(values, (v) => (Math.abs(v) < 2 ** 63 ? BigInt(v) : saturatedInt64(v))),
  );

/** Float32 or int64 scalar. */
export const scalar = (value: number, dtype: "float32" | "int64" | "float64" = "float32"): Tensor =>
  dtype === "int64"
    ? i64([value], [])
    : dtype === "float64"
      ? tensor("float64", [], Float64Array.of(value))
      : f32([value], []);

/** `[2, 3]`; negative dimensions are multiples of the batch size and print as `N`, `4N`. */
export const formatShape = (shape: readonly number[]): string =>
  `[${shape.map((d) => (d >= 0 ? String(d) : d === -1 ? "N" : `${-d}N`)).join(", ")}]`;

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

/** Any numeric tensor as plain numbers in float64 (float16 and bfloat16 are decoded). Copies, except float64. */
export const toFloat64 = (t: Tensor): Float64Array => {
  if (t.data instanceof Float64Array) return t.data;
  if (t.dtype === "float16") return Float64Array.from(t.data as Uint16Array, halfToNumber);
  if (t.dtype === "bfloat16") return Float64Array.from(t.data as Uint16Array, bfloat16ToNumber);
  if (t.data instanceof BigInt64Array || t.data instanceof BigUint64Array) return Float64Array.from(t.data, Number);
  return Float64Array.from(t.data as Float32Array);
};

/** Numbers in the given element type; integers are truncated, bool is 0 or 1. */
export const fromFloat64 = (values: Float64Array, dtype: DType, shape: readonly number[]): Tensor => {
  if (dtype === "float64") return tensor("float64", shape, values as DataOf<"float64">);
  if (dtype === "int64") return tensor("int64", shape, BigInt64Array.from(values, saturatedInt64));
  if (dtype === "uint64")
    return tensor(
      "uint64",
      shape,
      BigUint64Array.from(values, (v) => BigInt(Math.trunc(v))),
    );
  if (dtype === "bool")
    return tensor(
      "bool",
      shape,
      Uint8Array.from(values, (v) => (v === 0 ? 0 : 1)),
    );
  if (dtype === "float16" || dtype === "bfloat16")
    throw new TemperError("unsupported", `Writing ${dtype} values is not supported. Convert to float32.`);
  return tensor(dtype, shape, DTYPES[dtype].from(values) as never);
};

/**
 * ONNX writes "to the end" as 2^63 - 1, which float64 rounds up to 2^63: saturate instead of wrapping around. NaN
 * becomes the lowest number, as in the processors that ONNX Runtime runs on.
 */
const saturatedInt64 = (value: number): bigint =>
  value >= 2 ** 63 ? 2n ** 63n - 1n : value > -(2 ** 63) ? BigInt(Math.trunc(value)) : -(2n ** 63n);

const halfToNumber = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};
const bits = new DataView(new ArrayBuffer(4));
const bfloat16ToNumber = (value: number): number => {
  bits.setUint32(0, (value << 16) >>> 0);
  return bits.getFloat32(0);
};
