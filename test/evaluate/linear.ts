import { createRng, f32, type Tensor } from "temper/core";
import { createDataset, type Dataset } from "temper/data";
import { BATCH, constant, createGraph, type Graph, input, type Value } from "temper/graph";
import type { Classifier } from "temper/models";
import { add, matmul, reshape } from "temper/ops";

/**
 * Classifiers that need no training: the nearest of a few prototypes wins, which is a linear map. Attacks on it have a
 * closed form: class j beats the label y as soon as epsilon * |w_j - w_y|_1 reaches the margin (l-inf, away from the box).
 */
export interface Task {
  readonly shape: readonly [number, number, number];
  readonly classes: number;
  readonly dataset: Dataset;
  /** [d, K] and [K]: logits = x W + b = 2 x·p - |p|², times `gain`. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

export interface TaskOptions {
  readonly shape?: readonly [number, number, number];
  readonly classes?: number;
  readonly count?: number;
  readonly noise?: number;
  /** Prototypes lie between 0.5 - contrast and 0.5 + contrast. */
  readonly contrast?: number;
  /** The first class is darker, the last one brighter by this much: another scale of the pixels then matters. */
  readonly brightness?: number;
  readonly gain?: number;
  readonly seed?: number;
}

/** Images around the prototypes, none nearer than 0.1 to the ends of [0, 1]; labels in random order. */
export const taskOf = ({
  shape = [1, 8, 8],
  classes = 4,
  count = 240,
  noise = 0.12,
  contrast = 0.2,
  brightness = 0,
  gain = 1,
  seed = 1,
}: TaskOptions = {}): Task => {
  const d = shape[0] * shape[1] * shape[2],
    rng = createRng(seed);
  const prototypes = Array.from({ length: classes }, (_, k) => {
    const p = new Float32Array(d);
    const middle = 0.5 + brightness * ((2 * k) / (classes - 1) - 1);
    rng
      .split("prototype")
      .split(k)
      .fillUniform(p, middle - contrast, middle + contrast);
    return p;
  });
  const pixels = new Float32Array(count * d),
    labels = Int32Array.from({ length: count }, () => rng.int(classes));
  const draw = rng.split("noise");
  for (let i = 0; i < pixels.length; i++) {
    const value = prototypes[labels[Math.floor(i / d)]!]![i % d]! + noise * draw.normal();
    pixels[i] = Math.min(0.9, Math.max(0.1, value));
  }
  const weights = new Float32Array(d * classes),
    bias = new Float32Array(classes);
  prototypes.forEach((p, k) => {
    p.forEach((v, j) => (weights[j * classes + k] = 2 * gain * v));
    bias[k] = -gain * p.reduce((s, v) => s + v * v, 0);
  });
  const names = Array.from({ length: classes }, (_, k) => `class ${k}`);
  const dataset = createDataset({
    name: "prototypes",
    split: "test",
    pixels,
    labels,
    shape,
    classes: names,
    source: "test",
  });
  return { shape, classes, dataset, weights, bias };
};

export interface ModelOptions {
  /** Size of the batch in the file; any by default. */
  readonly batch?: number;
  /** Works on the images before the linear map. */
  readonly before?: (x: Value) => Value;
  /** Works on the scores [N, K]. */
  readonly after?: (scores: Value) => Value;
  /** The network takes rows of this many pixels in place of images. */
  readonly flat?: boolean;
}

const identity = (x: Value): Value => x;

/** The classifier as a graph: `x` [N, C, H, W] to `scores` [N, K]. */
export const linearGraph = (
  { shape, classes, weights, bias }: Task,
  { batch = BATCH, before = identity, after = identity, flat = false }: ModelOptions = {},
): Graph => {
  const d = shape[0] * shape[1] * shape[2];
  const x = input("x", "float32", flat ? [batch, d] : [batch, ...shape]);
  const w = constant(f32(weights, [d, classes]) as Tensor, "w"),
    b = constant(f32(bias) as Tensor, "b");
  return createGraph("prototypes", [x], { scores: after(add(matmul(reshape(before(x), [batch, d]), w), b)) });
};

export const classifierFrom = (graph: Graph, more: Partial<Classifier> = {}): Classifier => ({
  path: "prototypes.onnx",
  graph,
  hash: "",
  parameters: 0,
  metadata: {},
  notes: [],
  ...more,
});

/** Smallest l-inf epsilon at which each example can be broken; 0 where it is wrong already. */
export const breakingEpsilons = ({ dataset, classes, weights, bias }: Task): number[] => {
  const d = weights.length / classes;
  return Array.from(dataset.labels, (label, i) => {
    const score = (k: number): number => {
      let s = bias[k]!;
      for (let j = 0; j < d; j++) s += dataset.pixels[i * d + j]! * weights[j * classes + k]!;
      return s;
    };
    const needed = Array.from({ length: classes }, (_, k) => {
      if (k === label) return Infinity;
      let l1 = 0;
      for (let j = 0; j < d; j++) l1 += Math.abs(weights[j * classes + k]! - weights[j * classes + label]!);
      return Math.max(0, score(label) - score(k)) / l1;
    });
    return Math.min(...needed);
  });
};
