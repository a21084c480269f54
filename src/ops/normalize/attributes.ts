import { type Tensor, TemperError } from "../../core/index.ts";
import { type Attribute, type AttributeKind, type AttributeKinds } from "../../graph/index.ts";
import {
  ATTRIBUTE_TYPES,
  attributeField,
  type AttributeProto,
  decodeText,
  type ExternalData,
  type Int64,
  tensorFromProto,
  tensorToProto,
} from "../../onnx/index.ts";

/** An attribute as the file has it: what kind of value, and the value. Sub-graphs and types stay raw (`opaque`). */
export interface FileAttribute {
  readonly kind: AttributeKind;
  readonly value: Attribute;
}

/** @throws TemperError `bad-file`: text that is not UTF-8, tensors whose data does not fill them */
export const readAttribute = (
  proto: AttributeProto,
  place: string,
  external: ExternalData | undefined,
): FileAttribute => {
  const field = attributeField(proto, place);
  switch (field) {
    case "i":
      return { kind: "int", value: Number(proto.i ?? 0) };
    case "f":
      return { kind: "float", value: proto.f ?? 0 };
    case "s":
      return { kind: "string", value: decodeText(proto.s ?? new Uint8Array(), place) };
    case "ints":
      return { kind: "ints", value: (proto.ints ?? []).map(Number) };
    case "floats":
      return { kind: "floats", value: proto.floats ?? [] };
    case "strings":
      return { kind: "strings", value: (proto.strings ?? []).map((s) => decodeText(s, place)) };
    case "t":
      return { kind: "tensor", value: tensorFromProto(proto.t!, { external, place }) };
    default:
      return { kind: "opaque", value: proto };
  }
};

const text = new TextEncoder();
/** Saturates where float64 rounded "to the end" up to 2^63. */
const int64 = (value: number): Int64 => {
  if (Number.isSafeInteger(value)) return value;
  return value >= 2 ** 63 ? 2n ** 63n - 1n : value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(Math.trunc(value));
};

type Writers = { readonly [K in AttributeKind]?: (value: AttributeKinds[K]) => AttributeProto };
const writers: Writers = {
  int: (value) => ({ type: ATTRIBUTE_TYPES.i, i: int64(value) }),
  float: (value) => ({ type: ATTRIBUTE_TYPES.f, f: value }),
  string: (value) => ({ type: ATTRIBUTE_TYPES.s, s: text.encode(value) }),
  ints: (values) => ({ type: ATTRIBUTE_TYPES.ints, ints: values.map(int64) }),
  floats: (floats) => ({ type: ATTRIBUTE_TYPES.floats, floats }),
  strings: (values) => ({ type: ATTRIBUTE_TYPES.strings, strings: values.map((s) => text.encode(s)) }),
  tensor: (value: Tensor) => ({ type: ATTRIBUTE_TYPES.t, t: tensorToProto("", value) }),
};

/**
 * An attribute for a file. Sub-graphs are not among what it writes.
 * @throws TemperError `unsupported`: a kind that only exists inside the process
 */
export const writeAttribute = (name: string, kind: AttributeKind, value: Attribute, place: string): AttributeProto => {
  const write = writers[kind] as ((value: Attribute) => AttributeProto) | undefined;
  if (!write)
    throw new TemperError("unsupported", `${place}: attribute ${name} (${kind}) cannot be written to a file.`);
  return { name, ...write(value) };
};
