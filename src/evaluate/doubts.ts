import type { Target } from "../attack/index.ts";
import { createRng } from "../core/index.ts";
import type { Threat } from "../threat/index.ts";
import { logitsOf, predictionsOf, type Standing } from "./cascade.ts";
import { fraction } from "./interval.ts";
import type { Doubt } from "./result.ts";

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const share = (labels: Int32Array, predictions: Int32Array): number =>
  predictions.reduce((sum, p, i) => sum + (p === labels[i] ? 1 : 0), 0) / Math.max(1, labels.length);

/** Values that exporters leave outside the model: mean and deviation of the usual training sets, pixels in [0, 1]. */
const NORMALIZATIONS: readonly {
  readonly name: string;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}[] = [
  { name: "mean 0.5, std 0.5", mean: [0.5], std: [0.5] },
  { name: "MNIST mean 0.1307, std 0.3081", mean: [0.1307], std: [0.3081] },
  { name: "Fashion-MNIST mean 0.2860, std 0.3530", mean: [0.286], std: [0.353] },
  {
    name: "CIFAR-10 mean 0.4914,0.4822,0.4465, std 0.2470,0.2435,0.2616",
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.247, 0.2435, 0.2616],
  },
  {
    name: "ImageNet mean 0.485,0.456,0.406, std 0.229,0.224,0.225",
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  },
];

interface Guess {
  readonly what: string;
  readonly remedy: string;
  readonly transform: (x: Float32Array) => Float32Array;
}

/** Other readings of the same pixels: scale, sign, channel order, layout, normalization. */
const guesses = ({ shape, d }: Target, [low, high]: readonly [number, number]): Guess[] => {
  const unit = (v: number): number => (v - low) / (high - low);
  const channels = shape.length === 3 ? shape[0]! : 1,
    plane = d / channels;
  const scaled = (what: string, remedy: string, f: (u: number) => number): Guess => ({
    what,
    remedy,
    transform: (x) => x.map((v) => f(unit(v))),
  });
  const normalized = NORMALIZATIONS.filter(({ mean }) => mean.length === 1 || mean.length === channels).map(
    ({ name, mean, std }): Guess => ({
      what: `input normalized with ${name}`,
      remedy: `--mean ${mean.join(",")} --std ${std.join(",")}`,
      transform: (x) =>
        x.map(
          (v, i) =>
            (unit(v) - mean[Math.floor((i % d) / plane) % mean.length]!) /
            std[Math.floor((i % d) / plane) % std.length]!,
        ),
    }),
  );
  const reordered = (what: string, remedy: string, from: (i: number) => number): Guess => ({
    what,
    remedy,
    transform: (x) => x.map((_, i) => x[i - (i % d) + from(i % d)]!),
  });
  const layouts =
    channels > 1
      ? [
          reordered("pixels in NHWC order", "--layout NHWC", (i) => (i % channels) * plane + Math.floor(i / channels)),
          reordered(
            "channels in BGR order",
            "the channels reversed",
            (i) => (channels - 1 - Math.floor(i / plane)) * plane + (i % plane),
          ),
        ]
      : [];
  const [height, width] = shape.slice(-2) as [number, number];
  const transposed =
    shape.length === 3 && height === width
      ? [
          reordered(
            "images transposed",
            "rows and columns exchanged",
            (i) => i - (i % plane) + (i % width) * width + Math.floor((i % plane) / width),
          ),
        ]
      : [];
  return [
    scaled("pixels from 0 to 255", "--input-range 0:255", (u) => 255 * u),
    scaled("pixels from 0 to 1", "--input-range 0:1", (u) => u),
    scaled("pixels from -1 to 1", "--mean 0.5 --std 0.5", (u) => 2 * u - 1),
    scaled("dark and bright exchanged", "the images inverted", (u) => high - u * (high - low)),
    ...normalized,
    ...layouts,
    ...transposed,
  ];
};

const PROBE = 500;

/**
 * Clean accuracy near chance usually means that the model was given something else than it was trained on. Tries the
 * usual mistakes on a few hundred examples and names the one that the data suggests.
 */
export const chanceDoubt = async (
  target: Target,
  { x, labels, predictions }: Pick<Standing, "x" | "labels" | "predictions">,
  box: readonly [number, number],
  batch: number,
): Promise<Doubt | undefined> => {
  const { classes, d } = target,
    n = Math.min(PROBE, labels.length);
  const chance = 1 / classes,
    right = Math.round(share(labels, predictions) * labels.length);
  if (fraction(right, labels.length).low > 1.5 * chance) return undefined;
  const some = x.subarray(0, n * d),
    truth = labels.subarray(0, n);
  let best: { accuracy: number; guess: Guess } | undefined;
  for (const guess of guesses(target, box)) {
    const accuracy = share(truth, predictionsOf(await logitsOf(target, guess.transform(some), batch), classes));
    if (!best || accuracy > best.accuracy) best = { accuracy, guess };
  }
  const relabelled = relabel(truth, predictions.subarray(0, n), classes);
  const start = `Clean accuracy is ${percent(right / labels.length)}, near chance (${percent(chance)}).`;
  if (best && best.accuracy > Math.max(2 * chance, relabelled.accuracy))
    return {
      code: "chance",
      message: `${start} With ${best.guess.what} it would be ${percent(best.accuracy)} on the first ${n} examples: try ${best.guess.remedy}.`,
    };
  if (relabelled.accuracy > 3 * chance)
    return {
      code: "chance",
      message: `${start} With other label numbers it would be ${percent(relabelled.accuracy)}: the model seems to order its classes differently (${relabelled.how}). Check the label order of the data.`,
    };
  return {
    code: "chance",
    message: `${start} No usual range, layout, normalization or label order explains it: the model may be untrained, or made for other data.`,
  };
};

/** Accuracy if each prediction stood for the label it meets most often, no label twice (greedy matching). */
const relabel = (labels: Int32Array, predictions: Int32Array, classes: number): { accuracy: number; how: string } => {
  const counts = new Map<number, number>();
  labels.forEach((label, i) => {
    const key = label * classes + predictions[i]!;
    if (predictions[i]! >= 0) counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  const usedLabel = new Set<number>(),
    usedPrediction = new Set<number>(),
    pairs: [number, number][] = [];
  let hits = 0;
  for (const [key, count] of [...counts].sort((a, b) => b[1] - a[1])) {
    const label = Math.floor(key / classes),
      prediction = key % classes;
    if (usedLabel.has(label) || usedPrediction.has(prediction)) continue;
    usedLabel.add(label);
    usedPrediction.add(prediction);
    pairs.push([label, prediction]);
    hits += count;
  }
  const how = pairs
    .sort((a, b) => a[0] - b[0])
    .slice(0, 12)
    .map(([a, b]) => `${a} as ${b}`)
    .join(", ");
  return { accuracy: hits / Math.max(1, labels.length), how };
};

/** Rows that are non-negative and sum to one: softmax is part of the model. */
export const probabilityDoubt = (logits: Float32Array, classes: number): Doubt | undefined => {
  const n = Math.min(PROBE, logits.length / classes);
  for (let row = 0; row < n; row++) {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const sum = scores.reduce((s, v) => s + v, 0);
    if (Math.abs(sum - 1) > 1e-3 || scores.some((v) => v < 0)) return undefined;
  }
  return n === 0
    ? undefined
    : {
        code: "probabilities",
        message:
          "The outputs are probabilities, not logits: softmax saturates and hides gradients. Where the graph ends in Softmax, attacks used the scores before it; otherwise export the model without it.",
      };
};

export const nonfiniteDoubt = (predictions: Int32Array): Doubt | undefined => {
  const bad = predictions.reduce((sum, p) => sum + (p < 0 ? 1 : 0), 0);
  return bad === 0
    ? undefined
    : {
        code: "nonfinite",
        message: `The model gives NaN on ${bad} of ${predictions.length} examples; they count as wrong.`,
      };
};

/** Attacks follow gradients: where those are exactly zero, what stands may stand only because they saw nothing. */
export const zeroGradientDoubt = (
  { brokenAt, largestGradient, attack }: Standing,
  count: number,
): Doubt | undefined => {
  let attacked = 0,
    blind = 0;
  for (let i = 0; i < count; i++) {
    if (brokenAt[i] === 0 || attack[i] === "") continue;
    attacked++;
    if (largestGradient[i] === 0) blind++;
  }
  return blind < Math.max(1, 0.01 * attacked)
    ? undefined
    : {
        code: "zero-gradients",
        message: `On ${blind} of ${attacked} attacked examples (${percent(blind / attacked)}) every gradient was exactly zero, so gradient attacks could not move them. Their robustness is not shown: use score-based attacks, or another loss (margin, dlr).`,
      };
};

/** Random points of the set, as many as a cheap attack would try, against what the gradient attacks found. */
export const noiseDoubt = async (
  target: Target,
  standing: Standing,
  threat: Threat,
  { seed, batch, count }: { seed: number; batch: number; count: number },
): Promise<Doubt | undefined> => {
  const { d, classes } = target,
    tries = 5;
  const rows: number[] = [];
  for (let i = 0; i < count && rows.length < PROBE; i++) if (standing.brokenAt[i]! > 0) rows.push(i);
  if (rows.length === 0 || threat.epsilon === 0) return undefined;
  const x = new Float32Array(rows.length * d);
  rows.forEach((row, i) => x.set(standing.x.subarray(row * d, (row + 1) * d), i * d));
  const fooled = new Uint8Array(rows.length);
  const root = createRng(seed).split("noise");
  for (let attempt = 0; attempt < tries; attempt++) {
    const adv = threat.randomStart(x, (row) => root.split(attempt).split(rows[row]!), d);
    const predictions = predictionsOf(await logitsOf(target, adv, batch), classes);
    rows.forEach((row, i) => {
      if (predictions[i] !== standing.labels[row]) fooled[i] = 1;
    });
  }
  const noise = fooled.reduce((a, b) => a + b, 0);
  const gradient = rows.filter((row) => standing.brokenAt[row]! <= threat.epsilon).length;
  const missed = rows.filter((row, i) => fooled[i] === 1 && standing.brokenAt[row]! > threat.epsilon).length;
  if (missed === 0 && (gradient > noise || gradient === rows.length || noise === 0)) return undefined;
  return {
    code: "weak-gradients",
    message: `${tries} random points of the set broke ${noise} of ${rows.length} examples (${missed} of them missed by the attacks), the gradient attacks ${gradient}: gradients are masked or useless here, and the robust accuracy is not to be trusted.`,
  };
};
