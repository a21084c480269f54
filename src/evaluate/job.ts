import { createTarget, type Target } from "../attack/index.ts";
import { decodeModel } from "../onnx/index.ts";
import { bindParameters, importModel } from "../ops/index.ts";
import type { JobContext } from "../runtime/index.ts";
import { threat as createThreat } from "../threat/index.ts";
import { logitsOf, predictionsOf, runCascade, type Standing } from "./cascade.ts";
import { chanceDoubt, noiseDoubt, nonfiniteDoubt, probabilityDoubt, zeroGradientDoubt } from "./doubts.ts";
import { fraction } from "./interval.ts";
import type { EvaluationProgress, Protocol } from "./protocol.ts";
import type { ClassRow, Doubt, EpsilonRow, EvaluationResult, ExampleRow } from "./result.ts";

export interface EvaluateJob {
  readonly model: Uint8Array;
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly classNames: readonly string[];
  readonly box: readonly [number, number];
  readonly protocol: Protocol;
  readonly threads: number;
}

/** The part of the result that the loop computes; the caller adds model, data, machine and command. */
export type Measured = Pick<
  EvaluationResult,
  | "cleanAccuracy"
  | "robustAccuracy"
  | "attacks"
  | "sweep"
  | "perClass"
  | "confusion"
  | "examples"
  | "doubts"
  | "cost"
  | "seconds"
> & { readonly interrupted: boolean };

/** Runs in the engine's thread, beside the sessions. */
export const evaluateJob = async (
  { runtime, report, cancelled }: JobContext<EvaluationProgress>,
  job: EvaluateJob,
): Promise<Measured> => {
  const began = performance.now();
  const graph = bindParameters(importModel(decodeModel(job.model)));
  using target = await createTarget(runtime, graph, { threads: job.threads });
  const { protocol, x, labels, box } = job,
    { batch } = protocol,
    n = labels.length;

  const { logits, predictions } = await cleanPass(target, job, report);
  const cleanSeconds = (performance.now() - began) / 1000;
  const right = predictions.reduce((sum, p, i) => sum + (p === labels[i] ? 1 : 0), 0);
  const standing: Standing = {
    x,
    labels,
    predictions,
    brokenAt: Float64Array.from(predictions, (p, i) => (p === labels[i] ? Infinity : 0)),
    adv: x.slice(),
    attack: Array.from({ length: n }, () => ""),
    largestGradient: new Float32Array(n),
  };
  const doubts: (Doubt | undefined)[] = [
    await chanceDoubt(target, standing, box, batch),
    probabilityDoubt(logits, target.classes),
    nonfiniteDoubt(predictions),
  ];

  const attackBegan = performance.now();
  const main = createThreat({ norm: protocol.norm, epsilon: protocol.epsilon, box: [...box] });
  const sweep: EpsilonRow[] = [];
  let finished: Finished | undefined;
  for (const epsilon of [...new Set([...protocol.sweep, protocol.epsilon])].sort((a, b) => a - b)) {
    const isMain = epsilon === protocol.epsilon,
      threat = isMain ? main : main.withEpsilon(epsilon);
    const count = isMain ? n : Math.min(n, protocol.sweepCount);
    const row = await runCascade(target, standing, threat, {
      specs: protocol.attacks,
      seed: protocol.seed,
      batch,
      count,
      cancelled,
      onProgress: (attack, done, total, accuracy) =>
        report({ phase: "attack", attack, epsilon, done, total, accuracy }),
    });
    sweep.push(row);
    if (!isMain) continue;
    doubts.push(
      zeroGradientDoubt(standing, n),
      await noiseDoubt(target, standing, main, { seed: protocol.seed, batch, count: n }),
    );
    finished = await summarize(target, standing, job, logits, main.distance(x, standing.adv, target.d));
  }
  const mainRow = sweep.find((row) => row.epsilon === protocol.epsilon)!;
  return {
    cleanAccuracy: fraction(right, n),
    robustAccuracy: mainRow.robustAccuracy,
    attacks: mainRow.attacks,
    sweep,
    ...finished!,
    doubts: doubts.filter((d) => d !== undefined),
    cost: totals(sweep),
    seconds: {
      total: (performance.now() - began) / 1000,
      clean: cleanSeconds,
      attack: (performance.now() - attackBegan) / 1000,
    },
    interrupted: cancelled(),
  };
};

const cleanPass = async (
  target: Target,
  { x, labels, protocol }: EvaluateJob,
  report: (progress: EvaluationProgress) => void,
): Promise<{ logits: Float32Array; predictions: Int32Array }> => {
  const { classes } = target,
    n = labels.length;
  let right = 0,
    seen = 0;
  const logits = await logitsOf(target, x, protocol.batch, (done, all) => {
    const fresh = predictionsOf(all.subarray(seen * classes, done * classes), classes);
    fresh.forEach((p, i) => {
      if (p === labels[seen + i]) right++;
    });
    seen = done;
    report({ phase: "clean", done, total: n, accuracy: right / done });
  });
  return { logits, predictions: predictionsOf(logits, classes) };
};

type Finished = Pick<EvaluationResult, "perClass" | "confusion" | "examples">;

/** Per-class rows, confusions and pictures at the main epsilon. */
const summarize = async (
  target: Target,
  standing: Standing,
  { labels, protocol, classNames, x }: EvaluateJob,
  cleanLogits: Float32Array,
  distance: Float32Array,
): Promise<Finished> => {
  const { classes, d } = target,
    { predictions, brokenAt, adv } = standing,
    n = labels.length;
  const advLogits = await logitsOf(target, adv, protocol.batch);
  // What is wrong without attack is wrong under attack, whatever the attack's best guess was.
  const attacked = predictionsOf(advLogits, classes).map((p, i) => (brokenAt[i] === 0 ? predictions[i]! : p));
  const robust = (i: number): boolean => brokenAt[i]! > protocol.epsilon;
  const perClass = Array.from({ length: classes }, (_, k): ClassRow => {
    let count = 0,
      clean = 0,
      stands = 0;
    for (let i = 0; i < n; i++) {
      if (labels[i] !== k) continue;
      count++;
      if (predictions[i] === k) clean++;
      if (robust(i)) stands++;
    }
    return { name: classNames[k] ?? String(k), count, clean, robust: stands };
  });
  const confusionOf = (found: Int32Array): number[][] => {
    const table = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
    found.forEach((p, i) => {
      if (p >= 0) table[labels[i]!]![p]!++;
    });
    return table;
  };
  const broken = Array.from(labels.keys()).filter((i) => brokenAt[i]! > 0 && !robust(i));
  const rest = Array.from(labels.keys()).filter((i) => robust(i) && standing.attack[i] !== "");
  const examples = [...spread(broken, protocol.pictures), ...rest].slice(0, protocol.pictures).map((i): ExampleRow => ({
    index: i,
    label: labels[i]!,
    clean: { label: predictions[i]!, confidence: confidence(cleanLogits, i, classes, predictions[i]!) },
    adversarial: { label: attacked[i]!, confidence: confidence(advLogits, i, classes, attacked[i]!) },
    attack: standing.attack[i]!,
    distance: distance[i]!,
    pixels: Array.from(x.subarray(i * d, (i + 1) * d)),
    adversarialPixels: Array.from(adv.subarray(i * d, (i + 1) * d)),
  }));
  return { perClass, confusion: { clean: confusionOf(predictions), attacked: confusionOf(attacked) }, examples };
};

/** Up to `most` entries, evenly spaced, so that pictures do not all come from the start of the data. */
const spread = (rows: readonly number[], most: number): number[] =>
  rows.length <= most ? [...rows] : Array.from({ length: most }, (_, k) => rows[Math.floor((k * rows.length) / most)]!);

/** Softmax probability of a class. Outputs that already are probabilities are taken as they are. */
const confidence = (logits: Float32Array, row: number, classes: number, k: number): number => {
  if (k < 0) return 0;
  const scores = logits.subarray(row * classes, (row + 1) * classes);
  const total = scores.reduce((s, v) => s + v, 0);
  if (Math.abs(total - 1) < 1e-4 && scores.every((v) => v >= 0 && v <= 1)) return scores[k]!;
  const top = scores.reduce((m, v) => Math.max(m, v), -Infinity);
  return Math.exp(scores[k]! - top) / scores.reduce((s, v) => s + Math.exp(v - top), 0);
};

const totals = (sweep: readonly EpsilonRow[]): { gradientEvaluations: number; forwardEvaluations: number } => {
  const rows = sweep.flatMap((row) => row.attacks);
  const sum = (of: (row: (typeof rows)[number]) => number): number =>
    Math.round(rows.reduce((s, row) => s + of(row) * row.attempted, 0));
  return {
    gradientEvaluations: sum((r) => r.gradientEvaluations),
    forwardEvaluations: sum((r) => r.forwardEvaluations),
  };
};
