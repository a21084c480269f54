import { fullCifar } from "../fixtures.ts";
import { defineReproduction, onEverySeed } from "../reproduction.ts";
import { collapse, COLLAPSED, pgd5 } from "./arms.ts";

export const trades = defineReproduction({
  slug: "trades",
  title: "TRADES: a dial between accuracy and robustness",
  source: "Zhang et al. 2019, Theoretically Principled Trade-off between Robustness and Accuracy",
  kinds: ["mnist", "glyphs"],
  small: async ({ arm, co }) => {
    const inner = { steps: 5, relativeStep: 0.5 };
    const at = (beta: number) => arm(`beta ${beta}`, co({ recipe: "trades", recipeOptions: { beta }, options: inner }));
    const [six, one] = [await at(6), await at(1)];
    const plain = await arm("PGD-5", co(pgd5));
    return {
      "clean, beta 6": six.clean,
      "PGD-20, beta 6": six.pgd,
      "clean, beta 1": one.clean,
      "PGD-20, beta 1": one.pgd,
      "PGD-20, PGD-5 training": plain.pgd,
      "collapse, beta 6": collapse(six),
    };
  },
  claims: () => [
    onEverySeed({
      text: "PGD-20 accuracy at beta 6 is at least 5 points above that at beta 1",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["PGD-20, beta 6"]! - m["PGD-20, beta 1"]!,
      sign: ">=",
      bound: 0.05,
    }),
    onEverySeed({
      text: "clean accuracy at beta 6 is at least 1 point below that at beta 1",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["clean, beta 1"]! - m["clean, beta 6"]!,
      sign: ">=",
      bound: 0.01,
    }),
    onEverySeed({
      text: "PGD-20 accuracy at beta 6 is at most 2 points below that of PGD-5 training",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["PGD-20, beta 6"]! - m["PGD-20, PGD-5 training"]!,
      sign: ">=",
      bound: -0.02,
    }),
    onEverySeed({
      text: "no collapse: 1 - PGD-20 / FGSM accuracy stays below 0.6",
      required: true,
      threshold: "page",
      unit: "number",
      value: (m) => m["collapse, beta 6"]!,
      sign: "<=",
      bound: COLLAPSED,
    }),
  ],
  full: fullCifar({
    recipe: "trades",
    recipeOptions: { beta: 6 },
    model: "wide-resnet-34-10",
    options: {
      epochs: 76,
      lr: 0.1,
      weightDecay: 2e-4,
      schedule: "step",
      milestones: [75 / 76],
      epsilon: 0.031,
      stepSize: 0.007,
      steps: 10,
    },
  }),
});
