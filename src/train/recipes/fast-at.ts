import { defineRecipe } from "../recipe.ts";
import { pgdAt } from "./pgd-at.ts";

export const fastAt = defineRecipe({
  ...pgdAt,
  name: "fast-at",
  summary: "One long step from a random start: adversarial training for the price of two plain steps.",
  source: "Wong, Rice, Kolter 2020, Fast is better than free: Revisiting adversarial training",
  settings: { steps: 1, relativeStep: 1.25, attackMode: "train" },
});
