import { float } from "../../core/index.ts";
import { betaOf } from "./beta.ts";
import { defineMixer } from "./mixer.ts";

export const mixup = defineMixer({
  name: "mixup",
  summary: "Weighted sum of two images.",
  source:
    "Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization. Differs: a weight for each image, not for a batch",
  options: { alpha: float({ default: 1, min: 1e-3, help: "weights are Beta(alpha, alpha) distributed" }) },
  apply: ({ pixels }, partner, rng, { alpha }) => {
    const weight = Math.fround(betaOf(rng, alpha, alpha));
    for (let i = 0; i < pixels.length; i++) pixels[i] = weight * pixels[i]! + (1 - weight) * partner[i]!;
    return weight;
  },
});
