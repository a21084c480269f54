import { float } from "../../core/index.ts";
import { adversarial, clean, defineRecipe } from "../recipe.ts";
import { crossEntropyOf, divergence } from "./terms.ts";

export const trades = defineRecipe({
  name: "trades",
  summary: "Clean cross-entropy plus a weighted divergence from the prediction at the worst neighbour.",
  source: "Zhang et al. 2019, Theoretically Principled Trade-off between Robustness and Accuracy",
  options: { beta: float({ default: 6, min: 0, help: "weight of the divergence: more robust, less accurate" }) },
  settings: { start: "gaussian" },
  branches: () => ({ clean, adversarial }),
  terms: ({ beta }) => [crossEntropyOf("clean", "update"), divergence("clean", "adversarial", beta, "both")],
});
