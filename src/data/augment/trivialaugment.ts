import { bool } from "../../core/index.ts";
import { defineAugmentation } from "./augmentation.ts";
import { applyAny, type Extent, LEVELS } from "./operations.ts";

/** The wide space, whose 32 pixels are the side of a CIFAR image. */
const extent: Extent = { shear: 0.99, translate: (side) => Math.min(32, side), degrees: 135, factor: 0.99, bits: 6 };

export const trivialaugment = defineAugmentation({
  name: "trivialaugment",
  summary: "One random operation of a random magnitude.",
  source: "Mueller and Hutter 2021, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation (wide space)",
  options: { invert: bool({ default: false, help: "inversion among the operations" }) },
  apply: (image, rng, { invert }) => applyAny(image, rng, rng.int(LEVELS), extent, invert),
});
