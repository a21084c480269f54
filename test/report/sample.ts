import { createRng, type Rng } from "temper/core";
import type { AttackRow, ClassRow, EpsilonRow, EvaluationResult, ExampleRow, Fraction } from "temper/evaluate";

/** What a made-up result is like. */
export interface SampleForm {
  readonly seed?: number;
  readonly shape?: readonly number[];
  readonly classes?: readonly string[];
  readonly norm?: "linf" | "l2" | "l1";
  readonly epsilon?: number;
  readonly sweep?: readonly number[];
  readonly count?: number;
  readonly doubts?: EvaluationResult["doubts"];
  readonly examples?: number;
}

const digits = Array.from({ length: 10 }, (_, i) => String(i));
const objects = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck".split(",");

/** A near enough interval: the sample only has to look right, the exact one is tested elsewhere. */
const about = (value: number, count: number): Fraction => {
  const half = 1.96 * Math.sqrt((value * (1 - value) + 1 / count) / count);
  return { value, low: Math.max(0, value - half), high: Math.min(1, value + half), count };
};

/** A stroke drawn by a soft pen along a few turns, on every channel with its own weight; [C, H, W] in 0 to 1. */
const drawing = (rng: Rng, [channels, height, width]: readonly [number, number, number]): number[] => {
  const weights = Array.from({ length: channels }, () => (channels === 1 ? 1 : 0.25 + 0.75 * rng.uniform()));
  const ground = Array.from({ length: channels }, () => (channels === 1 ? 0 : 0.4 * rng.uniform()));
  const [a, b, c, d] = [rng.uniform() * 6, 1 + rng.uniform() * 2, rng.uniform() * 6, 1 + rng.uniform() * 2];
  const pen = Array.from({ length: 60 }, (_, i) => {
    const t = i / 30;
    return [0.5 + 0.28 * Math.sin(a + b * t), 0.5 + 0.32 * Math.cos(c + d * t)] as const;
  });
  return Array.from({ length: channels * height * width }, (_, k) => {
    const channel = Math.floor(k / (height * width)),
      y = Math.floor((k % (height * width)) / width),
      x = k % width;
    const near = Math.min(...pen.map(([px, py]) => Math.hypot(x / width - px, y / height - py)));
    const ink = Math.max(0, Math.min(1, (0.085 - near) / 0.04));
    return ground[channel]! * (1 - y / height) + (weights[channel]! - ground[channel]! * (1 - y / height)) * ink;
  });
};

const pixelsOf = (rng: Rng, shape: readonly number[]): number[] => {
  const size = shape.reduce((a, b) => a * b, 1);
  if (shape.length === 3) return drawing(rng, [shape[0]!, shape[1]!, shape[2]!]);
  return Array.from({ length: size }, (_, i) => 0.5 + 0.4 * Math.sin(i / 5 + rng.uniform()));
};

const changed = (rng: Rng, pixels: readonly number[], norm: string, epsilon: number): number[] => {
  const noise = pixels.map(() => (norm === "linf" ? (rng.uniform() < 0.5 ? -1 : 1) : rng.normal()));
  const length =
    norm === "linf" ? 1 : norm === "l2" ? Math.hypot(...noise) : noise.reduce((s, v) => s + Math.abs(v), 0);
  return pixels.map((v, i) => Math.min(1, Math.max(0, v + (epsilon * noise[i]!) / length)));
};

const example = (rng: Rng, form: Required<SampleForm>, index: number): ExampleRow => {
  const pixels = pixelsOf(rng, form.shape),
    label = rng.int(form.classes.length);
  return {
    index,
    label,
    clean: { label, confidence: 0.8 + 0.2 * rng.uniform() },
    adversarial: {
      label: (label + 1 + rng.int(form.classes.length - 1)) % form.classes.length,
      confidence: 0.4 + 0.6 * rng.uniform(),
    },
    attack: ["apgd-ce", "apgd-t", "square"][rng.int(3)]!,
    distance: form.epsilon,
    pixels,
    adversarialPixels: changed(rng, pixels, form.norm, form.epsilon),
  };
};

const attackRows = (right: number, left: number, count: number): readonly AttackRow[] => {
  const broken = right - left,
    first = Math.round(0.8 * broken),
    second = Math.round(0.15 * broken);
  const row = (
    name: string,
    options: AttackRow["options"],
    attempted: number,
    n: number,
    g: number,
    f: number,
    seconds: number,
    standing: number,
  ): AttackRow => ({
    name,
    options,
    attempted,
    broken: n,
    robustAccuracy: about(standing / count, count),
    gradientEvaluations: g,
    forwardEvaluations: f,
    seconds,
  });
  return [
    row("apgd-ce", { steps: 100, restarts: 1, loss: "ce" }, right, first, 93.4, 101.2, 41.7, right - first),
    row("apgd-t", { steps: 100, targets: 9 }, right - first, second, 868.25, 910.5, 322.4, right - first - second),
    row(
      "square",
      { queries: 5000, p: 0.8, step: 1 / 30 },
      right - first - second,
      broken - first - second,
      0,
      4870.9,
      88.25,
      left,
    ),
  ];
};

const classRows = (rng: Rng, form: Required<SampleForm>, clean: number, robust: number): readonly ClassRow[] =>
  form.classes.map((name) => {
    const count = Math.round(form.count / form.classes.length),
      hard = rng.uniform();
    const right = Math.min(count, Math.round(count * (clean + (1 - clean) * (0.6 - hard))));
    return { name, count, clean: right, robust: Math.min(right, Math.round(count * robust * (1.12 - 0.3 * hard))) };
  });

const confusionOf = (rng: Rng, rows: readonly ClassRow[], key: "clean" | "robust"): readonly (readonly number[])[] =>
  rows.map((row, i) => {
    const out = rows.map(() => 0);
    out[i] = row[key];
    const favourite = (i + 3 + rng.int(3)) % rows.length;
    for (let k = row[key]; k < row.count; k++) {
      let j = rng.uniform() < 0.5 ? favourite : rng.int(rows.length);
      if (j === i) j = (j + 1) % rows.length;
      out[j] = out[j]! + 1;
    }
    return out;
  });

/** A made-up but realistic result; the same form gives the same result. */
export const sampleResult = (given: SampleForm = {}): EvaluationResult => {
  const shape = given.shape ?? [1, 28, 28],
    colour = shape[0] === 3;
  const form: Required<SampleForm> = {
    seed: 7,
    shape,
    classes: colour ? objects : digits,
    norm: "linf",
    epsilon: colour ? 8 / 255 : 0.1,
    sweep: colour ? [1, 2, 4, 8, 12, 16].map((k) => k / 255) : [0.02, 0.05, 0.1, 0.15, 0.2, 0.3],
    count: 1000,
    doubts: [],
    examples: 6,
    ...given,
  };
  const rng = createRng(form.seed),
    [clean, robust] = colour ? [0.887, 0.523] : [0.982, 0.949];
  const n = form.count,
    right = Math.round(clean * n);
  const left = (epsilon: number): number =>
    Math.round(right * Math.exp(-Math.log(clean / robust) * (epsilon / form.epsilon) ** 1.7));
  const sweep = form.sweep.map((epsilon): EpsilonRow => ({
    epsilon,
    robustAccuracy: about(left(epsilon) / n, n),
    attacks: attackRows(right, left(epsilon), n),
  }));
  const perClass = classRows(rng.split("classes"), form, clean, robust);
  return {
    schema: "temper.evaluation/1",
    command: `temper evaluate models/${colour ? "preact-resnet-18" : "mnist-robust"}.onnx --data ${colour ? "cifar10" : "mnist"} --norm ${form.norm} --epsilon ${colour ? "8/255" : form.epsilon} --count ${n} --report report.html`,
    createdAt: "2026-03-04T12:34:56.789Z",
    seed: form.seed,
    model: {
      path: `models/${colour ? "preact-resnet-18" : "mnist-robust"}.onnx`,
      hash: "sha256:4f0c6c6d7c1d0f6a3a51be0b8a9e6f5a7d9f4bb9a6f3b1f3e1dbd0ad4c6f2e11",
      inputShape: form.shape,
      classes: form.classes.length,
      parameters: colour ? 11173962 : 431080,
      notes: ["The output is logits; softmax is applied for confidences."],
    },
    data: {
      name: colour ? "CIFAR-10" : "MNIST",
      split: "test",
      count: n,
      range: [0, 1],
      layout: "NCHW",
      classes: form.classes,
      hash: "sha256:9a1be0d2c44f7a1e1fb4b3e5c8d9f00112233445566778899aabbccddeeff001",
      source: "data/t10k-images-idx3-ubyte.gz, data/t10k-labels-idx1-ubyte.gz",
      notes: [`The first ${n} of 10000 examples.`],
    },
    threat: { norm: form.norm, epsilon: form.epsilon, box: [0, 1] },
    cleanAccuracy: about(right / n, n),
    robustAccuracy: about(left(form.epsilon) / n, n),
    attacks: attackRows(right, left(form.epsilon), n),
    sweep,
    perClass,
    confusion: {
      clean: confusionOf(rng.split("clean"), perClass, "clean"),
      attacked: confusionOf(rng.split("attacked"), perClass, "robust"),
    },
    examples: Array.from({ length: form.examples }, (_, i) => example(rng.split(`example ${i}`), form, 17 + 211 * i)),
    doubts: form.doubts,
    cost: { gradientEvaluations: 1234567, forwardEvaluations: 7654321 },
    run: { batch: 64, lanes: 4 },
    seconds: { total: 792.3, clean: 1.84, attack: 757.2, engine: 713.1 },
    machine: {
      cpu: "AMD EPYC 7B13",
      cores: 8,
      threads: 4,
      platform: "linux x64",
      node: "20.20.2",
      onnxruntime: "1.30.0",
      temper: "0.1.0",
      winogradChannels: 64,
    },
  };
};

/** Doubts of the kind that the evaluation gives. */
export const sampleDoubts: EvaluationResult["doubts"] = [
  {
    code: "zero-gradients",
    message:
      "The loss gradient is exactly zero at 312 of 1,000 images, so gradient attacks are blind there and the robust accuracy is probably too high. Evaluate the model before its last rounding step, or raise the queries of square.",
  },
  {
    code: "few-examples",
    message: "Class 8 has only 9 examples. Evaluate at least 100 a class before comparing classes.",
  },
];
