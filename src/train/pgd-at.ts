import { crossEntropy } from "../loss/index.ts";
import { reduceMean } from "../ops/index.ts";
import { defineObjective } from "./objective.ts";

export const pgdAt = defineObjective({
  name: "pgd-at",
  summary: "Cross-entropy on adversarial examples found by projected gradient ascent.",
  source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks",
  options: {},
  views: ["adversarial"],
  inner: "cross-entropy",
  loss: ({ logits, labels }) => reduceMean(crossEntropy(logits.adversarial, labels), [0]),
});
