import { DTYPES, type DType, sizeOf, type Tensor, TemperError } from "../core/index.ts";

/** The safetensors format: length of a JSON header, the header, the tensors' bytes (little-endian). */
const CODES = { float32: "F32", float64: "F64", int32: "I32", int64: "I64", uint8: "U8" } as const satisfies Partial<
  Record<DType, string>
>;
const NAMES: ReadonlyMap<unknown, keyof typeof CODES> = new Map(
  Object.entries(CODES).map(([dtype, code]) => [code, dtype as keyof typeof CODES]),
);
const MAX_HEADER = 1 << 24;
const METADATA = "__metadata__";

/** What a file holds. */
export interface Safetensors {
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** Free text by name. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** File contents. @throws TemperError `unsupported` for other element types than float32, float64, int32, int64, uint8 */
export const encodeSafetensors = ({ tensors, metadata }: Safetensors): Uint8Array => {
  const header: [string, unknown][] = [[METADATA, metadata]];
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const code = (CODES as Partial<Record<DType, string>>)[dtype];
    if (!code || name === METADATA)
      throw new TemperError(
        "unsupported",
        `safetensors: "${name}" is ${dtype}; known: ${Object.keys(CODES).join(", ")}, under any name but ${METADATA}.`,
      );
    header.push([name, { dtype: code, shape, data_offsets: [end, (end += data.byteLength)] }]);
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
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
  readonly name: string;
  readonly dtype: keyof typeof CODES;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

/**
 * Reads a file. Tensors are copies. As the format demands, they lie end to end and fill the file, so it cannot ask for
 * more memory than it has bytes.
 * @throws TemperError `bad-file` for a truncated or contradictory file, naming it and the tensor
 */
export const decodeSafetensors = (file: string, bytes: Uint8Array): Safetensors => {
  const fail = (what: string): never => {
    throw new TemperError("bad-file", `${file}: ${what}`);
  };
  if (bytes.length < 8) return fail("is too short for a safetensors file.");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER || length > bytes.length - 8) return fail(`says that its header has ${length} bytes.`);
  const { [METADATA]: metadata = {}, ...header } = parseHeader(bytes.subarray(8, 8 + length), fail);
  if (!isRecord(metadata) || !Object.values(metadata).every((v) => typeof v === "string"))
    return fail("has metadata that is not text.");
  const entries = Object.entries(header).map(([name, entry]) => readEntry(name, entry, fail));
  entries.sort((a, b) => a.from - b.from || a.to - b.to);
  let end = 0;
  for (const { name, from, to } of entries) {
    if (from !== end) fail(`tensor "${name}" does not begin where the one before it ends.`);
    end = to;
  }
  const body = bytes.subarray(8 + length);
  if (end !== body.length) fail(`its tensors have ${end} bytes, the file has ${body.length} for them.`);
  const tensors = entries.map(({ name, dtype, shape, from, to }) => {
    const copy = Uint8Array.from(body.subarray(from, to)); // the slice of a Buffer would share its memory
    return [name, { dtype, shape, data: new DTYPES[dtype](copy.buffer) } as Tensor];
  });
  return { tensors: Object.fromEntries(tensors), metadata: metadata as Record<string, string> };
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const readEntry = (name: string, entry: unknown, fail: (what: string) => never): Entry => {
  const { dtype: code, shape, data_offsets: offsets } = isRecord(entry) ? entry : fail(`"${name}" is not a tensor.`);
  const dtype = NAMES.get(code);
  const whole = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
  if (!dtype || !Array.isArray(shape) || !shape.every(whole))
    return fail(`tensor "${name}" has no valid type or shape.`);
  const [from, to] = Array.isArray(offsets) ? (offsets as unknown[]) : [];
  if (!whole(from) || !whole(to) || to - from !== sizeOf(shape) * DTYPES[dtype].BYTES_PER_ELEMENT)
    return fail(`tensor "${name}" does not fill its shape.`);
  return { name, dtype, shape, from, to };
};

const parseHeader = (bytes: Uint8Array, fail: (what: string) => never): Record<string, unknown> => {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isRecord(header)) return header;
  } catch {
    // falls through: not JSON is as bad as JSON of the wrong form
  }
  return fail("has a header that is not a JSON object of tensors.");
};
