import { coMnist, fullCifar, STEPPED } from "../fixtures.ts";
import { defineReproduction, onEverySeed } from "../reproduction.ts";
import { fgsm } from "./arms.ts";

export const backwardSmoothing = defineReproduction({
  slug: "backward-smoothing",
  title: "Backward smoothing: single-step TRADES from noise in the output",
  source: "Chen et al. 2022, Efficient Robust Training via Backward Smoothing",
  kinds: ["mnist"],
  small: async ({ arm }) => {
    const beta = { beta: 6 },
      smooth = await arm("backward smoothing", coMnist({ recipe: "backward-smoothing", recipeOptions: beta })),
      uniform = await arm(
        "single-step TRADES, uniform start",
        coMnist({ recipe: "trades", recipeOptions: beta, options: { steps: 1, relativeStep: 1, start: "uniform" } }),
      ),
      plain = await arm("FGSM, zero start", fgsm);
    return {
      "PGD-20, backward smoothing": smooth.pgd,
      "clean, backward smoothing": smooth.clean,
      "PGD-20, uniform start": uniform.pgd,
      "PGD-20, FGSM": plain.pgd,
    };
  },
  claims: () => [
    onEverySeed({
      text: "no collapse: at least 30 % under PGD-20",
      published: "51.12 % under AutoAttack, WRN-34-10, 8/255 (RobustBench)",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["PGD-20, backward smoothing"]!,
      sign: ">=",
      bound: 0.3,
    }),
    onEverySeed({
      text: "where plain FGSM training falls to at most 25 %",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["PGD-20, FGSM"]!,
      sign: "<=",
      bound: 0.25,
    }),
    onEverySeed({
      text: "at least as robust as single-step TRADES from a uniform start, less half a point",
      required: false,
      threshold: "page",
      unit: "points",
      value: (m) => m["PGD-20, backward smoothing"]! - m["PGD-20, uniform start"]!,
      sign: ">=",
      bound: -0.005,
    }),
  ],
  full: fullCifar({
    recipe: "backward-smoothing",
    recipeOptions: { beta: 10 },
    model: "resnet-18",
    options: { ...STEPPED, epochs: 100, epsilon: 0.031, holdOut: 1000, select: "best" },
  }),
  notes: [
    "The page expects the advantage over a uniform start only on networks with batch norm and images of CIFAR-10; on this fixture it is reported, not required.",
  ],
});
