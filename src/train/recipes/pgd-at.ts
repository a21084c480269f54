import { adversarial, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

export const pgdAt = defineRecipe({
  name: "pgd-at",
  summary: "Cross-entropy on adversarial examples found by projected gradient ascent.",
  source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks",
  options: {},
  branches: () => ({ adversarial }),
  terms: () => [crossEntropyOf("adversarial", "both")],
});
