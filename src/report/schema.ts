import type {
  AttackRow,
  ClassRow,
  Doubt,
  EpsilonRow,
  EvaluationResult,
  ExampleRow,
  Fraction,
  Judgement,
  Machine,
} from "../evaluate/index.ts";

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

/** The schema of an object; the type makes sure that every field of the record has its line. */
const object = <T>(properties: { readonly [K in keyof T]-?: JsonSchema }): JsonSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const list = (items: JsonSchema): JsonSchema => ({ type: "array", items });
const pair = (items: JsonSchema): JsonSchema => ({ type: "array", items, minItems: 2, maxItems: 2 });

const text: JsonSchema = { type: "string" };
const number: JsonSchema = { type: "number" };
const positive: JsonSchema = { type: "number", minimum: 0 };
const share: JsonSchema = { type: "number", minimum: 0, maximum: 1 };
const whole: JsonSchema = { type: "integer", minimum: 0 };
/** Measured by the model or on its input: null where that was not a finite number. */
const measured: JsonSchema = { type: ["number", "null"] };

const fraction = object<Fraction>({ value: share, low: share, high: share, count: whole });
const attack = object<AttackRow>({
  name: text,
  options: { type: "object", description: "options of the attack; numbers that are not finite stand as text" },
  attempted: whole,
  broken: whole,
  robustAccuracy: fraction,
  gradientEvaluations: positive,
  forwardEvaluations: positive,
  seconds: positive,
});
const judgement = object<Judgement>({ label: whole, confidence: measured });
const counts = list(list(whole));

/** JSON Schema of the document that {@link renderJson} gives. Its order of keys is the order in the document. */
export const evaluationSchema: JsonSchema & { readonly $schema: string; readonly $id: string; readonly title: string } =
  {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:temper:evaluation:1",
    title: "Result of temper evaluate",
    ...object<EvaluationResult>({
      schema: { const: "temper.evaluation/1" },
      command: text,
      createdAt: text,
      seed: { type: "integer" },
      model: object<EvaluationResult["model"]>({
        path: text,
        hash: text,
        inputShape: list(whole),
        classes: whole,
        parameters: whole,
        notes: list(text),
      }),
      data: object<EvaluationResult["data"]>({
        name: text,
        split: text,
        count: whole,
        range: pair(number),
        layout: text,
        classes: list(text),
        hash: text,
        source: text,
        notes: list(text),
      }),
      threat: object<EvaluationResult["threat"]>({
        norm: { enum: ["linf", "l2", "l1"] },
        epsilon: { ...positive, description: "in units of the model's input" },
        box: pair(number),
      }),
      cleanAccuracy: fraction,
      robustAccuracy: { ...fraction, description: "worst case over all attacks at threat.epsilon" },
      attacks: list(attack),
      sweep: list(object<EpsilonRow>({ epsilon: positive, robustAccuracy: fraction, attacks: list(attack) })),
      perClass: list(object<ClassRow>({ name: text, count: whole, clean: whole, robust: whole })),
      confusion: object<EvaluationResult["confusion"]>({ clean: counts, attacked: counts }),
      examples: list(
        object<ExampleRow>({
          index: whole,
          label: whole,
          clean: judgement,
          adversarial: judgement,
          attack: text,
          distance: measured,
          pixels: list(measured),
          adversarialPixels: list(measured),
        }),
      ),
      doubts: list(object<Doubt>({ code: text, message: text })),
      cost: object<EvaluationResult["cost"]>({ gradientEvaluations: whole, forwardEvaluations: whole }),
      run: object<EvaluationResult["run"]>({
        batch: { ...whole, description: "examples a batch" },
        lanes: { ...whole, description: "batches that were attacked at once" },
      }),
      seconds: object<EvaluationResult["seconds"]>({
        total: positive,
        clean: positive,
        attack: positive,
        engine: positive,
      }),
      machine: object<Machine>({
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
      }),
    }),
  };
