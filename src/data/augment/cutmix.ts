import { float } from "../../core/index.ts";
import { betaOf } from "./beta.ts";
import { eachRow, randomBox } from "./box.ts";
import { defineMixer } from "./mixer.ts";

export const cutmix = defineMixer({
  name: "cutmix",
  summary: "A random box comes from the other image; labels are weighted by area.",
  source:
    "Yun et al. 2019, CutMix: Regularization Strategy to Train Strong Classifiers. Differs: a box for each image, not for a batch",
  options: {
    alpha: float({ default: 1, min: 1e-3, help: "one minus the box's share of the image is Beta(alpha, alpha)" }),
    probability: float({ default: 0.5, min: 0, max: 1, help: "share of the images that are mixed" }),
  },
  apply: ({ pixels, shape }, partner, rng, { alpha, probability }) => {
    if (rng.uniform() >= probability) return 1;
    const [, height, width] = shape,
      side = Math.sqrt(1 - betaOf(rng, alpha, alpha));
    const box = randomBox(rng, shape, Math.floor(height * side), Math.floor(width * side));
    eachRow(shape, box, (start, end) => pixels.set(partner.subarray(start, end), start));
    return 1 - ((box.bottom - box.top) * (box.right - box.left)) / (height * width); // of what was left of the box
  },
});
