import { examplesOf } from "../run.ts";
import { fullCifar, rof, STANDARDIZED, STEPPED } from "../fixtures.ts";
import { defineReproduction, type Experiment, inTheMean, type Trained } from "../reproduction.ts";

/** Share of each layer's length; of 0.01, 0.02 and 0.05 the best on seed 0. */
const GAMMA = 0.01;
const WATCHED = 2000;

/** Robust accuracy on test images after each epoch: at best, at the end, and on the training images. */
export const courseOf = ({ history }: Trained): { best: number; last: number; epoch: number; train: number } => {
  const robust = history.map(({ validationRobustAccuracy }) => validationRobustAccuracy!),
    best = Math.max(...robust);
  return { best, last: robust.at(-1)!, epoch: robust.indexOf(best), train: history.at(-1)!.trainAccuracy };
};
/** The plain arm, its test accuracy watched. */
export const watchedAt = ({ arm, test }: Experiment): Promise<Trained> =>
  arm("PGD-AT", rof({ recipe: "pgd-at" }), { validation: examplesOf(test, WATCHED, 0) });

export const awp = defineReproduction({
  slug: "awp",
  title: "Adversarial weight perturbation against robust overfitting",
  source: "Wu, Xia, Wang 2020, Adversarial Weight Perturbation Helps Robust Generalization",
  kinds: ["cifar10"],
  small: async (experiment) => {
    const { arm, test } = experiment;
    const plain = courseOf(await watchedAt(experiment)),
      moved = courseOf(
        await arm(`AWP ${GAMMA}`, rof({ recipe: "awp", options: { awp: GAMMA } }), {
          validation: examplesOf(test, WATCHED, 0),
        }),
      );
    return {
      "last, AT": plain.last,
      "last, AWP": moved.last,
      "best - last, AT": plain.best - plain.last,
      "best - last, AWP": moved.best - moved.last,
      "train - test, AT": plain.train - plain.last,
      "train - test, AWP": moved.train - moved.last,
    };
  },
  claims: () => [
    inTheMean({
      text: "robust test accuracy at the end is at least half a point above adversarial training's",
      published: "54.30 against 43.75 % (PreActResNet-18, CIFAR-10, PGD-20, last epoch; repository)",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["last, AWP"]! - m["last, AT"]!,
      sign: ">=",
      bound: 0.005,
    }),
    inTheMean({
      text: "what is lost from the best epoch to the last is at most half",
      required: true,
      threshold: "page",
      unit: "points",
      value: (m) => m["best - last, AWP"]! - m["best - last, AT"]! / 2,
      sign: "<=",
      bound: 0,
    }),
    inTheMean({
      text: "the gap between training and test images is at least 10 % smaller",
      required: true,
      threshold: "page",
      unit: "ratio",
      value: (m) => m["train - test, AWP"]! / m["train - test, AT"]!,
      sign: "<=",
      bound: 0.9,
    }),
  ],
  full: fullCifar({
    recipe: "awp",
    model: "preact-resnet-18",
    ...STANDARDIZED,
    options: { ...STEPPED, epochs: 200, stepSize: 2 / 255, steps: 10, holdOut: 1000 },
  }),
});
