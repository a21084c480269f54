import { type DataOf, type DType, DTYPES, sizeOf, type Tensor, tensor, TemperError } from "../core/index.ts";
import { dataTypeOf } from "./data-type.ts";
import { type ExternalData, readExternal } from "./external-data.ts";
import { quote } from "./quote.ts";
import { type Storage, storageOf } from "./storage.ts";
import type { TensorProto } from "./types.ts";
import { createReader, fail, type Reader, readVarint } from "./wire.ts";

export interface TensorOptions {
  /** Where to find values that are in other files. */
  readonly external?: ExternalData | undefined;
  /** What to call the tensor in messages where it has no name. */
  readonly place?: string | undefined;
}

/**
 * The values of a tensor. They share memory with the file where `rawData` (or `floatData`, `doubleData`) lies at a
 * fitting offset, else they are copied once.
 *
 * @throws TemperError `bad-file`: values that contradict dims or type; `unsupported`: a type that Temper does not
 * compute with (strings, complex numbers, floats and integers below 8 bits, float8), or values in another file when
 * no `external` is given
 */
export const tensorFromProto = (proto: TensorProto, { external, place }: TensorOptions = {}): Tensor => {
  const storage = storageOf(proto, place);
  const { dtype } = storage.type;
  if (dtype === undefined)
    throw new TemperError(
      "unsupported",
      `${storage.label} holds ${storage.type.name} values, which Temper cannot use.`,
    );
  const data = valuesOf(proto, storage, dtype, external);
  if (dtype === "bool") checkBools(data as Uint8Array, storage);
  return tensor(dtype, storage.shape, data as DataOf<DType>) as Tensor;
};

const valuesOf = (
  proto: TensorProto,
  storage: Storage,
  dtype: DType,
  external: ExternalData | undefined,
): DataOf<DType> => {
  switch (storage.field) {
    case "none":
      return new DTYPES[dtype](0);
    case "external":
      return typedView(dtype, readExternal(proto, storage, external));
    case "rawData":
    case "floatData":
    case "doubleData":
      return typedView(dtype, proto[storage.field]!);
    case "int32Data":
      return readInt32s(reader(storage, proto.int32Data!), storage, dtype);
    case "int64Data":
    case "uint64Data":
      return readInt64s(reader(storage, proto[storage.field]!), storage, dtype);
    default:
      throw new TemperError("unsupported", `${storage.label}: ${storage.field} cannot be read.`);
  }
};

/** Little-endian bytes as numbers (every JavaScript engine that ONNX Runtime supports is little-endian). */
const typedView = (dtype: DType, bytes: Uint8Array): DataOf<DType> => {
  const Values = DTYPES[dtype];
  const aligned = bytes.byteOffset % Values.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  const { buffer, byteOffset, byteLength } = aligned as Uint8Array<ArrayBuffer>;
  return new Values(buffer, byteOffset, byteLength / Values.BYTES_PER_ELEMENT);
};

const checkBools = (data: Uint8Array, { label }: Storage): void => {
  const wrong = data.findIndex((value) => value > 1);
  if (wrong >= 0)
    throw new TemperError("bad-file", `${label}: bool number ${wrong} is ${data[wrong]}, neither 0 nor 1.`);
};

const reader = ({ label, field }: Storage, bytes: Uint8Array): Reader => {
  const r = createReader(label, bytes);
  r.field = field;
  return r;
};

/** Ranges of what `int32Data` holds; 16-bit floats stand there as their bits. */
const RANGES: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  bool: [0, 1],
  uint8: [0, 0xff],
  int8: [-0x80, 0x7f],
  uint16: [0, 0xffff],
  int16: [-0x8000, 0x7fff],
  float16: [0, 0xffff],
  bfloat16: [0, 0xffff],
};

const readInt32s = (r: Reader, { count }: Storage, dtype: DType): DataOf<DType> => {
  const [low, high] = RANGES[dtype] ?? [-0x80000000, 0x7fffffff];
  const values = new DTYPES[dtype](count) as Int32Array<ArrayBuffer>;
  for (let i = 0; i < count; i++) {
    r.start = r.at;
    readVarint(r, r.bytes.length);
    const value = r.lo | 0; // negative numbers are ten bytes by the book, five from some writers: the low half is both
    if (value < low || value > high) fail(r, `entry ${i}, ${value}, is no ${dtype}`);
    values[i] = value;
  }
  return values;
};

const readInt64s = (r: Reader, { count }: Storage, dtype: DType): DataOf<DType> => {
  const wide = dtype !== "uint32";
  const words = new Uint32Array(wide ? 2 * count : count);
  for (let i = 0; i < count; i++) {
    r.start = r.at;
    readVarint(r, r.bytes.length);
    if (!wide && r.hi !== 0) fail(r, `entry ${i}, ${r.hi * 2 ** 32 + r.lo}, is no uint32`);
    words[wide ? 2 * i : i] = r.lo;
    if (wide) words[2 * i + 1] = r.hi;
  }
  return typedView(dtype, new Uint8Array(words.buffer));
};

/**
 * A message that holds the values of `t` as `rawData`, sharing their memory.
 *
 * @throws TemperError `bad-shape`: symbolic dimensions, or data that does not fill them
 */
export const tensorToProto = (name: string, t: Tensor): TensorProto => {
  if (t.shape.some((d) => !Number.isSafeInteger(d) || d < 0) || sizeOf(t.shape) !== t.data.length)
    throw new TemperError(
      "bad-shape",
      `tensor ${quote(name)} has ${t.data.length} values for [${t.shape.join(", ")}].`,
    );
  const { buffer, byteOffset, byteLength } = t.data;
  return {
    dims: t.shape,
    dataType: dataTypeOf(t.dtype),
    name,
    rawData: new Uint8Array(buffer, byteOffset, byteLength),
  };
};

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes of an attribute as text. @param place  what they are, for messages @throws TemperError `bad-file`: not UTF-8 */
export const decodeText = (bytes: Uint8Array, place: string): string => {
  try {
    return text.decode(bytes);
  } catch {
    throw new TemperError("bad-file", `${place} is not UTF-8 text.`);
  }
};
