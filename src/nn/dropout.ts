import { TemperError } from "../core/index.ts";
import { mul, scalarLike, scale, step, sub } from "../ops/index.ts";
import type { Layer } from "./layer.ts";

/**
 * In training each number is zero with probability `rate`, and the others grow by 1 / (1 - rate), so that the mean stays;
 * else the identity, also where statistics are made for evaluation (`share`). Source: Srivastava et al. 2014, in the inverted form.
 * @throws TemperError `bad-option`: a rate that is not in [0, 1); when applied in training without random numbers
 */
export const dropout = (rate: number): Layer => {
  if (!(rate >= 0 && rate < 1)) throw new TemperError("bad-option", `dropout: rate must be in [0, 1), got ${rate}.`);
  const kept = 1 - rate;
  return {
    parameters: {},
    buffers: {},
    apply: (_, x, { training, random, share }) => {
      if (!training || share || rate === 0) return { y: x, updates: {} };
      if (!random)
        throw new TemperError(
          "bad-option",
          "dropout: training needs random numbers. Give `random` in the mode that the layer is applied with.",
        );
      const uniform = random(x.shape, "uniform");
      return { y: mul(x, scale(step(sub(scalarLike(x, kept), uniform)), 1 / kept)), updates: {} }; // kept: u < 1 - rate
    },
  };
};
