import { DTYPES, type DType, sizeOf, type Tensor, TemperError } from "../core/index.ts";

/** The safetensors format: length of a JSON header, the header, the tensors' bytes (little-endian). */
const CODES = { float32: "F32", float64: "F64", int32: "I32", int64: "I64", uint8: "U8" } as const satisfies Partial<
  Record<DType, string>
>;
const NAMES = Object.fromEntries(Object.entries(CODES).map(([dtype, code]) => [code, dtype])) as Record<
  string,
  keyof typeof CODES
>;
const MAX_HEADER = 1 << 24;

/** File contents. @throws TemperError `unsupported` for other element types than float32, float64, int32, int64, uint8 */
export const encodeSafetensors = (tensors: Readonly<Record<string, Tensor>>): Uint8Array => {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const code = (CODES as Partial<Record<DType, string>>)[dtype];
    if (!code)
      throw new TemperError(
        "unsupported",
        `safetensors: "${name}" is ${dtype}; known: ${Object.keys(CODES).join(", ")}.`,
      );
    header[name] = { dtype: code, shape, data_offsets: [end, (end += data.byteLength)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8; // tensors start aligned, the header is filled up with blanks
  const out = new Uint8Array(8 + padded + end).fill(0x20, 8, 8 + padded);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.set(text, 8);
  let at = 8 + padded;
  for (const { data } of Object.values(tensors)) {
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
};

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** @throws TemperError `bad-file` for a truncated or contradictory file, naming it and the tensor */
export const decodeSafetensors = (file: string, bytes: Uint8Array): Record<string, Tensor> => {
  const fail = (what: string): never => {
    throw new TemperError("bad-file", `${file}: ${what}`);
  };
  if (bytes.length < 8) fail("is too short for a safetensors file.");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER || length > bytes.length - 8) fail(`says that its header has ${length} bytes.`);
  const header = parseHeader(new TextDecoder().decode(bytes.subarray(8, 8 + length)), fail);
  const body = bytes.subarray(8 + length);
  const tensors: Record<string, Tensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const dtype = NAMES[entry.dtype];
    const [from, to] = Array.isArray(entry.data_offsets) ? entry.data_offsets : [NaN, NaN];
    if (!dtype || !Array.isArray(entry.shape) || !entry.shape.every((d) => Number.isSafeInteger(d) && d >= 0))
      fail(`tensor "${name}" has no valid type or shape.`);
    const Data = DTYPES[dtype!];
    if (!(from >= 0 && to <= body.length && to - from === sizeOf(entry.shape) * Data.BYTES_PER_ELEMENT))
      fail(`tensor "${name}" lies outside of the file or does not fill its shape.`);
    tensors[name] = { dtype: dtype!, shape: entry.shape, data: new Data(body.slice(from, to).buffer) } as Tensor;
  }
  return tensors;
};

const parseHeader = (text: string, fail: (what: string) => never): Record<string, Entry> => {
  try {
    const header: unknown = JSON.parse(text);
    if (
      typeof header === "object" &&
      header !== null &&
      Object.values(header).every((e) => typeof e === "object" && e !== null)
    )
      return header as Record<string, Entry>;
  } catch {
    // falls through: not JSON is as bad as JSON of the wrong form
  }
  return fail("has a header that is not a JSON object of tensors.");
};
