import type { Rng } from "../../core/index.ts";
import type { ImageView } from "./augmentation.ts";
import { autocontrast, brightness, contrast, equalize, posterize, saturation, sharpness, solarize } from "./colour.ts";
import { shift } from "./shift.ts";
import { rotation, warp } from "./warp.ts";

/** How far the operations of a policy go at full magnitude. */
export interface Extent {
  /** Pixels to the side for each pixel down, and the other way round. */
  readonly shear: number;
  /** Pixels, for an image of so many in that direction. */
  readonly translate: (side: number) => number;
  readonly degrees: number;
  /** Added to or taken from the factor 1 of brightness, colour, contrast and sharpness. */
  readonly factor: number;
  /** Of a byte's 8 bits that posterize drops. */
  readonly bits: number;
}

/**
 * One operation of a policy.
 * @param share  of full magnitude: 0 to 1; -1 to 1 where it is signed
 */
interface Operation {
  readonly signed: boolean;
  readonly apply: (image: ImageView, share: number, extent: Extent) => void;
}

const factors = (change: (image: ImageView, factor: number) => void): Operation => ({
  signed: true,
  apply: (image, share, { factor }) => change(image, 1 + share * factor),
});
const unsigned = (apply: Operation["apply"]): Operation => ({ signed: false, apply });
const signed = (apply: Operation["apply"]): Operation => ({ signed: true, apply });

/** The operations of AutoAugment (Cubuk et al. 2019) that its successors kept. Pixels move to the nearest neighbour. */
export const operations = {
  identity: unsigned(() => undefined),
  shearX: signed((image, share, { shear }) => warp(image, [1, share * shear, 0, 0, 1, 0])),
  shearY: signed((image, share, { shear }) => warp(image, [1, 0, 0, share * shear, 1, 0])),
  translateX: signed((image, share, { translate }) => shift(image, 0, Math.trunc(share * translate(image.shape[2])))),
  translateY: signed((image, share, { translate }) => shift(image, Math.trunc(share * translate(image.shape[1])), 0)),
  rotate: signed((image, share, { degrees }) => warp(image, rotation(share * degrees, image.shape))),
  brightness: factors(brightness),
  color: factors(saturation),
  contrast: factors(contrast),
  sharpness: factors(sharpness),
  posterize: unsigned((image, share, { bits }) => posterize(image, 8 - Math.round(share * bits))),
  solarize: unsigned((image, share) => solarize(image, 255 * (1 - share))),
  autocontrast: unsigned(autocontrast),
  equalize: unsigned(equalize),
  invert: unsigned((image) => solarize(image, 0)),
} satisfies Record<string, Operation>;

/** Levels of magnitude: 0 to 30. */
export const LEVELS = 31;

const all = Object.values<Operation>(operations),
  withoutInvert = all.filter((operation) => operation !== operations.invert);

/** Applies an operation drawn uniformly, in a random direction. @param level  of magnitude */
export const applyAny = (image: ImageView, rng: Rng, level: number, extent: Extent, invert: boolean): void => {
  const from = invert ? all : withoutInvert,
    operation = from[rng.int(from.length)]!,
    share = level / (LEVELS - 1);
  operation.apply(image, operation.signed && rng.uniform() < 0.5 ? -share : share, extent);
};
