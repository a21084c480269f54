import { fullCifar, rof, STANDARDIZED, STEPPED } from "../fixtures.ts";
import { defineReproduction, inTheMean } from "../reproduction.ts";
import { examplesOf } from "../run.ts";
import { courseOf, watchedAt } from "./awp.ts";

export const robustOverfitting = defineReproduction({
  slug: "robust-overfitting",
  title: "Robust overfitting, and stopping by validation",
  source: "Rice, Wong, Kolter 2020, Overfitting in adversarially robust deep learning",
  kinds: ["cifar10"],
  small: async (experiment) => {
    const { arm, seed, train } = experiment;
    const run = await watchedAt(experiment),
      { best, last, epoch } = courseOf(run);
    const clean = run.history.map(({ validationAccuracy }) => validationAccuracy!);
    // The same run once more, to the bit, with other images to look at: 500 that it is not trained on either.
    const held = await arm("PGD-AT, selected", rof({ recipe: "pgd-at", options: { select: "best" } }), {
      validation: examplesOf(train, 500, seed, 1500),
    });
    const chosen = courseOf(held).epoch;
    return {
      "best test": best,
      "last test": last,
      "selected test": run.history[chosen]!.validationRobustAccuracy!,
      "clean at the best": clean[epoch]!,
      "clean at the end": clean.at(-1)!,
    };
  },
  claims: () => [
    inTheMean({
      text: "robust test accuracy ends at least 2 points below its best epoch",
      published: "53.49 to 45.59 % (PreActResNet-18, CIFAR-10, PGD-10; repository's logs)",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["best test"]! - m["last test"]!,
      sign: ">=",
      bound: 0.02,
    }),
    inTheMean({
      text: "clean test accuracy is then no lower than at that epoch",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["clean at the end"]! - m["clean at the best"]!,
      sign: ">=",
      bound: 0,
    }),
    inTheMean({
      text: "the epoch that 500 held-out images select is within 1.5 points of the best",
      published: "53.27 % with a validation split of 1,000 (repository's logs)",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["best test"]! - m["selected test"]!,
      sign: "<=",
      bound: 0.015,
    }),
    inTheMean({
      text: "and at least 1 point above the last",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["selected test"]! - m["last test"]!,
      sign: ">=",
      bound: 0.01,
    }),
  ],
  full: fullCifar({
    recipe: "pgd-at",
    model: "preact-resnet-18",
    ...STANDARDIZED,
    options: {
      ...STEPPED,
      epochs: 200,
      stepSize: 2 / 255,
      steps: 10,
      attackMode: "train",
      holdOut: 1000,
      select: "best",
    },
  }),
});
