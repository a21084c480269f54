import type { OptionSpec, OptionValues, Rng } from "../../core/index.ts";
import type { ImageView } from "./augmentation.ts";

/** Puts two images of a batch together; the label becomes a weighted pair. */
export interface MixerType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  /**
   * Mixes `partner` into the image, in place.
   * @returns the weight of the image's own label, 0 to 1; the partner's has the rest
   */
  readonly apply: (image: ImageView, partner: Float32Array, rng: Rng, options: OptionValues<S>) => number;
}

/** As in `AnyAugmentation`. */
// oxlint-disable-next-line no-explicit-any
export type AnyMixer = MixerType<any>;

export const defineMixer = <const S extends OptionSpec>(mixer: MixerType<S>): MixerType<S> => mixer;
