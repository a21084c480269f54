import { TemperError } from "../core/index.ts";
import type { Int64 } from "./types.ts";

/** How deep messages may contain each other; the limit of the common protocol-buffer readers too. */
export const MAX_DEPTH = 100;
/**
 * Memory that the objects of one file may take, estimated, tensor data not counted, as it is not copied. Two bytes of a
 * hostile file can ask for an object of 72; an honest graph of half a million nodes stays below.
 */
const MAX_OBJECT_BYTES = 512 * 2 ** 20;

/** A position in a file and the way that led there. */
export interface Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** The next byte. */
  at: number;
  /** Halves of the varint read last, unsigned. */
  lo: number;
  hi: number;
  /** The field being read, its entry (-1: not a list) and its first byte, for messages. */
  field: string;
  index: number;
  start: number;
  /** The messages around it, the outermost first: their fields and entries. */
  readonly keys: string[];
  readonly indices: number[];
  objectBytes: number;
}

/** @param root  what the bytes are, the first word of a place in messages */
export const createReader = (root: string, bytes: Uint8Array): Reader => ({
  // A Buffer hands out Buffers as views: plain arrays only, so that results do not depend on who read the file.
  bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  at: 0,
  lo: 0,
  hi: 0,
  field: "",
  index: -1,
  start: 0,
  keys: [root],
  indices: [-1],
  objectBytes: 0,
});

const step = (key: string, index: number): string => (index < 0 ? key : `${key}[${index}]`);

/** Throws `bad-file`, naming field and byte: `model.graph.node[3].name: the text is not UTF-8 (at byte 812).` */
export const fail = (r: Reader, text: string): never => {
  const places = r.keys.map((key, i) => step(key, r.indices[i]!));
  if (r.field !== "") places.push(step(r.field, r.index));
  throw new TemperError("bad-file", `${places.join(".")}: ${text} (at byte ${r.start}).`);
};

/** Books memory that decoded objects take. */
export const spend = (r: Reader, bytes: number): void => {
  r.objectBytes += bytes;
  if (r.objectBytes > MAX_OBJECT_BYTES)
    fail(r, `the objects of this file need more than ${MAX_OBJECT_BYTES / 2 ** 20} MiB of memory besides tensor data`);
};

/** Reads a varint into `lo` and `hi`. */
export const readVarint = (r: Reader, end: number): void => {
  let lo = 0,
    hi = 0;
  for (let i = 0; i < 10; i++) {
    if (r.at >= end) fail(r, "the number is cut off");
    const byte = r.bytes[r.at++]!,
      part = byte & 127;
    if (i < 4) lo |= part << (7 * i);
    else if (i === 4) {
      lo |= part << 28;
      hi = part >>> 4;
    } else hi |= part << (7 * i - 32);
    if (byte >= 128) continue;
    if (i === 9 && byte > 1) fail(r, "the number has more than 64 bits");
    r.lo = lo >>> 0;
    r.hi = hi >>> 0;
    return;
  }
  fail(r, "the number has more than 10 bytes");
};

/** How many varints end before `end`. */
export const countVarints = (r: Reader, end: number): number => {
  let count = 0;
  for (let i = r.at; i < end; i++) if (r.bytes[i]! < 128) count++;
  return count;
};

/** An unsigned varint; inexact from 2^53, where every use refuses it anyway. */
const readUnsigned = (r: Reader, end: number): number => {
  const first = r.bytes[r.at]!;
  if (first < 128 && r.at < end) {
    r.at++;
    return first;
  }
  readVarint(r, end);
  return r.hi * 2 ** 32 + r.lo;
};

/** Field number and wire type, as `number * 8 + type`. */
export const readTag = (r: Reader, end: number): number => {
  const tag = readUnsigned(r, end);
  if (tag < 8 || tag >= 2 ** 32) fail(r, `${tag} is not a field tag`);
  return tag;
};

/** The length of a field; where the field ends is within `end`. */
export const readLength = (r: Reader, end: number): number => {
  const length = readUnsigned(r, end);
  if (length > end - r.at) fail(r, `length ${length}, but only ${end - r.at} bytes are left around it`);
  return length;
};

/** A signed 64-bit number without loss. */
export const readInt64 = (r: Reader, end: number): Int64 => {
  const first = r.bytes[r.at]!;
  if (first < 128 && r.at < end) {
    r.at++;
    return first;
  }
  readVarint(r, end);
  const value = (r.hi | 0) * 2 ** 32 + r.lo;
  return Number.isSafeInteger(value) ? value : (BigInt(r.hi | 0) << 32n) | BigInt(r.lo);
};

/** A signed 64-bit number of which only small values make sense. */
export const readInt = (r: Reader, end: number): number => {
  const value = readInt64(r, end);
  return typeof value === "number" ? value : fail(r, `${value} is out of range`);
};

/** A signed 32-bit number. */
export const readInt32 = (r: Reader, end: number): number => {
  const value = readInt64(r, end);
  return value === Number(value) && value === (value | 0) ? value : fail(r, `${value} does not fit 32 bits`);
};

/** A view of the next `count` bytes. */
export const readView = (r: Reader, count: number, end: number): Uint8Array => {
  if (count > end - r.at) fail(r, `needs ${count} bytes, but only ${end - r.at} are left around it`);
  r.at += count;
  return r.bytes.subarray(r.at - count, r.at);
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Up to this length, the call of the decoder and its view cost more than the text. */
const SHORT = 32;
/** Short texts seen lately, by hash: the names of a graph come back again and again. Only a cache. */
const recent: string[] = Array.from({ length: 4096 }, () => "");
/** Room for the characters of one text. */
const codes: number[] = [];

/** UTF-8 text of `count` bytes. */
export const readText = (r: Reader, count: number, end: number): string => {
  spend(r, 32 + count);
  const short = count <= SHORT && count <= end - r.at ? readPlain(r, count) : undefined;
  if (short !== undefined) return short;
  const bytes = readView(r, count, end);
  try {
    return utf8.decode(bytes);
  } catch {
    return fail(r, "the text is not UTF-8");
  }
};

/** ASCII text; undefined, and nothing read, where it is not. */
const readPlain = (r: Reader, count: number): string | undefined => {
  let hash = count;
  for (let i = 0; i < count; i++) {
    const byte = r.bytes[r.at + i]!;
    if (byte >= 128) return undefined;
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  const slot = hash & (recent.length - 1);
  const held = recent[slot]!;
  const text = isText(r, count, held) ? held : plainText(r, count);
  recent[slot] = text;
  r.at += count;
  return text;
};

const isText = (r: Reader, count: number, text: string): boolean => {
  if (text.length !== count) return false;
  for (let i = 0; i < count; i++) if (text.charCodeAt(i) !== r.bytes[r.at + i]) return false;
  return true;
};

const plainText = (r: Reader, count: number): string => {
  codes.length = count;
  for (let i = 0; i < count; i++) codes[i] = r.bytes[r.at + i]!;
  return String.fromCharCode.apply(undefined, codes);
};
