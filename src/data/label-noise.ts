import { createRng, TemperError } from "../core/index.ts";
import { countOf, createDataset, type Dataset } from "./dataset.ts";

/**
 * The same images with wrong labels on a share of them, each drawn from the other classes (symmetric noise).
 * @throws TemperError `bad-option`: a share outside of 0 to 1, or a single class
 */
export const withLabelNoise = (dataset: Dataset, share: number, seed: number): Dataset => {
  const classes = dataset.classes.length;
  if (!(share >= 0 && share <= 1) || classes < 2)
    throw new TemperError(
      "bad-option",
      `Label noise needs a share from 0 to 1 and two classes or more, got ${share} and ${classes}.`,
    );
  const rng = createRng(seed).split("label-noise"),
    wrong = Math.round(share * countOf(dataset)),
    labels = dataset.labels.slice();
  for (const i of rng.permutation(labels.length).subarray(0, wrong))
    labels[i] = (labels[i]! + 1 + rng.int(classes - 1)) % classes;
  const note = `${wrong} labels replaced by others at random (seed ${seed})`;
  return createDataset({ ...dataset, labels, notes: [...dataset.notes, note] });
};
