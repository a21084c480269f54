import { TemperError } from "../core/index.ts";
import type { EvaluationResult } from "../evaluate/index.ts";
import type { ReproductionReport } from "./reproduction.ts";
import { reproductionSchema } from "./reproduction-schema.ts";
import { evaluationSchema } from "./schema.ts";
import type { JsonSchema } from "./schema-parts.ts";

const nullable = (schema: JsonSchema | undefined): boolean =>
  Array.isArray(schema?.type) && schema.type.includes("null");

const numberText = (value: number, schema: JsonSchema | undefined, where: string): string => {
  if (Number.isFinite(value)) return JSON.stringify(value);
  if (schema === undefined) return JSON.stringify(String(value));
  if (nullable(schema)) return "null";
  throw new TemperError("nonfinite", `report: ${where} must be a finite number, got ${value}.`);
};

/** Keys of the schema first, in its order, then others (options of methods) by the alphabet. */
const keysOf = (value: object, schema: JsonSchema | undefined): readonly string[] => {
  const known = Object.keys(schema?.properties ?? {}).filter((key) => Object.hasOwn(value, key));
  return [
    ...known,
    ...Object.keys(value)
      .filter((key) => !known.includes(key))
      .sort(),
  ];
};

const print = (value: unknown, schema: JsonSchema | undefined, where: string, indent: string): string => {
  if (typeof value === "number") return numberText(value, schema, where);
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const deeper = `${indent}  `;
  const inner = (child: unknown, key: string | number, childSchema: JsonSchema | undefined): string =>
    print(child, childSchema, where === "" ? String(key) : `${where}.${key}`, deeper);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const items = Array.from(value as ArrayLike<unknown>, (item, i) => inner(item, i, schema?.items));
    const flat = Array.from(value as ArrayLike<unknown>).every((item) => typeof item !== "object" || item === null);
    return flat ? `[${items.join(", ")}]` : `[\n${deeper}${items.join(`,\n${deeper}`)}\n${indent}]`;
  }
  const fields = keysOf(value, schema)
    .map((key) => [key, (value as Readonly<Record<string, unknown>>)[key]] as const)
    .filter(([, field]) => field !== undefined)
    .map(([key, field]) => `${JSON.stringify(key)}: ${inner(field, key, schema?.properties?.[key])}`);
  return fields.length === 0 ? "{}" : `{\n${deeper}${fields.join(`,\n${deeper}`)}\n${indent}}`;
};

/**
 * The result as JSON of the form {@link evaluationSchema}. The order of keys is that of the schema however the record
 * was made, and lists of numbers stand on one line, so that two results can be compared as text. Confidences, distances
 * and pixels that are not finite become null; in options they become text.
 *
 * @throws TemperError `nonfinite`: any other number is NaN or infinite, with its place
 */
export const renderJson = (result: EvaluationResult): string => `${print(result, evaluationSchema, "", "")}\n`;

/** A reproduction as JSON of the form {@link reproductionSchema}, as {@link renderJson} writes a result. @throws as that */
export const renderReproductionJson = (report: ReproductionReport): string =>
  `${print(report, reproductionSchema, "", "")}\n`;
