import { float } from "../../core/index.ts";
import { add, clip, scale } from "../../ops/index.ts";
import { clean, defineRecipe } from "../recipe.ts";
import { crossEntropyOf, divergence } from "./terms.ts";

export const stability = defineRecipe({
  name: "stability",
  summary: "Clean cross-entropy plus a weighted divergence from the prediction under Gaussian noise.",
  source: "Carmon et al. 2019, Unlabeled Data Improves Adversarial Robustness (after Zheng et al. 2016)",
  options: {
    beta: float({ default: 6, min: 0, help: "weight of the divergence" }),
    sigma: float({ default: 0.25, min: 0, help: "standard deviation of the noise, in units of the input" }),
  },
  branches: ({ sigma }) => ({
    clean,
    noisy: { view: ({ x, draw, low, high }) => clip(add(x, scale(draw("normal", x), sigma)), low, high) },
  }),
  terms: ({ beta }) => [crossEntropyOf("clean", "update"), divergence("clean", "noisy", beta, "update")],
});
