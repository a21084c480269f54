import { gather, type Target } from "../attack/index.ts";
import type { Normalization } from "../models/index.ts";
import { logitsOf, predictionsOf, type Standing } from "./cascade.ts";
import { fraction } from "./interval.ts";
import type { Doubt } from "./result.ts";

export const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;

/** Mean and deviation that exporters leave outside the model, for pixels in [0, 1]. */
const NORMALIZATIONS: readonly (Normalization & { readonly name: string })[] = [
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

/** Another reading of the same images, and what gives it to the network. */
interface Guess {
  readonly what: string;
  readonly remedy: string;
  readonly transform: (x: Float32Array) => Float32Array;
}

/** What the guesses start from: the range of the pixels, and what the model was told to do with them. */
export interface InputReading {
  readonly box: readonly [number, number];
  readonly normalization: Normalization | undefined;
}

/** Other scales and normalizations: functions of one pixel in [0, 1], given to the network in place of its input. */
const valueGuesses = ({ shape, d }: Target, { box: [low, high], normalization }: InputReading): Guess[] => {
  const channels = shape.length === 3 ? shape[0]! : 1,
    plane = d / channels;
  const at = (values: readonly number[] | undefined, i: number, none: number): number =>
    values?.[Math.floor((i % d) / plane) % values.length] ?? none;
  // The model normalizes what it is given: undone here, so that the network behind sees f(u).
  const guess = (what: string, remedy: string, f: (u: number, i: number) => number): Guess => ({
    what,
    remedy: normalization ? `${remedy} in place of the given --mean and --std` : remedy,
    transform: (x) =>
      x.map((v, i) => f((v - low) / (high - low), i) * at(normalization?.std, i, 1) + at(normalization?.mean, i, 0)),
  });
  const isUnit = low === 0 && high === 1;
  const unitRange = isUnit ? "" : "--input-range 0:1 ";
  return [
    guess("pixels from 0 to 255", "--input-range 0:255", (u) => 255 * u),
    ...(isUnit && !normalization ? [] : [guess("pixels from 0 to 1", "--input-range 0:1", (u) => u)]),
    ...NORMALIZATIONS.filter(({ mean }) => mean.length === 1 || mean.length === channels).map(({ name, mean, std }) =>
      guess(
        `pixels normalized by ${name}`,
        `${unitRange}--mean ${mean.join(",")} --std ${std.join(",")}`,
        (u, i) => (u - at(mean, i, 0)) / at(std, i, 1),
      ),
    ),
  ];
};

/** Other places of the same pixels, and their inversion: what stands outside of what the model does with them. */
const pixelGuesses = ({ shape, d }: Target, { box: [low, high] }: InputReading): Guess[] => {
  if (shape.length !== 3) return [];
  const [channels, height, width] = shape as [number, number, number],
    plane = height * width;
  const reordered = (what: string, remedy: string, from: (i: number) => number): Guess => ({
    what,
    remedy,
    transform: (x) => x.map((_, i) => x[i - (i % d) + from(i % d)]!),
  });
  return [
    {
      what: "dark and bright exchanged",
      remedy: "inverting the images",
      transform: (x) => x.map((v) => low + high - v),
    },
    ...(channels > 1
      ? [
          reordered("pixels in NHWC order", "--layout NHWC", (i) => (i % channels) * plane + Math.floor(i / channels)),
          reordered(
            "images read as NHWC",
            "--data-layout NHWC, or --layout NCHW where NHWC was given",
            (i) => (i % plane) * channels + Math.floor(i / plane),
          ),
          reordered(
            "channels in BGR order",
            "reversing the channels of the data",
            (i) => (channels - 1 - Math.floor(i / plane)) * plane + (i % plane),
          ),
        ]
      : []),
    ...(height === width
      ? [
          reordered(
            "rows and columns exchanged",
            "transposing the images",
            (i) => i - (i % plane) + (i % width) * width + Math.floor((i % plane) / width),
          ),
        ]
      : []),
  ];
};

const hitsOf = (labels: Int32Array, predictions: Int32Array): number =>
  predictions.reduce((sum, p, i) => sum + (p === labels[i] ? 1 : 0), 0);

/** Examples that the guesses are tried on: where accuracy is at chance, and where it is merely not good. */
const PROBE = { chance: 500, low: 200 };
const GOOD = 0.9;

type Seen = Pick<Standing, "x" | "labels" | "predictions">;

/**
 * A low clean accuracy often means that the model was given something else than it was trained on. Where it is, the usual
 * mistakes are tried on some examples, and the one that the data suggests is named.
 *
 * @returns code `chance`: no better than guessing; `input`: better than that, but another reading does much better
 */
export const inputDoubt = async (
  target: Target,
  seen: Seen,
  reading: InputReading,
  batch: number,
): Promise<Doubt | undefined> => {
  const { labels, predictions } = seen,
    n = labels.length;
  const right = hitsOf(labels, predictions),
    atChance = nearChance(labels, predictions, target.classes);
  if (!atChance && right >= GOOD * n) return undefined;
  const best = await bestGuess(target, seen, reading, batch, atChance ? PROBE.chance : PROBE.low);
  const code = atChance ? "chance" : "input";
  const start = `Clean accuracy is ${percent(right / n)}${atChance ? `, near chance (${percent(1 / target.classes)})` : ""}.`;
  const order = relabel(labels, predictions, target.classes);
  if (best && !(order && order.accuracy >= best.accuracy))
    return {
      code,
      message: `${start} With ${best.guess.what} it would be ${percent(best.accuracy)} on ${best.count} examples tried: try ${best.guess.remedy}.`,
    };
  if (order)
    return {
      code,
      message: `${start} The model seems to number its classes differently: with label ${order.how} it would be ${percent(order.accuracy)}. Check the label order of the data.`,
    };
  return atChance
    ? {
        code,
        message: `${start} No usual range, normalization, layout or label order explains it: the model may be untrained, or made for other data.`,
      }
    : undefined;
};

/** No better than one class in `classes`, or the same answer for everything. */
const nearChance = (labels: Int32Array, predictions: Int32Array, classes: number): boolean => {
  const n = labels.length,
    chance = 1 / classes;
  const { value, low } = fraction(hitsOf(labels, predictions), n);
  if (low <= chance + 0.05 * (1 - chance) && value <= chance + 0.25 * (1 - chance)) return true;
  const counts = new Map<number, number>();
  for (const p of predictions) counts.set(p, (counts.get(p) ?? 0) + 1);
  return value < 1 && Math.max(...counts.values()) >= 0.99 * n;
};

/** The reading that is right most often, where that is significantly more often than the present one. */
const bestGuess = async (
  target: Target,
  { x, labels, predictions }: Seen,
  reading: InputReading,
  batch: number,
  most: number,
): Promise<{ readonly guess: Guess; readonly accuracy: number; readonly count: number } | undefined> => {
  const { classes, d } = target,
    n = Math.min(most, labels.length);
  const rows = Array.from({ length: n }, (_, i) => Math.floor((i * labels.length) / n)); // sorted data: from all over
  const some = gather(x, rows, d),
    truth = Int32Array.from(rows, (i) => labels[i]!);
  const present = hitsOf(
    truth,
    Int32Array.from(rows, (i) => predictions[i]!),
  );
  let best: { hits: number; guess: Guess } | undefined;
  for (const guess of [...valueGuesses(target, reading), ...pixelGuesses(target, reading)]) {
    const hits = hitsOf(truth, predictionsOf(await logitsOf(target, guess.transform(some), batch), classes));
    if (!best || hits > best.hits) best = { hits, guess };
  }
  if (!best || fraction(best.hits, n).low <= Math.max(fraction(present, n).high, 1.5 / classes)) return undefined;
  return { guess: best.guess, accuracy: best.hits / n, count: n };
};

/**
 * Accuracy if each prediction stood for the label that it meets most often, no label twice. The matching is made on every
 * other example and judged on the rest, so that many classes and few examples cannot make it look good.
 *
 * @returns undefined where that is no better than the numbers as they are
 */
const relabel = (
  labels: Int32Array,
  predictions: Int32Array,
  classes: number,
): { readonly accuracy: number; readonly how: string } | undefined => {
  // In blocks of as many examples as classes: data sorted by class, or repeating its classes, fills both halves alike.
  const learns = (i: number): boolean => Math.floor(i / classes) % 2 === 0;
  const labelOf = matching(labels, predictions, classes, learns);
  let hits = 0,
    present = 0,
    judged = 0;
  predictions.forEach((p, i) => {
    if (learns(i)) return;
    judged++;
    if (labelOf.get(p) === labels[i]) hits++;
    if (p === labels[i]) present++;
  });
  // Any network tells some classes apart, so that some order does better than the given one: it must do well.
  const better = hits / judged > (1 + 1 / classes) / 2 && fraction(hits, judged).low > fraction(present, judged).high;
  const moved = [...labelOf].filter(([p, label]) => p !== label).sort((a, b) => a[1] - b[1]);
  const how = moved.slice(0, 12).map(([p, label]) => `${label} for its ${p}`);
  return judged > 0 && better
    ? { accuracy: hits / judged, how: how.join(", ") + (moved.length > 12 ? ", ..." : "") }
    : undefined;
};

/** Greedy: the most frequent pair of prediction and label first. */
const matching = (
  labels: Int32Array,
  predictions: Int32Array,
  classes: number,
  counts: (i: number) => boolean,
): ReadonlyMap<number, number> => {
  const met = new Map<number, number>();
  labels.forEach((label, i) => {
    if (counts(i) && predictions[i]! >= 0)
      met.set(label * classes + predictions[i]!, (met.get(label * classes + predictions[i]!) ?? 0) + 1);
  });
  const taken = new Set<number>(),
    labelOf = new Map<number, number>();
  for (const [key] of [...met].sort((a, b) => b[1] - a[1])) {
    const label = Math.floor(key / classes),
      prediction = key % classes;
    if (taken.has(label) || labelOf.has(prediction)) continue;
    taken.add(label);
    labelOf.set(prediction, label);
  }
  return labelOf;
};
