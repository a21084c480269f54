import {
  type DType,
  DTYPES,
  type Tensor,
  type TensorData,
  TemperError,
  formatShape,
  sizeOf,
  tensor,
} from "../core/index.ts";
import { LITTLE_ENDIAN, nativeItems } from "./byte-order.ts";
import { badFile } from "./limits.ts";

/** NumPy's type codes (kind and width in bytes) and ours. */
const TYPES: Readonly<Record<string, DType>> = {
  f2: "float16",
  f4: "float32",
  f8: "float64",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  b1: "bool",
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Far above any header that NumPy writes for a plain array; keeps the text that is searched short. */
const MAX_HEADER_BYTES = 65_536;
const MAX_RANK = 32;

/** Whether the bytes begin like a NumPy array file. */
export const isNpy = (bytes: Uint8Array): boolean => MAGIC.every((byte, i) => bytes[i] === byte);

interface Header {
  readonly dtype: DType;
  readonly littleEndian: boolean;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  readonly dataAt: number;
}

const headerText = (name: string, bytes: Uint8Array): { text: string; dataAt: number } => {
  if (!isNpy(bytes) || bytes.length < 12)
    throw badFile(name, "is not a NumPy array file, or is cut off in its header.");
  const major = bytes[6]!;
  if (major < 1 || major > 3)
    throw new TemperError("unsupported", `${name}: .npy version ${major} is not known. Known: 1, 2, 3.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES || start + length > bytes.length)
    throw badFile(name, `its header of ${length} bytes does not fit into the file.`);
  return { text: new TextDecoder().decode(bytes.subarray(start, start + length)), dataAt: start + length };
};

const readShape = (name: string, text: string): readonly number[] => {
  const inner = /'shape'\s*:\s*\(([0-9L,\s]*)\)/.exec(text)?.[1];
  if (inner === undefined) throw badFile(name, "its header states no shape.");
  const shape = inner
    .split(",")
    .map((part) => part.trim().replace(/L$/, "")) // Python 2 wrote long integers so
    .filter((part) => part !== "")
    .map(Number);
  if (shape.length > MAX_RANK || !shape.every(Number.isSafeInteger) || !Number.isSafeInteger(sizeOf(shape)))
    throw badFile(name, "its header states an impossible shape.");
  return shape;
};

const readHeader = (name: string, bytes: Uint8Array): Header => {
  const { text, dataAt } = headerText(name, bytes);
  const descr = /'descr'\s*:\s*'([^']{1,16})'/.exec(text)?.[1];
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  if (descr === undefined || order === undefined)
    throw badFile(name, "its header is not one of a plain array (structured and object arrays cannot be read).");
  const dtype = /^[<>|=]/.test(descr) ? TYPES[descr.slice(1)] : undefined;
  if (!dtype)
    throw new TemperError(
      "unsupported",
      `${name}: element type ${descr} cannot be read. Known: ${Object.keys(TYPES).join(", ")}.`,
    );
  const littleEndian = descr[0] === "=" ? LITTLE_ENDIAN : descr[0] !== ">";
  return { dtype, littleEndian, fortran: order === "True", shape: readShape(name, text), dataAt };
};

/** First index fastest -> last index fastest. */
const fromFortran = (data: TensorData, shape: readonly number[]): TensorData => {
  const out = data.slice();
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    out[to] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      from += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
};

/**
 * Reads a NumPy array file, versions 1 to 3, either byte order, C or Fortran order (returned in C order). Bytes after
 * the array are not allowed.
 *
 * @param name  for messages
 * @throws TemperError `bad-file`: malformed, cut off, structured or object array; `unsupported`: another element type
 */
export const readNpy = (name: string, bytes: Uint8Array): Tensor => {
  const { dtype, littleEndian, fortran, shape, dataAt } = readHeader(name, bytes);
  const size = sizeOf(shape);
  const width = DTYPES[dtype].BYTES_PER_ELEMENT;
  const found = bytes.length - dataAt;
  if (found !== size * width)
    throw badFile(name, `a ${dtype} array ${formatShape(shape)} needs ${size * width} bytes, the file has ${found}.`);
  const { buffer } = nativeItems(bytes.subarray(dataAt), width, littleEndian);
  const data: TensorData = new DTYPES[dtype](buffer);
  return tensor(dtype, shape, (fortran && shape.length > 1 ? fromFortran(data, shape) : data) as never);
};

const codeOf = (dtype: DType): string => {
  const code = Object.keys(TYPES).find((key) => TYPES[key] === dtype);
  if (code === undefined)
    throw new TemperError("unsupported", `NumPy has no element type ${dtype}. Convert to float32 first.`);
  return (code.endsWith("1") ? "|" : LITTLE_ENDIAN ? "<" : ">") + code;
};

/** Writes a NumPy array file, version 1, C order. @throws TemperError `unsupported`: bfloat16 */
export const writeNpy = ({ dtype, shape, data }: Tensor): Uint8Array => {
  const tuple = shape.length === 1 ? `(${shape[0]!},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '${codeOf(dtype)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const dataAt = Math.ceil((10 + dictionary.length + 1) / 64) * 64; // NumPy aligns the data to 64 bytes
  const header = `${dictionary.padEnd(dataAt - 11)}\n`;
  const out = new Uint8Array(dataAt + data.byteLength);
  out.set([...MAGIC, 1, 0, header.length & 255, header.length >> 8]);
  out.set(new TextEncoder().encode(header), 10);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataAt);
  return out;
};
