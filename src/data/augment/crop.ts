import { int } from "../../core/index.ts";
import { defineAugmentation } from "./augmentation.ts";
import { shift } from "./shift.ts";

/** A window of the image's size from the image with a black border: the same as a shift by -pad to pad pixels. */
export const crop = defineAugmentation({
  name: "crop",
  summary: "Random window of the image with a black border around it.",
  source: "He et al. 2016, Deep Residual Learning for Image Recognition (CIFAR-10)",
  options: { pad: int({ default: 4, min: 0, help: "width of the border in pixels" }) },
  apply: (image, rng, { pad }) => {
    const dy = rng.int(2 * pad + 1) - pad,
      dx = rng.int(2 * pad + 1) - pad;
    shift(image, dy, dx);
  },
});
