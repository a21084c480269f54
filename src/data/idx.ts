import { type DType, DTYPES, type Tensor, type TensorData, formatShape, sizeOf, tensor } from "../core/index.ts";
import { LITTLE_ENDIAN, nativeItems } from "./byte-order.ts";
import { badFile } from "./limits.ts";

/** Type byte of the IDX header and ours. Source: the format note on the MNIST page (LeCun, Cortes, Burges). */
const TYPES: Readonly<Record<number, DType>> = {
  0x08: "uint8",
  0x09: "int8",
  0x0b: "int16",
  0x0c: "int32",
  0x0d: "float32",
  0x0e: "float64",
};
const MAX_RANK = 8;

/** Whether the bytes begin like an IDX file: two zeros, a known type, a rank. */
export const isIdx = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 &&
  bytes[0] === 0 &&
  bytes[1] === 0 &&
  TYPES[bytes[2]!] !== undefined &&
  bytes[3]! > 0 &&
  bytes[3]! <= MAX_RANK;

/**
 * Reads an IDX file (the container of MNIST): big-endian header with type and sizes, then the raw values.
 *
 * @param name  for messages
 * @throws TemperError `bad-file`: not IDX, cut off, or with bytes left over
 */
export const readIdx = (name: string, bytes: Uint8Array): Tensor => {
  if (!isIdx(bytes)) throw badFile(name, "is not an IDX file (it must begin with 0, 0, a type and a rank).");
  const dtype = TYPES[bytes[2]!]!;
  const rank = bytes[3]!;
  const dataAt = 4 + 4 * rank;
  if (bytes.length < dataAt) throw badFile(name, "is cut off in its header.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const width = DTYPES[dtype].BYTES_PER_ELEMENT;
  const found = bytes.length - dataAt;
  if (found !== sizeOf(shape) * width)
    throw badFile(
      name,
      `${dtype} values ${formatShape(shape)} need ${sizeOf(shape) * width} bytes, the file has ${found}.`,
    );
  const data: TensorData = new DTYPES[dtype](nativeItems(bytes.subarray(dataAt), width, false).buffer);
  return tensor(dtype, shape, data as never);
};

/** Writes an IDX file of one of the types that the format knows. */
export const writeIdx = ({ dtype, shape, data }: Tensor): Uint8Array => {
  const type = Object.keys(TYPES)
    .map(Number)
    .find((key) => TYPES[key] === dtype);
  if (type === undefined || shape.length < 1 || shape.length > MAX_RANK)
    throw badFile(
      "IDX",
      `${dtype} ${formatShape(shape)} cannot be written as IDX. Known: ${Object.values(TYPES).join(", ")}.`,
    );
  const out = new Uint8Array(4 + 4 * shape.length + data.byteLength);
  const view = new DataView(out.buffer);
  view.setUint32(0, type * 256 + shape.length);
  shape.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  out.set(LITTLE_ENDIAN ? nativeItems(raw, data.BYTES_PER_ELEMENT, false) : raw, 4 + 4 * shape.length);
  return out;
};
