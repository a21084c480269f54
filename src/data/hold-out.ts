import { createRng, TemperError } from "../core/index.ts";
import { countOf, type Dataset, selectExamples } from "./dataset.ts";

/**
 * Takes `n` random images out of the data set, for validation. Which ones depends on the seed alone.
 *
 * @returns what is left, and what was taken as split `validation`, both in the old order
 * @throws TemperError `bad-option`: nothing taken, or nothing left
 */
export const holdOut = (
  dataset: Dataset,
  n: number,
  {
    seed = 0,
    stratified = false,
  }: {
    readonly seed?: number;
    /** Every class in its share of all images, to the nearest image. */
    readonly stratified?: boolean;
  } = {},
): { readonly train: Dataset; readonly held: Dataset } => {
  const count = countOf(dataset);
  if (!Number.isInteger(n) || n < 1 || n >= count)
    throw new TemperError(
      "bad-option",
      `${n} of the ${count} images of ${dataset.name} ${dataset.split} cannot be held out: 1 to ${count - 1} can.`,
    );
  const order = createRng(seed).split("hold-out").permutation(count);
  if (stratified) order.sort((a, b) => dataset.labels[a]! - dataset.labels[b]!); // stable: random within a class
  const held = new Uint8Array(count);
  for (let k = 0; k < n; k++) held[order[stratified ? Math.floor(((k + 0.5) * count) / n) : k]!] = 1;
  const where = (value: number): Uint32Array =>
    Uint32Array.from({ length: count }, (_, i) => i).filter((i) => held[i] === value);
  return {
    train: selectExamples(dataset, where(0)),
    held: { ...selectExamples(dataset, where(1)), split: "validation" },
  };
};
