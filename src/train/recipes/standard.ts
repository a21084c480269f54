import { clean, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

export const standard = defineRecipe({
  name: "standard",
  summary: "Cross-entropy on the examples as they are.",
  source: "classical",
  options: {},
  branches: () => ({ clean }),
  terms: () => [crossEntropyOf("clean", "update")],
});
