import { TemperError } from "../core/index.ts";
import { type Field, MODEL, type Table, TENSOR } from "./schema.ts";
import type { Int64, ModelProto, TensorProto } from "./types.ts";
import { MAX_DEPTH } from "./wire.ts";

/** What readers accept: protocol buffers count in 31 bits. */
const MAX_BYTES = 2 ** 31 - 1;
/** Byte fields above this many bytes become chunks of their own instead of copies. */
const COPIED = 4096;
const BLOCK = 1 << 16;

/**
 * Writes a model as a list of chunks. Big byte fields (tensor data) are passed on as they are, not copied; join the
 * chunks with `concatChunks` or write them one after the other. Fields are written in the order of their numbers, as
 * the reference implementation does, unknown ones last.
 *
 * @throws TemperError `bad-data`: a number that its field cannot hold; `unsupported`: 2 GiB or more
 */
export const encodeModel = (model: ModelProto): Uint8Array[] => encode(model, MODEL);

/** Writes a single TensorProto, as `encodeModel` does. */
export const encodeTensor = (tensor: TensorProto): Uint8Array[] => encode(tensor, TENSOR);

/** All chunks in one array; a single chunk is returned as it is. */
export const concatChunks = (chunks: readonly Uint8Array[]): Uint8Array => {
  if (chunks.length === 1) return chunks[0]!;
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
};

const encode = (message: object, table: Table): Uint8Array[] => {
  const sizes: number[] = [];
  const total = messageSize(sizes, message as Fields, table, 1);
  if (total > MAX_BYTES)
    throw new TemperError(
      "unsupported",
      `The model takes ${total} bytes, an ONNX file holds at most ${MAX_BYTES}. Keep big tensors in an external file.`,
    );
  const w: Writer = { chunks: [], block: new Uint8Array(Math.min(BLOCK, total)), used: 0, sizes, next: 0 };
  writeMessage(w, message as Fields, table);
  flush(w);
  return w.chunks;
};

type Fields = Readonly<Record<string, unknown>>;

// First pass: the size of every message, in the order in which the second pass meets them.

const messageSize = (sizes: number[], message: Fields, table: Table, depth: number): number => {
  if (depth > MAX_DEPTH)
    throw new TemperError("bad-data", `${table.name}: messages are nested deeper than ${MAX_DEPTH}.`);
  const slot = sizes.push(0) - 1;
  let total = 0;
  for (const field of table.fields) {
    const held = message[field.key];
    if (held === undefined) continue;
    for (const value of field.list ? (held as readonly unknown[]) : [held])
      total += tagSize(field) + valueSize(sizes, field, value, table, depth);
  }
  for (const raw of unknownOf(message)) total += raw.length;
  sizes[slot] = total;
  return total;
};

const unknownOf = (message: Fields): readonly Uint8Array[] => (message["unknown"] ?? []) as readonly Uint8Array[];
const tagSize = (field: Field): number => (field.number < 16 ? 1 : 2);

const valueSize = (sizes: number[], field: Field, value: unknown, table: Table, depth: number): number => {
  switch (field.kind) {
    case "int":
    case "int32":
    case "int64":
      checkInteger(field, value, table);
      return varintSize(value as Int64);
    case "float":
      return 4;
    case "string":
      return prefixed(utf8Length(value as string));
    case "message":
      return prefixed(messageSize(sizes, value as Fields, field.table(), depth + 1));
    default:
      return prefixed((value as Uint8Array).length);
  }
};

const prefixed = (length: number): number => varintSize(length) + length;

const checkInteger = (field: Field, value: unknown, table: Table): void => {
  const fits =
    typeof value === "bigint"
      ? field.kind === "int64" && BigInt.asIntN(64, value) === value
      : Number.isSafeInteger(value) && (field.kind !== "int32" || value === ((value as number) | 0));
  if (!fits) throw new TemperError("bad-data", `${table.name}.${field.key} cannot hold ${String(value)}.`);
};

const varintSize = (value: Int64): number => {
  if (value < 0) return 10;
  let size = 1;
  if (typeof value === "number") for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  else for (let rest = value; rest >= 128n; rest >>= 7n) size++;
  return size;
};

const utf8Length = (text: string): number => {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) length += 1;
    else if (code < 0xd800 || code > 0xdbff || (text.charCodeAt(i + 1) & 0xfc00) !== 0xdc00) length += 2;
    else {
      length += 2; // a pair: two units, four bytes
      i++;
    }
  }
  return length;
};

// Second pass: the bytes.

interface Writer {
  readonly chunks: Uint8Array[];
  block: Uint8Array;
  used: number;
  readonly sizes: readonly number[];
  next: number;
}

const flush = (w: Writer): void => {
  if (w.used > 0) w.chunks.push(w.block.subarray(0, w.used));
  w.block = w.block.subarray(w.used);
  w.used = 0;
};

const reserve = (w: Writer, count: number): void => {
  if (w.block.length - w.used >= count) return;
  flush(w);
  w.block = new Uint8Array(Math.max(BLOCK, count));
};

const writeMessage = (w: Writer, message: Fields, table: Table): void => {
  w.next++; // its own size, written by the caller
  for (const field of table.fields) {
    const held = message[field.key];
    if (held === undefined) continue;
    for (const value of field.list ? (held as readonly unknown[]) : [held]) writeValue(w, field, value);
  }
  for (const raw of unknownOf(message)) writeBytes(w, raw);
};

const writeValue = (w: Writer, field: Field, value: unknown): void => {
  switch (field.kind) {
    case "int":
    case "int32":
    case "int64":
      writeVarint(w, field.number * 8);
      return writeVarint(w, value as Int64);
    case "float":
      writeVarint(w, field.number * 8 + 5);
      return writeFloat(w, value as number);
    case "string":
      writeVarint(w, field.number * 8 + 2);
      return writeText(w, value as string);
    case "message":
      writeVarint(w, field.number * 8 + 2);
      writeVarint(w, w.sizes[w.next]!);
      return writeMessage(w, value as Fields, field.table());
    default:
      writeVarint(w, field.number * 8 + 2);
      writeVarint(w, (value as Uint8Array).length);
      writeBytes(w, value as Uint8Array);
  }
};

const writeVarint = (w: Writer, value: Int64): void => {
  reserve(w, 10);
  let small = typeof value === "number" && value >= 0 ? value : 0;
  if (value < 0 || typeof value === "bigint") {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) w.block[w.used++] = Number(rest & 127n) | 128;
    small = Number(rest);
  }
  for (; small >= 128; small = Math.floor(small / 128)) w.block[w.used++] = (small % 128) | 128;
  w.block[w.used++] = small;
};

const writeFloat = (w: Writer, value: number): void => {
  reserve(w, 4);
  new DataView(w.block.buffer, w.block.byteOffset + w.used, 4).setFloat32(0, value, true);
  w.used += 4;
};

const encoder = new TextEncoder();

const writeText = (w: Writer, text: string): void => {
  const length = utf8Length(text);
  writeVarint(w, length);
  reserve(w, length);
  if (length === text.length) for (let i = 0; i < length; i++) w.block[w.used + i] = text.charCodeAt(i);
  else encoder.encodeInto(text, w.block.subarray(w.used, w.used + length));
  w.used += length;
};

const writeBytes = (w: Writer, bytes: Uint8Array): void => {
  if (bytes.length > COPIED) {
    flush(w);
    w.chunks.push(bytes);
    return;
  }
  reserve(w, bytes.length);
  w.block.set(bytes, w.used);
  w.used += bytes.length;
};
