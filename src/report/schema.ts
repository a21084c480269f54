import type {
  AttackRow,
  ClassRow,
  Doubt,
  EpsilonRow,
  EvaluationResult,
  ExampleRow,
  Fraction,
  Judgement,
} from "../evaluate/index.ts";
import {
  type DocumentSchema,
  list,
  machine,
  measured,
  number,
  object,
  pair,
  positive,
  share,
  text,
  whole,
} from "./schema-parts.ts";

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
export const evaluationSchema: DocumentSchema = {
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
    machine,
  }),
};
