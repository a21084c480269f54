import { bool, int } from "../../core/index.ts";
import { defineAugmentation } from "./augmentation.ts";
import { applyAny, type Extent, LEVELS } from "./operations.ts";

/** As in torchvision, which has them from AutoAugment. */
const extent: Extent = { shear: 0.3, translate: (side) => (150 / 331) * side, degrees: 30, factor: 0.9, bits: 4 };

export const randaugment = defineAugmentation({
  name: "randaugment",
  summary: "Some random operations in a row, all of one magnitude.",
  source: "Cubuk et al. 2020, RandAugment: Practical Automated Data Augmentation with a Reduced Search Space",
  options: {
    operations: int({ default: 2, min: 0, help: "operations in a row" }),
    magnitude: int({ default: 9, min: 0, max: LEVELS - 1, help: "how far they go" }),
    invert: bool({ default: false, help: "inversion among them, as in the authors' code" }),
  },
  apply: (image, rng, { operations, magnitude, invert }) => {
    for (let i = 0; i < operations; i++) applyAny(image, rng, magnitude, extent, invert);
  },
});
