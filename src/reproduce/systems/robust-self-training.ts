import { fullCifar, GLYPHS } from "../fixtures.ts";
import { createTarget, predictionOf } from "../../attack/index.ts";
import { createRng } from "../../core/index.ts";
import { batchBetween, countOf, createDataset, type Dataset } from "../../data/index.ts";
import { loadClassifier } from "../../models/index.ts";
import { createLocalRuntime } from "../../runtime/index.ts";
import { type Arm, boundOn, type DataKind, defineReproduction, inTheMean, onEverySeed } from "../reproduction.ts";
import { examplesOf } from "../run.ts";

const LABELLED = 250;
const POOL = 5000;

/** A network of eight filters, 960 steps of TRADES with four attack steps; batches of 50. */
const arm960 = (kind: DataKind, recipe: string, steps: number): Arm => {
  const epsilon = kind === "glyphs" ? GLYPHS.epsilon : 0.2;
  return {
    recipe,
    ...(recipe === "trades" && { recipeOptions: { beta: 6 } }),
    model: "co-net",
    modelOptions: { filters: 8 },
    options: {
      epochs: 960 / steps,
      batchSize: 50,
      optimizer: "adam",
      lr: 1e-3,
      weightDecay: 5e-4,
      schedule: "constant",
      epsilon,
      ...(recipe === "trades" && { steps: 4, relativeStep: 0.625 }),
    },
    examples: LABELLED,
    measure: { epsilon, examples: 1000, steps: 10 },
  };
};

/** The images with the labels that a network gives them, and the share of them that is right. */
const pseudoLabelled = async (images: Dataset, modelPath: string): Promise<{ pool: Dataset; right: number }> => {
  using target = await createTarget(createLocalRuntime(), (await loadClassifier(modelPath, images.shape)).graph);
  const logits = await target.logits(batchBetween(images, 0, countOf(images)).x),
    labels = images.labels.map((_, i) => predictionOf(logits, i, target.classes));
  const right = labels.filter((label, i) => label === images.labels[i]).length / labels.length;
  return { pool: createDataset({ ...images, labels }), right };
};

/**
 * Two Gaussians at ±mu in 1,000 dimensions: errors of linear rules in closed form. Robust error where the rule is learned
 * from ten labels (and its standard error), and from pseudo-labels on 5,000 more points. Source: Carmon et al. 2019, section 3.
 */
const gaussians = (seed: number): { labels: number; standard: number; self: number } => {
  const d = 1000,
    sigma = 6,
    epsilon = 0.5,
    rng = createRng(seed).split("gaussians"),
    noise = new Float32Array(d);
  const draw = (y: number): Float32Array => {
    rng.fillNormal(noise, y, sigma);
    return noise;
  };
  const mean = (count: number, labelOf: (x: Float32Array, y: number) => number): Float64Array => {
    const w = new Float64Array(d);
    for (let i = 0; i < count; i++) {
      const y = rng.uniform() < 0.5 ? -1 : 1,
        x = draw(y),
        label = labelOf(x, y);
      for (let j = 0; j < d; j++) w[j]! += (label * x[j]!) / count;
    }
    return w;
  };
  const errorAt = (w: Float64Array, radius: number): number => {
    const l1 = w.reduce((sum, v) => sum + Math.abs(v), 0),
      l2 = Math.sqrt(w.reduce((sum, v) => sum + v * v, 0)),
      along = w.reduce((sum, v) => sum + v, 0);
    return normalBelow((radius * l1 - along) / (sigma * l2));
  };
  const first = mean(10, (_, y) => y),
    second = mean(POOL, (x) => (x.reduce((sum, v, j) => sum + v * first[j]!, 0) < 0 ? -1 : 1));
  return { labels: errorAt(first, epsilon), standard: errorAt(first, 0), self: errorAt(second, epsilon) };
};
/** Standard normal distribution function. Source: Abramowitz and Stegun 1964, 7.1.26; error below 1e-7. */
const normalBelow = (z: number): number => {
  const t = 1 / (1 + (0.3275911 * Math.abs(z)) / Math.SQRT2),
    tail =
      0.5 *
      Math.exp((-z * z) / 2) *
      t *
      (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return z < 0 ? tail : 1 - tail;
};

export const robustSelfTraining = defineReproduction({
  slug: "robust-self-training",
  title: "Robust self-training: more images without labels make networks more robust",
  source: "Carmon et al. 2019, Unlabeled Data Improves Adversarial Robustness",
  kinds: ["mnist", "glyphs"],
  small: async ({ arm, kind, seed, train }) => {
    const labelled = examplesOf(train, LABELLED, seed),
      more = examplesOf(train, POOL, seed, LABELLED);
    const plain = await arm("standard network", arm960(kind, "standard", 5), { train: labelled }),
      { pool, right } = await pseudoLabelled(more, plain.modelPath);
    const few = await arm("labels only", arm960(kind, "trades", 5), { train: labelled }),
      self = await arm("self-training", arm960(kind, "trades", 10), { train: labelled, pool }),
      oracle = await arm("true labels", arm960(kind, "trades", 10), { train: labelled, pool: more });
    const { labels, standard, self: withPool } = gaussians(seed);
    return {
      "clean, labels only": few.clean,
      "PGD-10, labels only": few.pgd,
      "clean, self-training": self.clean,
      "PGD-10, self-training": self.pgd,
      "PGD-10, true labels": oracle.pgd,
      "right pseudo-labels": right,
      "Gaussians: robust error of labels only": labels,
      "Gaussians: standard error of labels only": standard,
      "Gaussians: robust error of self-training": withPool,
    };
  },
  claims: (kind) => [
    inTheMean({
      text: (bound) => `PGD-10 accuracy is at least ${bound} above that of the labels only`,
      published: "59.53 % under AutoAttack with 500,000 images, WRN-28-10 (AWP's table)",
      required: true,
      ...boundOn(kind, 0.05, 0.1),
      unit: "points",
      value: (m) => m["PGD-10, self-training"]! - m["PGD-10, labels only"]!,
      sign: ">=",
    }),
    inTheMean({
      text: (bound) => `and at most ${bound} below that of true labels`,
      required: true,
      ...boundOn(kind, -0.07, -0.1),
      unit: "points",
      value: (m) => m["PGD-10, self-training"]! - m["PGD-10, true labels"]!,
      sign: ">=",
    }),
    inTheMean({
      text: (bound) => `clean accuracy loses at most ${bound}`,
      required: true,
      ...boundOn(kind, -0.02, -0.05),
      unit: "points",
      value: (m) => m["clean, self-training"]! - m["clean, labels only"]!,
      sign: ">=",
    }),
    inTheMean({
      text: "Gaussian model: labels only leave a robust error of at least 25 %",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["Gaussians: robust error of labels only"]!,
      sign: ">=",
      bound: 0.25,
    }),
    onEverySeed({
      text: "Gaussian model: of standard error they leave at most 2 %",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["Gaussians: standard error of labels only"]!,
      sign: "<=",
      bound: 0.02,
    }),
    onEverySeed({
      text: "Gaussian model: self-training at most 1.5 %",
      required: true,
      threshold: "page",
      unit: "percent",
      value: (m) => m["Gaussians: robust error of self-training"]!,
      sign: "<=",
      bound: 0.015,
    }),
  ],
  full: fullCifar({
    recipe: "trades",
    recipeOptions: { beta: 6 },
    model: "wide-resnet-28-10",
    options: {
      epochs: 200,
      lr: 0.1,
      nesterov: true,
      batchSize: 256,
      schedule: "cosine",
      epsilon: 0.031,
      stepSize: 0.007,
      steps: 10,
      poolShare: 0.5,
    },
  }),
  notes: ["The full configuration takes its pool by --pool: 500,000 images with labels of a standard network."],
});
