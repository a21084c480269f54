import { TemperError } from "../core/index.ts";

type Scores = Float32Array | Float64Array;

const rowsOf = (logits: Scores, classes: number): number => {
  if (!Number.isInteger(classes) || classes < 1 || logits.length % classes !== 0)
    throw new TemperError("bad-shape", `${logits.length} scores are not whole rows of ${classes} classes.`);
  return logits.length / classes;
};

/** Predicted class of every row: the first of the largest scores; -1 where a row holds NaN. */
export const argmaxRows = (logits: Scores, classes: number): Int32Array =>
  Int32Array.from({ length: rowsOf(logits, classes) }, (_, row) => {
    let best = 0;
    const at = row * classes;
    for (let k = 0; k < classes; k++) {
      const score = logits[at + k]!;
      if (score !== score) return -1;
      if (score > logits[at + best]!) best = k;
    }
    return best;
  });

/** Largest wrong score minus the label's, a row: above 0 means misclassified. NaN where a row holds NaN. */
export const marginOf = (logits: Scores, labels: ArrayLike<number>, classes: number): Float64Array => {
  const n = rowsOf(logits, classes);
  if (labels.length !== n)
    throw new TemperError("bad-shape", `${n} rows of scores need as many labels, got ${labels.length}.`);
  return Float64Array.from({ length: n }, (_, row) => {
    let wrong = -Infinity;
    for (let k = 0; k < classes; k++) {
      const score = logits[row * classes + k]!;
      if (score !== score) return NaN;
      if (k !== labels[row] && score > wrong) wrong = score;
    }
    return wrong - logits[row * classes + labels[row]!]!;
  });
};

/** Probabilities of every row, in float64; rows sum to 1. */
export const softmaxRows = (logits: Scores, classes: number): Float64Array => {
  const n = rowsOf(logits, classes),
    out = new Float64Array(logits.length);
  for (let at = 0; at < n * classes; at += classes) {
    let top = -Infinity,
      sum = 0;
    for (let k = at; k < at + classes; k++) top = Math.max(top, logits[k]!);
    for (let k = at; k < at + classes; k++) sum += out[k] = Math.exp(logits[k]! - top);
    for (let k = at; k < at + classes; k++) out[k]! /= sum;
  }
  return out;
};
