import type { ArmRow, ClaimRow, DataPart, ReproductionReport } from "./reproduction.ts";
import {
  type DocumentSchema,
  type JsonSchema,
  list,
  machine,
  measured,
  object,
  positive,
  share,
  text,
  whole,
} from "./schema-parts.ts";

const flag: JsonSchema = { type: "boolean" };
const byName: JsonSchema = { type: "object", description: "numbers by name; those that are not finite stand as text" };
const part = object<DataPart>({ name: text, count: whole, hash: text });

/** JSON Schema of the document that {@link renderReproductionJson} gives, in the order of its keys. */
export const reproductionSchema: DocumentSchema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: "urn:temper:reproduction:1",
  title: "Result of temper reproduce",
  ...object<ReproductionReport>({
    schema: { const: "temper.reproduction/1" },
    slug: text,
    title: text,
    source: text,
    command: text,
    createdAt: text,
    scale: { const: "small" },
    kind: text,
    data: object<ReproductionReport["data"]>({ train: part, test: part }),
    seeds: list(whole),
    held: { ...flag, description: "every required claim held" },
    claims: list(
      object<ClaimRow>({
        text,
        published: { type: ["string", "null"] },
        required: flag,
        threshold: { ...text, description: "page: it stands there; else on what it was calibrated" },
        held: flag,
        unit: { enum: ["percent", "points", "ratio", "number"], description: "percent and points: fractions of one" },
        values: { ...list(measured), description: "one a seed" },
        mean: measured,
        low: { ...measured, description: "95 % interval of the mean over seeds; null for fewer than two" },
        high: measured,
      }),
    ),
    measured: list(byName),
    arms: list(
      object<ArmRow>({
        name: text,
        seed: whole,
        configuration: { type: "object" },
        clean: share,
        fgsm: share,
        pgd: share,
        gradientEvaluations: positive,
        seconds: positive,
        history: list(byName),
      }),
    ),
    notes: list(text),
    seconds: object<ReproductionReport["seconds"]>({ total: positive, training: positive }),
    machine,
  }),
};
