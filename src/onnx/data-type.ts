import type { DType } from "../core/index.ts";
import type { TensorProto } from "./types.ts";

/** The fields of a TensorProto that can hold values. */
export type DataField =
  | "rawData"
  | "floatData"
  | "int32Data"
  | "int64Data"
  | "doubleData"
  | "uint64Data"
  | "stringData";

/** One element type of ONNX. */
export interface DataType {
  readonly name: string;
  readonly code: number;
  /** Bits of an element in `rawData`, which packs elements without gaps; 0 where they are not of one size (strings). */
  readonly bits: number;
  /** The field for values that are not in `rawData`, and how many of its entries `count` elements take. */
  readonly field: Exclude<DataField, "rawData">;
  readonly entries: (count: number) => number;
  /** The element type in memory; undefined where Temper keeps such tensors but does not compute with them. */
  readonly dtype: DType | undefined;
}

const one = (count: number): number => count;
const pairs = (count: number): number => 2 * count;
const halves = (count: number): number => Math.ceil(count / 2);
const quarters = (count: number): number => Math.ceil(count / 4);

type Row = readonly [string, number, DataType["field"], (DType | undefined)?, DataType["entries"]?];
/** Name, bits, field, dtype, entries; the first row has code 1. Source: ONNX 1.23, TensorProto.DataType. */
const rows: readonly Row[] = [
  ["float", 32, "floatData", "float32"],
  ["uint8", 8, "int32Data", "uint8"],
  ["int8", 8, "int32Data", "int8"],
  ["uint16", 16, "int32Data", "uint16"],
  ["int16", 16, "int32Data", "int16"],
  ["int32", 32, "int32Data", "int32"],
  ["int64", 64, "int64Data", "int64"],
  ["string", 0, "stringData"],
  ["bool", 8, "int32Data", "bool"],
  ["float16", 16, "int32Data", "float16"],
  ["double", 64, "doubleData", "float64"],
  ["uint32", 32, "uint64Data", "uint32"],
  ["uint64", 64, "uint64Data", "uint64"],
  ["complex64", 64, "floatData", undefined, pairs],
  ["complex128", 128, "doubleData", undefined, pairs],
  ["bfloat16", 16, "int32Data", "bfloat16"],
  ["float8e4m3fn", 8, "int32Data"],
  ["float8e4m3fnuz", 8, "int32Data"],
  ["float8e5m2", 8, "int32Data"],
  ["float8e5m2fnuz", 8, "int32Data"],
  ["uint4", 4, "int32Data", undefined, halves],
  ["int4", 4, "int32Data", undefined, halves],
  ["float4e2m1", 4, "int32Data", undefined, halves],
  ["float8e8m0", 8, "int32Data"],
  ["uint2", 2, "int32Data", undefined, quarters],
  ["int2", 2, "int32Data", undefined, quarters],
  ["float6e2m3", 6, "int32Data"],
  ["float6e3m2", 6, "int32Data"],
];

/** The element types of ONNX by code; entry 0 is undefined. */
export const DATA_TYPES: readonly (DataType | undefined)[] = [
  undefined,
  ...rows.map(([name, bits, field, dtype, entries = one], i) => ({ name, code: i + 1, bits, field, entries, dtype })),
];

const codes = new Map(DATA_TYPES.flatMap((type) => (type?.dtype ? [[type.dtype, type.code] as const] : [])));

/** The ONNX code of an element type, for `TensorProto.dataType` and `TensorTypeProto.elemType`. */
export const dataTypeOf = (dtype: DType): number => codes.get(dtype)!;

/** The element type of an ONNX code; undefined where there is none in memory (`DATA_TYPES` knows the name). */
export const dtypeOf = (code: number): DType | undefined => DATA_TYPES[code]?.dtype;

/** `float`, `int4`, or `data type 99` where the code is unknown. */
export const dataTypeName = (code: TensorProto["dataType"]): string =>
  DATA_TYPES[code ?? 0]?.name ?? `data type ${code ?? "(none)"}`;
