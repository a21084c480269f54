import { TemperError } from "../core/index.ts";
import { SPLITS, type Split } from "./dataset.ts";

/** Words that name a split in file, folder and array names. */
export const SPLIT_WORDS: Readonly<Record<Split, readonly string[]>> = {
  validation: ["validation", "valid", "val"],
  test: ["test", "testing", "t10k"],
  train: ["train", "training", "data_batch"],
};

/** `val_train_10000` -> validation, `test_batch` -> test, `data_batch_1` -> train; undefined where no word occurs. */
export const splitOfName = (name: string): Split | undefined => {
  const padded = `_${name.toLowerCase()}_`;
  // validation first: a part held out of the training images often has both words in its name
  return (["validation", "test", "train"] as const).find((split) =>
    SPLIT_WORDS[split].some((word) => new RegExp(`[^a-z]${word}[^a-z]`).test(padded)),
  );
};

/** Things by the split that their names tell; those of no split are left out. */
export const groupBySplit = (names: readonly string[]): Partial<Record<Split, string[]>> => {
  const groups: Partial<Record<Split, string[]>> = {};
  for (const name of names) {
    const split = splitOfName(name);
    if (split) (groups[split] ??= []).push(name);
  }
  return groups;
};

/** @throws TemperError `not-found`: names the splits that there are */
export const missingSplit = (owner: string, split: Split, present: Partial<Record<Split, unknown>>): TemperError => {
  const known = SPLITS.filter((name) => present[name] !== undefined);
  const hint = split === "validation" && known.includes("train") ? " Take a range of train instead." : "";
  return new TemperError("not-found", `${owner} has no ${split} split. It has: ${known.join(", ")}.${hint}`);
};
