import type { Target } from "../attack/index.ts";
import type { Threat } from "../threat/index.ts";
import { logitsOf, predictionsOf, type Standing } from "./cascade.ts";
import type { ClassRow, EvaluationResult, ExampleRow } from "./result.ts";

export type Summary = Pick<EvaluationResult, "perClass" | "confusion" | "examples">;

export interface SummaryOptions {
  readonly batch: number;
  readonly pictures: number;
  readonly classNames: readonly string[];
  /** Of every example's point from the example. */
  readonly distance: Float32Array;
}

/** Share of the time that was not spent inside of the runtime: what a faster network would not save. */
export const idleShare = ({ total, engine }: EvaluationResult["seconds"]): number =>
  total > 0 ? Math.max(0, 1 - engine / total) : 0;

/** Per-class rows, confusions and pictures at one epsilon. NaN is no prediction: such rows have neither place nor picture. */
export const summarize = async (
  target: Target,
  standing: Standing,
  cleanLogits: Float32Array,
  { epsilon }: Threat,
  options: SummaryOptions,
): Promise<Summary> => {
  const { classes, d } = target,
    { predictions, brokenAt, adv, labels, x } = standing;
  const advLogits = await logitsOf(target, adv, options.batch);
  // What is wrong without attack is wrong under attack, whatever the attack's best guess was.
  const attacked = predictionsOf(advLogits, classes).map((p, i) => (brokenAt[i] === 0 ? predictions[i]! : p));
  const rows = Array.from(labels.keys()).filter((i) => predictions[i]! >= 0 && attacked[i]! >= 0);
  const broken = rows.filter((i) => brokenAt[i]! > 0 && brokenAt[i]! <= epsilon),
    stands = rows.filter((i) => brokenAt[i]! > epsilon && standing.attack[i] !== "");
  const shown = [...spread(broken, options.pictures), ...stands].slice(0, options.pictures);
  return {
    perClass: perClassOf(standing, classes, epsilon, options.classNames),
    confusion: { clean: confusionOf(labels, predictions, classes), attacked: confusionOf(labels, attacked, classes) },
    examples: shown.map((i): ExampleRow => ({
      index: i,
      label: labels[i]!,
      clean: { label: predictions[i]!, confidence: confidence(cleanLogits, i, classes, predictions[i]!) },
      adversarial: { label: attacked[i]!, confidence: confidence(advLogits, i, classes, attacked[i]!) },
      attack: standing.attack[i]!,
      distance: options.distance[i]!,
      pixels: Array.from(x.subarray(i * d, (i + 1) * d)),
      adversarialPixels: Array.from(adv.subarray(i * d, (i + 1) * d)),
    })),
  };
};

const perClassOf = (
  { labels, predictions, brokenAt }: Standing,
  classes: number,
  epsilon: number,
  names: readonly string[],
): ClassRow[] => {
  const rows = Array.from({ length: classes }, (_, k) => ({
    name: names[k] ?? String(k),
    count: 0,
    clean: 0,
    robust: 0,
  }));
  labels.forEach((label, i) => {
    const row = rows[label]!;
    row.count++;
    if (predictions[i] === label) row.clean++;
    if (brokenAt[i]! > epsilon) row.robust++;
  });
  return rows;
};

/** Rows without a prediction (NaN) are counted nowhere. */
const confusionOf = (labels: Int32Array, found: Int32Array, classes: number): number[][] => {
  const table = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  found.forEach((p, i) => {
    if (p >= 0) table[labels[i]!]![p]!++;
  });
  return table;
};

/** Up to `most` entries, evenly spaced, so that pictures do not all come from the start of the data. */
const spread = (rows: readonly number[], most: number): number[] =>
  rows.length <= most ? [...rows] : Array.from({ length: most }, (_, k) => rows[Math.floor((k * rows.length) / most)]!);

/** Softmax probability of a class. Outputs that already are probabilities are taken as they are. */
const confidence = (logits: Float32Array, row: number, classes: number, k: number): number => {
  if (k < 0) return 0;
  const scores = logits.subarray(row * classes, (row + 1) * classes);
  const total = scores.reduce((s, v) => s + v, 0);
  if (Math.abs(total - 1) < 1e-4 && scores.every((v) => v >= 0 && v <= 1)) return scores[k]!;
  const top = scores.reduce((m, v) => Math.max(m, v), -Infinity);
  return Math.exp(scores[k]! - top) / scores.reduce((s, v) => s + Math.exp(v - top), 0);
};
