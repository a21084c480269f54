import { type AttackResult, gather, predictionOf, type Target } from "../attack/index.ts";
import type { Threat } from "../threat/index.ts";
import { fraction } from "./interval.ts";
import type { Lanes } from "./lanes.ts";
import type { AttackSpec } from "./protocol.ts";
import type { AttackRow, EpsilonRow } from "./result.ts";

/** All examples of an evaluation and what is known about each. Row i of every array belongs to example i. */
export interface Standing {
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
  /** Smallest epsilon at which an attack has broken the example; 0 where it is wrong without one. */
  readonly brokenAt: Float64Array;
  /** Where broken: the point that broke it. Else the first attack's strongest point; untouched examples as they are. */
  readonly adv: Float32Array;
  /** The attack that found `adv`; empty where none has run. */
  readonly attack: string[];
  /** Largest sum of an absolute gradient that any attack saw; -1 where no gradient attack has looked. */
  readonly slope: Float32Array;
}

/** Before any attack: what is right stands at every epsilon. */
export const standingOf = (x: Float32Array, labels: Int32Array, predictions: Int32Array): Standing => ({
  x,
  labels,
  predictions,
  brokenAt: Float64Array.from(predictions, (p, i) => (p === labels[i] ? Infinity : 0)),
  adv: x.slice(),
  attack: Array.from(labels, () => ""),
  slope: new Float32Array(labels.length).fill(-1),
});

/** Number of examples that are right without attack. */
export const rightOf = ({ brokenAt }: Standing): number => brokenAt.reduce((sum, at) => sum + (at > 0 ? 1 : 0), 0);

export interface CascadeOptions {
  readonly lanes: Lanes;
  readonly specs: readonly AttackSpec[];
  readonly seed: number;
  readonly batch: number;
  /** Examples 0 .. count-1 take part. */
  readonly count: number;
  readonly cancelled: () => boolean;
  readonly onProgress: (attack: string, done: number, total: number, standing: number) => void;
}

/**
 * Runs the attacks one after the other at one epsilon, each on the examples that stand so far. Sets are nested: what a
 * smaller epsilon broke is broken here as well, so epsilons are to be given in ascending order.
 */
export const runCascade = async (standing: Standing, threat: Threat, options: CascadeOptions): Promise<EpsilonRow> => {
  const rows: AttackRow[] = [];
  for (const spec of options.specs) rows.push(await runOne(standing, threat, spec, options));
  const robust = standingRows(standing, threat.epsilon, options.count).length;
  return { epsilon: threat.epsilon, robustAccuracy: fraction(robust, options.count), attacks: rows };
};

const standingRows = ({ brokenAt }: Standing, epsilon: number, count: number): number[] => {
  const rows: number[] = [];
  for (let i = 0; i < count; i++) if (brokenAt[i]! > epsilon) rows.push(i);
  return rows;
};

/** One attack on all that stands, batch by batch, each lane one at a time. */
const runOne = async (
  standing: Standing,
  threat: Threat,
  spec: AttackSpec,
  { lanes, seed, batch, count, cancelled, onProgress }: CascadeOptions,
): Promise<AttackRow> => {
  const began = performance.now(),
    { name, options = {} } = spec,
    { norm, epsilon, box } = threat,
    d = standing.x.length / standing.labels.length,
    alive = standingRows(standing, epsilon, count);
  let robust = alive.length,
    begun = 0,
    attempted = 0,
    gradients = 0,
    forwards = 0;
  const work = async (lane: number): Promise<void> => {
    while (begun < alive.length && !cancelled()) {
      const part = alive.slice(begun, begun + batch);
      begun += part.length;
      const x = gather(standing.x, part, d),
        labels = Int32Array.from(part, (i) => standing.labels[i]!);
      const result = await lanes.attack(
        { spec, norm, epsilon, box, x, labels, ids: Int32Array.from(part), seed },
        lane,
      );
      part.forEach((example, row) => {
        gradients += result.gradientEvaluations[row]!;
        forwards += result.forwardEvaluations[row]!;
        if (result.broken[row]) robust--;
        take(standing, example, result, row, { name, d, epsilon });
      });
      attempted += part.length;
      onProgress(name, attempted, alive.length, robust / count);
    }
  };
  await Promise.all(Array.from({ length: lanes.count }, (_, lane) => work(lane)));
  return {
    name,
    options,
    attempted,
    broken: alive.length - robust,
    robustAccuracy: fraction(robust, count),
    gradientEvaluations: attempted ? gradients / attempted : 0,
    forwardEvaluations: attempted ? forwards / attempted : 0,
    seconds: (performance.now() - began) / 1000,
  };
};

/** Takes up what an attack found about one example. */
const take = (
  standing: Standing,
  example: number,
  result: AttackResult,
  row: number,
  { name, d, epsilon }: { readonly name: string; readonly d: number; readonly epsilon: number },
): void => {
  if (result.gradientEvaluations[row]! > 0)
    standing.slope[example] = Math.max(standing.slope[example]!, result.slope[row]!);
  if (!result.broken[row] && standing.attack[example] !== "") return;
  standing.adv.set(result.adv.subarray(row * d, (row + 1) * d), example * d);
  standing.attack[example] = name;
  if (result.broken[row]) standing.brokenAt[example] = epsilon;
};

/** Logits of many rows, batch by batch. */
export const logitsOf = async (
  target: Target,
  x: Float32Array,
  batch: number,
  onBatch: (done: number, logits: Float32Array) => void = () => undefined,
): Promise<Float32Array> => {
  const { d, classes } = target,
    n = x.length / d,
    out = new Float32Array(n * classes);
  for (let at = 0; at < n; at += batch) {
    const end = Math.min(at + batch, n);
    out.set(await target.logits(x.subarray(at * d, end * d)), at * classes);
    onBatch(end, out);
  }
  return out;
};

/** The class of the largest of each row's scores; -1 where one is NaN. */
export const predictionsOf = (logits: Float32Array, classes: number): Int32Array =>
  Int32Array.from({ length: logits.length / classes }, (_, i) => predictionOf(logits, i, classes));
