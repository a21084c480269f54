import { attacks, gather, predictionOf, runAttack, type Target } from "../attack/index.ts";
import { lookup } from "../core/index.ts";
import type { Threat } from "../threat/index.ts";
import { fraction } from "./interval.ts";
import type { AttackSpec } from "./protocol.ts";
import type { AttackRow, EpsilonRow } from "./result.ts";

/** All examples of an evaluation and what is known about each. Row i of every array belongs to example i. */
export interface Standing {
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly predictions: Int32Array;
  /** Smallest epsilon at which an attack has broken the example; 0 where it is wrong without one. */
  readonly brokenAt: Float64Array;
  /** Strongest point found at the largest epsilon attacked so far, with the attack that found it. */
  readonly adv: Float32Array;
  readonly attack: string[];
  readonly largestGradient: Float32Array;
}

export interface CascadeOptions {
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
export const runCascade = async (
  target: Target,
  standing: Standing,
  threat: Threat,
  { specs, seed, batch, count, cancelled, onProgress }: CascadeOptions,
): Promise<EpsilonRow> => {
  const { d } = target;
  const robust = (): number => {
    let n = 0;
    for (let i = 0; i < count; i++) if (standing.brokenAt[i]! > threat.epsilon) n++;
    return n;
  };
  const rows: AttackRow[] = [];
  for (const { name, options = {} } of specs) {
    const began = performance.now();
    const alive: number[] = [];
    for (let i = 0; i < count; i++) if (standing.brokenAt[i]! > threat.epsilon) alive.push(i);
    const before = alive.length;
    let gradients = 0,
      forwards = 0,
      done = 0;
    for (let at = 0; at < alive.length && !cancelled(); at += batch) {
      const part = alive.slice(at, at + batch);
      const result = await runAttack(target, {
        attack: lookup(attacks, name, "attack"),
        options,
        threat,
        x: gather(standing.x, part, d),
        labels: Int32Array.from(part, (i) => standing.labels[i]!),
        ids: Int32Array.from(part),
        seed,
        cancelled,
      });
      part.forEach((example, row) => {
        gradients += result.gradientEvaluations[row]!;
        forwards += result.forwardEvaluations[row]!;
        standing.largestGradient[example] = Math.max(standing.largestGradient[example]!, result.largestGradient[row]!);
        if (!result.broken[row] && standing.attack[example] !== "") return;
        standing.adv.set(result.adv.subarray(row * d, (row + 1) * d), example * d);
        standing.attack[example] = name;
        if (result.broken[row]) standing.brokenAt[example] = threat.epsilon;
      });
      done += part.length;
      onProgress(name, done, before, robust() / count);
    }
    rows.push({
      name,
      options,
      attempted: before,
      broken: before - robust(),
      robustAccuracy: fraction(robust(), count),
      gradientEvaluations: before ? gradients / before : 0,
      forwardEvaluations: before ? forwards / before : 0,
      seconds: (performance.now() - began) / 1000,
    });
  }
  return { epsilon: threat.epsilon, robustAccuracy: fraction(robust(), count), attacks: rows };
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

export const predictionsOf = (logits: Float32Array, classes: number): Int32Array =>
  Int32Array.from({ length: logits.length / classes }, (_, i) => predictionOf(logits, i, classes));
