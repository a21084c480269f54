import { float } from "../../core/index.ts";
import { defineAugmentation } from "./augmentation.ts";

export const flip = defineAugmentation({
  name: "flip",
  summary: "Left and right exchanged.",
  source: "Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks",
  options: { probability: float({ default: 0.5, min: 0, max: 1, help: "share of the images that are flipped" }) },
  apply: ({ pixels, shape: [, , width] }, rng, { probability }) => {
    if (rng.uniform() >= probability) return;
    for (let row = 0; row < pixels.length; row += width)
      for (let left = row, right = row + width - 1; left < right; left++, right--) {
        const held = pixels[left]!;
        pixels[left] = pixels[right]!;
        pixels[right] = held;
      }
  },
});
