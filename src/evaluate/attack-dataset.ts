import { createTarget } from "../attack/index.ts";
import { batchBetween, countOf, type Dataset } from "../data/index.ts";
import type { Classifier } from "../models/index.ts";
import { concatChunks, decodeModel, encodeModel } from "../onnx/index.ts";
import { bindParameters, importModel, toOnnx } from "../ops/index.ts";
import { defaultEngine, type DeviceName, type JobContext, physicalCores, type Winograd } from "../runtime/index.ts";
import { type NormName, threat as createThreat } from "../threat/index.ts";
import { openLanes } from "./lanes.ts";
import { logitsOf, predictionsOf, rightOf, runCascade, standingOf } from "./cascade.ts";
import { fraction } from "./interval.ts";
import { defaultBatch, fittingBatch } from "./batch.ts";
import { checkAttack, checkLabels, checkNumbers } from "./check.ts";
import type { AttackSpec } from "./protocol.ts";
import type { AttackRow, Fraction } from "./result.ts";

export interface AttackDatasetOptions {
  readonly attack: AttackSpec;
  readonly norm?: NormName;
  readonly epsilon: number;
  readonly seed?: number;
  readonly batch?: number;
  /** Bytes of resident memory to stay within, by smaller batches where needed: verdicts stay the same. 0: no limit. */
  readonly memory?: number;
  readonly threads?: number;
  /** As in `EvaluateOptions`. */
  readonly lanes?: number;
  /** Default `cpu`. */
  readonly device?: DeviceName;
  /** See `TargetOptions`. Default true. */
  readonly winograd?: Winograd;
  /** Examples done and to do, and the share that still stands. */
  readonly onProgress?: (done: number, total: number, accuracy: number) => void;
  readonly signal?: AbortSignal;
}

/** Row i of every array belongs to example i of the data. */
export interface AttackedDataset {
  readonly cleanAccuracy: Fraction;
  readonly robustAccuracy: Fraction;
  readonly row: AttackRow;
  /** Strongest points found; the clean example where it is wrong without attack. */
  readonly adv: Float32Array;
  /** Examples that were right and that the attack made wrong. */
  readonly broken: Uint8Array;
  /** Predictions on `adv`. */
  readonly predictions: Int32Array;
  /** The attack was stopped before it had seen every example. */
  readonly interrupted: boolean;
}

interface AttackJob {
  readonly model: Uint8Array;
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly box: readonly [number, number];
  readonly attack: AttackSpec;
  readonly norm: NormName;
  readonly epsilon: number;
  readonly seed: number;
  readonly batch: number;
  readonly threads: number;
  readonly device: DeviceName;
  readonly winograd: Winograd;
  readonly memory: number;
  readonly lanes: number;
}
type Progress = readonly [done: number, total: number, accuracy: number];

/**
 * Runs one attack on the correctly classified examples of a data set.
 *
 * @throws TemperError `bad-option`, `not-found` for an unknown attack, option or norm; `bad-data` where labels exceed the
 *   classes
 */
export const attackDataset = async (
  model: Classifier,
  dataset: Dataset,
  {
    attack,
    norm = "linf",
    epsilon,
    seed = 0,
    device = "cpu",
    batch = defaultBatch(dataset.shape, device),
    threads = physicalCores(),
    winograd = true,
    memory = 0,
    lanes = 0,
    onProgress,
    signal,
  }: AttackDatasetOptions,
): Promise<AttackedDataset> => {
  const resolved = checkAttack(attack, norm);
  checkNumbers({ epsilon, seed, batch, threads, lanes });
  checkLabels(model, dataset);
  const { x, labels } = batchBetween(dataset, 0, countOf(dataset));
  return defaultEngine().job<AttackJob, AttackedDataset, Progress>(
    new URL("./attack-dataset.js", import.meta.url),
    "attackJob",
    {
      model: concatChunks(encodeModel(toOnnx(model.graph))),
      x,
      labels,
      box: dataset.range,
      attack: resolved,
      norm,
      epsilon,
      seed,
      batch,
      threads,
      device,
      winograd,
      memory,
      lanes,
    },
    {
      signal,
      load: () => import("./attack-dataset.ts"),
      onProgress: onProgress && ((progress) => onProgress(...progress)),
    },
  );
};

/** Runs in the engine's thread. */
export const attackJob = async (context: JobContext<Progress>, job: AttackJob): Promise<AttackedDataset> => {
  const { runtime, report, cancelled } = context;
  const { x, labels, epsilon } = job,
    n = labels.length,
    graph = bindParameters(importModel(decodeModel(job.model)));
  const specs = [job.attack],
    batch = await fittingBatch(graph, { ...job, specs });
  using target = await createTarget(runtime, graph, job);
  const { classes } = target;
  const began = performance.now(),
    standing = standingOf(x, labels, predictionsOf(await logitsOf(target, x, batch), classes)),
    forwardSeconds = (performance.now() - began) / 1000 / n,
    count = rightOf(standing);
  await using lanes = await openLanes(target, graph, { ...job, specs, batch, count, forwardSeconds }, context);
  const threat = createThreat({ norm: job.norm, epsilon, box: [...job.box] });
  const { attacks, robustAccuracy } = await runCascade(standing, threat, {
    lanes,
    specs,
    seed: job.seed,
    batch,
    count: n,
    cancelled,
    onProgress: (_, done, total, accuracy) => report([done, total, accuracy]),
  });
  return {
    cleanAccuracy: fraction(count, n),
    robustAccuracy,
    row: attacks[0]!,
    adv: standing.adv,
    broken: Uint8Array.from(standing.brokenAt, (at) => (at > 0 && at <= epsilon ? 1 : 0)),
    predictions: predictionsOf(await logitsOf(target, standing.adv, batch), classes),
    interrupted: cancelled(),
  };
};
