import { defineRecipe } from "../recipe.ts";
import { pgdAt } from "./pgd-at.ts";

export const nFgsm = defineRecipe({
  ...pgdAt,
  name: "n-fgsm",
  summary: "One step from noise of twice the radius, cut to the pixel box only.",
  source: "de Jorge et al. 2022, Make Some Noise: Reliable and Efficient Single-Step Adversarial Training",
  settings: { steps: 1, relativeStep: 1, start: "uniform:scale=2", project: "box", attackMode: "train" },
});
