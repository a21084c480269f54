import type { JsonSchema } from "temper/report";

const typeOf = (value: unknown): readonly string[] => {
  if (value === null) return ["null"];
  if (Array.isArray(value)) return ["array"];
  return Number.isInteger(value) ? ["integer", "number"] : [typeof value];
};

/** The places where `value` breaks `schema`; for the keywords that the schema uses, each of which it knows. */
export const faults = (value: unknown, schema: JsonSchema, where = ""): readonly string[] => {
  const found: string[] = [];
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !typeOf(value).some((type) => types.includes(type))) return [`${where}: type`];
  if (schema.const !== undefined && value !== schema.const) found.push(`${where}: const`);
  if (schema.enum && !schema.enum.includes(value as string)) found.push(`${where}: enum`);
  if (typeof value === "number" && (value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity)))
    found.push(`${where}: range`);
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Infinity))
      found.push(`${where}: length`);
    if (schema.items) found.push(...value.flatMap((item, i) => faults(item, schema.items!, `${where}/${i}`)));
  } else if (typeof value === "object" && value !== null) {
    const fields = value as Readonly<Record<string, unknown>>;
    for (const key of schema.required ?? []) if (!Object.hasOwn(fields, key)) found.push(`${where}/${key}: missing`);
    for (const [key, field] of Object.entries(fields)) {
      const inner = schema.properties?.[key];
      if (inner) found.push(...faults(field, inner, `${where}/${key}`));
      else if (schema.additionalProperties === false) found.push(`${where}/${key}: unknown`);
    }
  }
  return found;
};
