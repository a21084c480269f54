import { crossEntropy } from "../loss/index.ts";
import { reduceMean } from "../ops/index.ts";
import { defineObjective } from "./objective.ts";

export const standard = defineObjective({
  name: "standard",
  summary: "Cross-entropy on clean examples.",
  source: "classical",
  options: {},
  views: ["clean"],
  loss: ({ logits, labels }) => reduceMean(crossEntropy(logits.clean, labels), [0]),
});
