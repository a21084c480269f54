import { fullCifar, GLYPHS, STEPPED } from "../fixtures.ts";
import { examplesOf } from "../run.ts";
import { attackDataset } from "../../evaluate/index.ts";
import { loadClassifier } from "../../models/index.ts";
import { type Arm, boundOn, type DataKind, defineReproduction, onEverySeed } from "../reproduction.ts";

/** 12,000 digits, l-inf 0.3, Adam with a drop after 9 of 12 epochs; or glyphs. */
const digits = (kind: DataKind, recipe: string): Arm => {
  const { examples, epsilon } = kind === "glyphs" ? GLYPHS : { examples: 12_000, epsilon: 0.3 };
  return {
    recipe,
    model: "small-cnn",
    modelOptions: { channels: [16, 32], dense: [128] },
    options: {
      epochs: 12,
      batchSize: 100,
      optimizer: "adam",
      lr: 1e-3,
      weightDecay: 0,
      schedule: "step",
      milestones: [0.75],
      gamma: 0.2,
      epsilon,
      ...(recipe === "pgd-at" && { steps: 10, relativeStep: 0.2, ramp: 3 }),
    },
    examples,
    measure: { epsilon, examples: 500, steps: 100, restarts: 3 },
  };
};

export const pgdAt = defineReproduction({
  slug: "pgd-at",
  title: "PGD adversarial training",
  source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks",
  kinds: ["mnist", "glyphs"],
  small: async ({ arm, kind, test, seed }) => {
    const given = digits(kind, "pgd-at"),
      { epsilon } = given.measure;
    const robust = await arm("PGD-10 training", given),
      plain = await arm("plain training", digits(kind, "standard"));
    const network = await loadClassifier(robust.modelPath, test.shape),
      images = examplesOf(test, 500, 0);
    const broken = await Promise.all(
      ["cross-entropy", "margin"].map(async (loss) => {
        const attack = { name: "pgd", options: { steps: 100, restarts: 3, stepSize: epsilon / 10, loss } };
        const found = await attackDataset(network, images, { attack, epsilon, seed: seed + 1 });
        return found.broken;
      }),
    );
    const fallen = images.labels.filter((_, i) => broken.some((by) => by[i] === 1)).length / images.labels.length;
    return {
      "clean, PGD-10 training": robust.clean,
      "PGD-100 x 3, PGD-10 training": robust.pgd,
      "worst of PGD with two losses": Math.min(robust.pgd, robust.clean - fallen),
      "clean, plain training": plain.clean,
      "PGD-100 x 3, plain training": plain.pgd,
    };
  },
  claims: (kind) => [
    onEverySeed({
      text: (bound) => `PGD-100 x 3 accuracy at least ${bound}`,
      published: "89.62 % with 50 restarts at full scale (repository)",
      required: true,
      ...boundOn(kind, 0.7, 0.74),
      unit: "percent",
      value: (m) => m["PGD-100 x 3, PGD-10 training"]!,
      sign: ">=",
    }),
    onEverySeed({
      text: (bound) => `clean accuracy at least ${bound}`,
      published: "98.53 % at full scale (repository)",
      required: true,
      ...boundOn(kind, 0.95, 0.9),
      unit: "percent",
      value: (m) => m["clean, PGD-10 training"]!,
      sign: ">=",
    }),
    onEverySeed({
      text: (bound) => `the plainly trained network falls to at most ${bound}`,
      required: true,
      ...boundOn(kind, 0.05, 0.1),
      unit: "percent",
      value: (m) => m["PGD-100 x 3, plain training"]!,
      sign: "<=",
    }),
    onEverySeed({
      text: (bound) => `the worst of both losses is within ${bound} of PGD-100 x 3`,
      required: true,
      ...boundOn(kind, 0.06, 0.03),
      unit: "points",
      value: (m) => m["PGD-100 x 3, PGD-10 training"]! - m["worst of PGD with two losses"]!,
      sign: "<=",
    }),
  ],
  full: fullCifar({
    recipe: "pgd-at",
    model: "wide-resnet-34-10",
    options: { ...STEPPED, epochs: 205, weightDecay: 2e-4, stepSize: 2 / 255, steps: 7, attackMode: "train" },
  }),
});
