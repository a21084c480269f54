import { float, int } from "../../core/index.ts";
import { defineAugmentation } from "./augmentation.ts";
import { eachRow, randomBox } from "./box.ts";

export const cutout = defineAugmentation({
  name: "cutout",
  summary: "A square around a random pixel becomes one colour.",
  source: "DeVries and Taylor 2017, Improved Regularization of Convolutional Neural Networks with Cutout",
  options: {
    size: int({ default: 16, min: 0, help: "side of the square in pixels" }),
    fill: float({ default: 0.5, min: 0, max: 1, help: "its value, from 0 (black) to 1 (white)" }),
  },
  apply: ({ pixels, shape, range: [low, high] }, rng, { size, fill }) => {
    const value = low + (high - low) * fill; // the paper's zeros come after standardization: near to the middle
    eachRow(shape, randomBox(rng, shape, size, size), (start, end) => pixels.fill(value, start, end));
  },
});
