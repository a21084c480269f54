import { defineRecipe } from "../recipe.ts";
import { pgdAt } from "./pgd-at.ts";

export const awp = defineRecipe({
  ...pgdAt,
  name: "awp",
  summary: "Adversarial training with weights that are moved up the loss before each gradient.",
  source: "Wu, Xia, Wang 2020, Adversarial Weight Perturbation Helps Robust Generalization",
  settings: { awp: 0.01 },
});
