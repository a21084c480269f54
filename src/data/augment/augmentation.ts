import type { OptionSpec, OptionValues, Rng } from "../../core/index.ts";

/** One image that is about to be changed in place. */
export interface ImageView {
  /** Row-major [C, H, W], values in `range`. */
  readonly pixels: Float32Array;
  readonly shape: readonly [C: number, H: number, W: number];
  /** Lowest value (black) and highest of an image. */
  readonly range: readonly [low: number, high: number];
}

/** A random change of one training image that leaves its label and its shape. */
export interface AugmentationType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** In lists (`cutout=8`) values stand for them in this order. */
  readonly options: S;
  /** Changes the image in place. Everything random is drawn from `rng`, the stream of the example. */
  readonly apply: (image: ImageView, rng: Rng, options: OptionValues<S>) => void;
}

/** The registry holds augmentations of any options; resolving checks them against the record. */
// oxlint-disable-next-line no-explicit-any
export type AnyAugmentation = AugmentationType<any>;

export const defineAugmentation = <const S extends OptionSpec>(
  augmentation: AugmentationType<S>,
): AugmentationType<S> => augmentation;
