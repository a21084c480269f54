import type { AnyAugmentation } from "./augmentation.ts";
import { crop } from "./crop.ts";
import { cutmix } from "./cutmix.ts";
import { cutout } from "./cutout.ts";
import { flip } from "./flip.ts";
import { type Chosen, parseList } from "./list.ts";
import type { AnyMixer } from "./mixer.ts";
import { mixup } from "./mixup.ts";
import { randaugment } from "./randaugment.ts";
import { trivialaugment } from "./trivialaugment.ts";
import { TemperError } from "../../core/index.ts";

/** Every augmentation by name. Command line, documentation and tests read this object. */
export const augmentations = { crop, flip, cutout, randaugment, trivialaugment } satisfies Record<
  string,
  AnyAugmentation
>;
export type AugmentationName = keyof typeof augmentations;

/** Every way to mix the images of a batch. */
export const mixers = { mixup, cutmix } satisfies Record<string, AnyMixer>;
export type MixerName = keyof typeof mixers;

/** Augmentations in the order in which they are applied, such as `crop,flip,cutout=8`. @throws as `parseList` */
export const parseAugmentations = (text: string): readonly Chosen[] => parseList(augmentations, "augmentation", text);

/** A mixer, such as `mixup=0.4`; undefined for empty text. @throws as `parseList`, also for more than one */
export const parseMixer = (text: string): Chosen | undefined => {
  const [mixer, ...more] = parseList(mixers, "mixer", text);
  if (more.length > 0) throw new TemperError("bad-option", `Only one mixer can be used, got ${text}.`);
  return mixer;
};

export * from "./augmentation.ts";
export { betaOf } from "./beta.ts";
export { choose, type Chosen } from "./list.ts";
export * from "./mixer.ts";
export { type Extent, operations } from "./operations.ts";
