import type { Machine } from "../evaluate/index.ts";

/** The part of JSON Schema (2020-12) that describes a result. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** The schema of a whole document. */
export interface DocumentSchema extends JsonSchema {
  readonly $schema: string;
  readonly $id: string;
  readonly title: string;
}

/** The schema of an object; the type makes sure that every field of the record has its line. */
export const object = <T>(properties: { readonly [K in keyof T]-?: JsonSchema }): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
export const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
export const pair = (items: JsonSchema): JsonSchema => ({ type: "array", items, minItems: 2, maxItems: 2 });

export const text: JsonSchema = { type: "string" };
export const number: JsonSchema = { type: "number" };
export const positive: JsonSchema = { type: "number", minimum: 0 };
export const share: JsonSchema = { type: "number", minimum: 0, maximum: 1 };
export const whole: JsonSchema = { type: "integer", minimum: 0 };
/** Measured by the model or on its input: null where that was not a finite number. */
export const measured: JsonSchema = { type: ["number", "null"] };

export const machine = object<Machine>({
  cpu: text,
  cores: whole,
  threads: whole,
  platform: text,
  node: text,
  onnxruntime: text,
  temper: text,
  winogradChannels: {
    ...whole,
    description: "convolutions of so many channels used Winograd's algorithm in gradients; 0: none did",
  },
});
