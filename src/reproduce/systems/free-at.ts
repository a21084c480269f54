import { coMnist, fullCifar, STANDARDIZED } from "../fixtures.ts";
import { defineReproduction, onEverySeed } from "../reproduction.ts";
import { collapse, COLLAPSED, pgd5 } from "./arms.ts";

export const freeAt = defineReproduction({
  slug: "free-at",
  title: "Adversarial training for free: replays share one backward pass",
  source: "Shafahi et al. 2019, Adversarial Training for Free!",
  kinds: ["mnist"],
  small: async ({ arm }) => {
    const free = await arm("Free, m = 4", coMnist({ recipe: "free-at", options: { replays: 4, epochs: 4 } })),
      full = await arm("PGD-5", pgd5);
    return {
      "clean, Free": free.clean,
      "PGD-20, Free": free.pgd,
      "PGD-20, PGD-5": full.pgd,
      "gradients, Free / PGD-5": free.gradientEvaluations / full.gradientEvaluations,
      "collapse, Free": collapse(free),
    };
  },
  claims: () => [
    onEverySeed({
      text: "Free with 4 replays and 4 passes over the data reaches at least 55 % under PGD-20",
      published: "46.19 % of PGD-7's 45.29 % on CIFAR-10 at a seventh of the time (repository)",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["PGD-20, Free"]!,
      sign: ">=",
      bound: 0.55,
    }),
    onEverySeed({
      text: "at most a quarter of PGD-5's gradients",
      required: true,
      threshold: "page",
      unit: "ratio",
      value: (m) => m["gradients, Free / PGD-5"]!,
      sign: "<=",
      bound: 0.25,
    }),
    onEverySeed({
      text: "no collapse: 1 - PGD-20 / FGSM accuracy stays below 0.6",
      required: true,
      threshold: "page",
      unit: "number",
      value: (m) => m["collapse, Free"]!,
      sign: "<=",
      bound: COLLAPSED,
    }),
  ],
  full: fullCifar({
    recipe: "free-at",
    model: "preact-resnet-18",
    ...STANDARDIZED,
    options: { epochs: 10, replays: 8, lr: 0.04, schedule: "cyclic" },
  }),
});
