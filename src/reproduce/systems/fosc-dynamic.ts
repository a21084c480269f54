import { fullCifar } from "../fixtures.ts";
import { type Arm, defineReproduction, inTheMean, onEverySeed } from "../reproduction.ts";

/** 20,000 digits, l-inf 0.3, eight epochs, at most ten steps. */
const digits = (recipe: string): Arm => ({
  recipe,
  model: "small-cnn",
  options: {
    epochs: 8,
    batchSize: 128,
    optimizer: "adam",
    lr: 1e-3,
    weightDecay: 0,
    schedule: "constant",
    epsilon: 0.3,
    steps: 10,
    relativeStep: 0.25,
    ramp: 2,
  },
  examples: 20_000,
  measure: { epsilon: 0.3, examples: 1000, steps: 40 },
});

export const foscDynamic = defineReproduction({
  slug: "fosc-dynamic",
  title: "Dynamic adversarial training: loose attacks first, tight ones later",
  source: "Wang et al. 2019, On the Convergence and Robustness of Adversarial Training",
  kinds: ["mnist"],
  small: async ({ arm }) => {
    const dynamic = await arm("dynamic", digits("fosc-dynamic")),
      fixed = await arm("PGD-10", digits("pgd-at"));
    return {
      "clean, dynamic": dynamic.clean,
      "PGD-40, dynamic": dynamic.pgd,
      "PGD-40, PGD-10 training": fixed.pgd,
      "gradients, dynamic / PGD-10": dynamic.gradientEvaluations / fixed.gradientEvaluations,
    };
  },
  claims: () => [
    onEverySeed({
      text: "dynamic training takes at most 80 % of PGD-10 training's gradients",
      required: true,
      threshold: "page",
      unit: "ratio",
      value: (m) => m["gradients, dynamic / PGD-10"]!,
      sign: "<=",
      bound: 0.8,
    }),
    inTheMean({
      text: "its PGD-40 accuracy is at most 1 point below PGD-10 training's, in the mean",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["PGD-40, dynamic"]! - m["PGD-40, PGD-10 training"]!,
      sign: ">=",
      bound: -0.01,
    }),
  ],
  full: fullCifar({
    recipe: "fosc-dynamic",
    model: "wide-resnet-34-10",
    options: {
      epochs: 120,
      lr: 0.01,
      weightDecay: 1e-4,
      schedule: "step",
      milestones: [0.5, 0.83],
      epsilon: 0.031,
      control: "fosc:cMax=0.5",
    },
  }),
});
