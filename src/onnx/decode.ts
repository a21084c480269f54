import { type Field, type Kind, MODEL, type Table, TENSOR } from "./schema.ts";
import type { ModelProto, TensorProto } from "./types.ts";
import * as wire from "./wire.ts";
import type { Reader } from "./wire.ts";

type Fields = Record<string, unknown>;

const VARINT = 0;
const BYTES = 2;
/** Wire type of one value of each kind. */
const WIRE: Readonly<Record<Kind, number>> = {
  int: VARINT,
  int32: VARINT,
  int64: VARINT,
  float: 5,
  string: BYTES,
  bytes: BYTES,
  message: BYTES,
  run4: 5,
  run8: 1,
  runVarint: VARINT,
};
// Estimated memory in bytes (V8, 64 bits): an object, a view, a list, an entry of a list while the list grows.
const OBJECT = 72;
const VIEW = 112;
const LIST = 192;
const ENTRY = 24;

/**
 * Reads a model. No tensor data is copied: byte fields are views of `bytes`, which must not change afterwards.
 * Only the wire format is checked; `validateModel` checks the model.
 *
 * @throws TemperError `bad-file`, naming the place: truncated, a length that passes its message, a wrong type, text
 * that is not UTF-8, nested deeper than 100, or a field that may stand once twice
 */
export const decodeModel = (bytes: Uint8Array): ModelProto => {
  const reader = wire.createReader("model", bytes);
  return readMessage(reader, MODEL, bytes.byteLength) as ModelProto;
};

/** Reads a single TensorProto (a `.pb` file), as `decodeModel` does. */
export const decodeTensor = (bytes: Uint8Array): TensorProto => {
  const reader = wire.createReader("tensor", bytes);
  return readMessage(reader, TENSOR, bytes.byteLength) as TensorProto;
};

const readMessage = (r: Reader, table: Table, end: number): Fields => {
  wire.spend(r, OBJECT);
  const out: Fields = {};
  while (r.at < end) {
    r.field = "";
    r.index = -1;
    r.start = r.at;
    const tag = wire.readTag(r, end);
    const field = table.byNumber[tag >>> 3];
    if (field === undefined) keepUnknown(r, out, tag, end);
    else readField(r, out, field, tag & 7, end);
  }
  return out;
};

const readField = (r: Reader, out: Fields, field: Field, type: number, end: number): void => {
  r.field = field.key;
  if (field.list) return readListed(r, out, field, type, end);
  if (field.kind === "run4" || field.kind === "run8" || field.kind === "runVarint") {
    const run = readRun(r, field, type, end);
    out[field.key] = joinRuns(r, out[field.key] as Uint8Array | undefined, run);
    return;
  }
  expectType(r, field, type);
  // Merging, as protocol buffers ask, would let a small file make us copy without end; no writer repeats them.
  if (field.kind === "message" && out[field.key] !== undefined) wire.fail(r, "stands twice");
  out[field.key] = readValue(r, field, end);
  for (const rival of field.rivals) if (out[rival] !== undefined) delete out[rival];
};

const expectType = (r: Reader, field: Field, type: number): void => {
  if (type !== WIRE[field.kind]) wire.fail(r, `has wire type ${type}, not ${WIRE[field.kind]}`);
};

const readListed = (r: Reader, out: Fields, field: Field, type: number, end: number): void => {
  const list = (out[field.key] ?? []) as unknown[];
  r.index = list.length;
  if (type === BYTES && WIRE[field.kind] !== BYTES) {
    const stop = wire.readLength(r, end) + r.at;
    if (stop === r.at) return;
    out[field.key] = list;
    return readPacked(r, list, field, stop);
  }
  expectType(r, field, type);
  wire.spend(r, list.length === 0 ? LIST : ENTRY);
  const value = readValue(r, field, end);
  // a literal holds one entry exactly, a push makes room for many: most lists stay that short
  if (list.length === 0) out[field.key] = [value];
  else list.push(value);
};

const readPacked = (r: Reader, list: unknown[], field: Field, stop: number): void => {
  wire.spend(r, LIST + ENTRY * (field.kind === "float" ? (stop - r.at) / 4 : wire.countVarints(r, stop)));
  while (r.at < stop) {
    r.index = list.length;
    list.push(readValue(r, field, stop));
  }
};

const readValue = (r: Reader, field: Field, end: number): unknown => {
  switch (field.kind) {
    case "int":
      return wire.readInt(r, end);
    case "int32":
      return wire.readInt32(r, end);
    case "int64": {
      const value = wire.readInt64(r, end);
      if (typeof value === "bigint") wire.spend(r, ENTRY);
      return value;
    }
    case "float":
      wire.readView(r, 4, end);
      return r.view.getFloat32(r.at - 4, true);
    case "string":
      return wire.readText(r, wire.readLength(r, end), end);
    case "message":
      return readNested(r, field, end);
    default:
      wire.spend(r, VIEW);
      return wire.readView(r, wire.readLength(r, end), end);
  }
};

const readNested = (r: Reader, field: Field, end: number): Fields => {
  const stop = wire.readLength(r, end) + r.at;
  if (r.keys.length >= wire.MAX_DEPTH) wire.fail(r, `messages are nested deeper than ${wire.MAX_DEPTH}`);
  r.keys.push(field.key);
  r.indices.push(r.index);
  r.field = "";
  const message = readMessage(r, field.table(), stop);
  r.keys.pop();
  r.indices.pop();
  return message;
};

/** The packed numbers of a run as one view, or, where they stand one by one, a copy without the tags. */
const readRun = (r: Reader, field: Field, type: number, end: number): Uint8Array => {
  const width = field.kind === "run4" ? 4 : field.kind === "run8" ? 8 : 0;
  if (type !== BYTES) {
    expectType(r, field, type);
    return readLoose(r, field.number * 8 + type, width, end);
  }
  wire.spend(r, VIEW);
  const run = wire.readView(r, wire.readLength(r, end), end);
  if (width > 0 && run.length % width !== 0) wire.fail(r, `${run.length} bytes are not a multiple of ${width}`);
  if (width === 0) {
    const stop = r.at;
    for (r.at -= run.length; r.at < stop;) wire.readVarint(r, stop);
  }
  return run;
};

/** Numbers with a tag each (one byte, as fields of runs have it), while it follows; twice over them, to allocate once. */
const readLoose = (r: Reader, tag: number, width: number, end: number): Uint8Array => {
  const first = r.at;
  let total = 0;
  const next = (): Uint8Array => {
    const from = r.at;
    if (width > 0) return wire.readView(r, width, end);
    wire.readVarint(r, end);
    return r.bytes.subarray(from, r.at);
  };
  const more = (): boolean => r.at < end && r.bytes[r.at] === tag && ++r.at > 0;
  do total += next().length;
  while (more());
  const run = new Uint8Array(total);
  r.at = first;
  total = 0;
  do {
    const value = next();
    run.set(value, total);
    total += value.length;
  } while (more());
  return run;
};

/** A run that continues an earlier one. The room doubles, so that many small pieces do not cost the square. */
const joinRuns = (r: Reader, held: Uint8Array | undefined, piece: Uint8Array): Uint8Array => {
  if (held === undefined || held.length === 0) return piece;
  const length = held.length + piece.length;
  const owned = held.buffer !== r.bytes.buffer && length <= held.buffer.byteLength;
  const joined = new Uint8Array(owned ? held.buffer : new ArrayBuffer(2 * length), 0, length);
  if (!owned) joined.set(held);
  joined.set(piece, held.length);
  return joined;
};

const keepUnknown = (r: Reader, out: Fields, tag: number, end: number): void => {
  r.field = `field ${tag >>> 3}`;
  const type = tag & 7;
  if (type === VARINT) wire.readVarint(r, end);
  else if (type === 1) wire.readView(r, 8, end);
  else if (type === BYTES) wire.readView(r, wire.readLength(r, end), end);
  else if (type === 5) wire.readView(r, 4, end);
  else wire.fail(r, `has wire type ${type}, which ONNX files do not use`);
  wire.spend(r, VIEW + LIST);
  const list = (out["unknown"] ??= []) as Uint8Array[];
  list.push(r.bytes.subarray(r.start, r.at));
};
