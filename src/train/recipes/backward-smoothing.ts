import { float } from "../../core/index.ts";
import { defineRecipe } from "../recipe.ts";
import { trades } from "./trades.ts";

export const backwardSmoothing = defineRecipe({
  ...trades,
  name: "backward-smoothing",
  summary: "TRADES with one step from a start that noise in the output has set.",
  source: "Chen et al. 2022, Efficient Robust Training via Backward Smoothing",
  options: { beta: float({ default: 10, min: 0, help: "weight of the divergence" }) },
  settings: { start: "backward-smoothing", steps: 1, relativeStep: 1 },
});
