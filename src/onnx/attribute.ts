import { TemperError } from "../core/index.ts";
import type { AttributeProto, Message } from "./types.ts";

/** The fields of an attribute that can hold its value. */
export type AttributeField = Exclude<
  keyof AttributeProto,
  keyof Message | "name" | "docString" | "type" | "refAttrName"
>;

/** Codes of `AttributeProto.type` by the field that holds the value. Source: ONNX, AttributeProto.AttributeType. */
export const ATTRIBUTE_TYPES = {
  f: 1,
  i: 2,
  s: 3,
  t: 4,
  g: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparseTensor: 11,
  sparseTensors: 12,
  tp: 13,
  typeProtos: 14,
} as const satisfies Record<AttributeField, number>;

const FIELDS = Object.keys(ATTRIBUTE_TYPES) as AttributeField[];
const byCode = new Map<number, AttributeField>(FIELDS.map((field) => [ATTRIBUTE_TYPES[field], field]));
/** Fields of which nothing is a value: empty lists, and numbers and text that some writers leave out when they are 0. */
const mayBeAbsent: ReadonlySet<AttributeField> = new Set(
  FIELDS.filter((field) => field.endsWith("s") || field === "f" || field === "i"),
);

/**
 * The field that holds the value of an attribute. A list, `f`, `i` or `s` may be absent there: empty or zero.
 *
 * @param place  the attribute's name for messages
 * @throws TemperError `bad-file`: no or two values, or one of another type than `type` says
 */
export const attributeField = (attribute: AttributeProto, place: string): AttributeField => {
  const bad = (text: string): TemperError => new TemperError("bad-file", `${place} ${text}.`);
  const set = FIELDS.filter((field) => isSet(attribute[field]));
  if (set.length > 1) throw bad(`has two values, ${set.join(" and ")}`);
  const code = attribute.type ?? 0;
  const field = code === 0 ? set[0] : byCode.get(code); // the first files had no type
  if (field === undefined)
    throw bad(code === 0 ? "has neither type nor value" : `has type ${code}, which does not exist`);
  if (set.length === 1 && set[0] !== field) throw bad(`says that its value is in ${field}, but has ${set[0]}`);
  if (set.length === 0 && !mayBeAbsent.has(field) && !attribute.refAttrName) throw bad(`has no ${field}`);
  return field;
};

const isSet = (value: AttributeProto[AttributeField]): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined;
