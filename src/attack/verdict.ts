/** Index of the largest of `classes` scores; -1 where one is NaN. The first wins a tie. */
export const predictionOf = (logits: Float32Array, row: number, classes: number): number => {
  let best = 0;
  const at = row * classes;
  for (let k = 0; k < classes; k++) {
    if (Number.isNaN(logits[at + k])) return -1;
    if (logits[at + k]! > logits[at + best]!) best = k;
  }
  return best;
};

/** Largest wrong score minus the label's; infinite where the row holds NaN, which counts as misclassified. */
export const marginOf = (logits: Float32Array, row: number, classes: number, label: number): number => {
  let wrong = -Infinity;
  const at = row * classes,
    right = logits[at + label]!;
  for (let k = 0; k < classes; k++) {
    const score = logits[at + k]!;
    if (score !== score) return Infinity;
    if (k !== label && score > wrong) wrong = score;
  }
  return Math.fround(wrong - right); // as a program has it
};
