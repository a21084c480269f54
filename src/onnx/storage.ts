import { TemperError } from "../core/index.ts";
import { type DataField, type DataType, DATA_TYPES, dataTypeName } from "./data-type.ts";
import { quote } from "./quote.ts";
import type { TensorProto } from "./types.ts";

/** Where the values of a tensor lie in its message; checked, not yet read. */
export interface Storage {
  readonly label: string;
  readonly type: DataType;
  readonly shape: readonly number[];
  /** Elements. */
  readonly count: number;
  /** `external`: in another file; `none`: no elements at all. */
  readonly field: DataField | "external" | "none";
  /** Bytes that the elements take as `rawData` or in another file. */
  readonly rawBytes: number;
}

const FIELDS: readonly DataField[] = [
  "rawData",
  "floatData",
  "int32Data",
  "int64Data",
  "doubleData",
  "uint64Data",
  "stringData",
];

/** `tensor "w"`; tensors without a name (in attributes) go by the place that the caller gives. */
export const tensorLabel = (proto: TensorProto, place?: string): string =>
  proto.name === undefined || proto.name === "" ? (place ?? "a tensor without a name") : `tensor ${quote(proto.name)}`;

/** The product of the dimensions. @throws TemperError `bad-file`: negative, or too many to count */
export const elementCount = (dims: readonly number[], label: string): number => {
  for (const d of dims)
    if (!Number.isSafeInteger(d) || d < 0) throw new TemperError("bad-file", `${label}: dimension ${d} is not a size.`);
  if (dims.includes(0)) return 0;
  const count = dims.reduce((product, d) => product * d, 1);
  if (!Number.isSafeInteger(count))
    throw new TemperError("bad-file", `${label}: dims [${dims.join(", ")}] are more elements than can be counted.`);
  return count;
};

/**
 * Finds the values of a tensor and checks that they are as many as its dims say. Nothing is read or allocated.
 *
 * @param place  name for messages where the tensor has none
 * @throws TemperError `bad-file`: an unknown type, impossible dims, no data, data in a wrong field or in two, or of a
 * wrong size; `unsupported`: a segment of a tensor
 */
export const storageOf = (proto: TensorProto, place?: string): Storage => {
  const label = tensorLabel(proto, place);
  const type = DATA_TYPES[proto.dataType ?? 0];
  if (type === undefined) throw new TemperError("bad-file", `${label}: there is no ${dataTypeName(proto.dataType)}.`);
  if (proto.segment !== undefined)
    throw new TemperError("unsupported", `${label} is a segment of a tensor. Save it whole.`);
  const shape = proto.dims ?? [];
  const count = elementCount(shape, label);
  const field = fieldOf(proto, type, count, label);
  const storage: Storage = { label, type, shape, count, field, rawBytes: Math.ceil((count * type.bits) / 8) };
  checkSize(proto, storage);
  return storage;
};

const fieldOf = (proto: TensorProto, type: DataType, count: number, label: string): Storage["field"] => {
  // an empty rawData beside another field is how some writers leave it
  const set = FIELDS.filter((name) => (proto[name]?.length ?? 0) > 0);
  if (set.length > 1) throw new TemperError("bad-file", `${label} has values in ${set.join(" and ")}.`);
  const [field] = set;
  const location = proto.dataLocation ?? 0;
  if (location !== 0 && location !== 1)
    throw new TemperError("bad-file", `${label}: data location ${location} is neither 0 (here) nor 1 (external).`);
  if (location === 1) {
    if (field) throw new TemperError("bad-file", `${label} is in another file, yet has ${field}.`);
    if (type.bits === 0) throw new TemperError("bad-file", `${label}: strings cannot be in another file.`);
    return "external";
  }
  if (field !== undefined && field !== type.field && (field !== "rawData" || type.bits === 0))
    throw new TemperError("bad-file", `${label} is of type ${type.name}, which ${field} cannot hold.`);
  if (field === undefined && count > 0)
    throw new TemperError("bad-file", `${label} ${describe(proto)} needs ${count} elements, but holds no data.`);
  return field ?? "none";
};

const describe = (proto: TensorProto): string => `[${(proto.dims ?? []).join(", ")}]`;

const checkSize = (proto: TensorProto, { label, type, count, field, rawBytes }: Storage): void => {
  if (field === "external" || field === "none") return;
  const [needed, given] =
    field === "rawData" ? [rawBytes, proto.rawData!.length] : [type.entries(count), entryCount(proto, field)];
  if (needed !== given)
    throw new TemperError(
      "bad-file",
      `${label}, ${type.name} ${describe(proto)}, needs ${needed} ${field === "rawData" ? "bytes" : "entries"} ` +
        `in ${field}, got ${given}.`,
    );
};

const entryCount = (proto: TensorProto, field: Exclude<DataField, "rawData">): number => {
  const held = proto[field]!;
  if (!(held instanceof Uint8Array)) return held.length;
  if (field === "floatData") return held.length / 4;
  if (field === "doubleData") return held.length / 8;
  let count = 0;
  for (let i = 0; i < held.length; i++) if (held[i]! < 128) count++; // last bytes of varints
  return count;
};
