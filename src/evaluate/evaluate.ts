import { TemperError } from "../core/index.ts";
import { batchBetween, countOf, type Dataset } from "../data/index.ts";
import type { Classifier } from "../models/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { toOnnx } from "../ops/index.ts";
import { defaultEngine, describeMachine, type DeviceName, physicalCores, type Winograd } from "../runtime/index.ts";
import type { NormName } from "../threat/index.ts";
import { defaultBatch } from "./batch.ts";
import { checkAttack, checkLabels, checkNumbers } from "./check.ts";
import type { EvaluateJob, Measured } from "./job.ts";
import { type AttackSpec, DEFAULT_ATTACKS, type EvaluationProgress, type Protocol } from "./protocol.ts";
import type { Doubt, EvaluationResult } from "./result.ts";

export interface EvaluateOptions {
  readonly norm?: NormName;
  readonly epsilon: number;
  /** Default: {@link DEFAULT_ATTACKS}. */
  readonly attacks?: readonly AttackSpec[];
  /** Further radii of the curve. Default: a quarter, a half and twice epsilon; empty: none. */
  readonly sweep?: readonly number[];
  /** Examples that the further radii see. Default 500. */
  readonly sweepCount?: number;
  readonly seed?: number;
  readonly batch?: number;
  /** Bytes of resident memory to stay within, by smaller batches where needed: verdicts stay the same. 0: no limit. */
  readonly memory?: number;
  readonly threads?: number;
  /** Batches that are attacked at once, each with its share of the threads: results stay the same. 0, the default: as many as pay. */
  readonly lanes?: number;
  /** Default `cpu`. */
  readonly device?: DeviceName;
  /** See `TargetOptions`. Default true. */
  readonly winograd?: Winograd;
  readonly pictures?: number;
  /** Recorded in the report. */
  readonly command?: string;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Measures clean and attacked accuracy of a classifier.
 *
 * @throws TemperError `bad-option`, `not-found` for an unknown attack, option or norm; `bad-data` where labels exceed the
 *   classes; `interrupted` where `signal` came before the clean accuracy was known (later, the result says so)
 */
export const evaluate = async (
  model: Classifier,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<EvaluationResult> => {
  const {
    norm = "linf",
    epsilon,
    attacks: specs = DEFAULT_ATTACKS,
    threads = physicalCores(),
    device = "cpu",
    winograd = true,
    lanes = 0,
  } = options;
  const n = countOf(dataset);
  const resolved = specs.map((spec) => checkAttack(spec, norm));
  const classes = checkLabels(model, dataset);
  const protocol: Protocol = {
    norm,
    epsilon,
    sweep: options.sweep ?? [epsilon / 4, epsilon / 2, 2 * epsilon],
    sweepCount: options.sweepCount ?? 500,
    attacks: resolved,
    seed: options.seed ?? 0,
    batch: options.batch ?? defaultBatch(dataset.shape, device),
    pictures: options.pictures ?? 12,
  };
  checkProtocol(protocol, threads, lanes);
  const { x, labels } = batchBetween(dataset, 0, n);
  const job: EvaluateJob = {
    model: concatChunks(encodeModel(toOnnx(model.graph))),
    x,
    labels,
    classNames: dataset.classes,
    box: dataset.range,
    normalization: model.normalization,
    protocol,
    threads,
    device,
    winograd,
    memory: options.memory ?? 0,
    lanes,
  };
  const { interrupted, ...measured } = await defaultEngine().job<EvaluateJob, Measured, EvaluationProgress>(
    new URL("./job.js", import.meta.url),
    "evaluateJob",
    job,
    { onProgress: options.onProgress, signal: options.signal, load: () => import("./job.ts") },
  );
  return {
    schema: "temper.evaluation/1",
    command: options.command ?? "",
    createdAt: new Date().toISOString(),
    seed: protocol.seed,
    model: {
      path: model.path,
      hash: model.hash,
      inputShape: [...dataset.shape],
      classes,
      parameters: model.parameters,
      notes: model.notes,
    },
    data: {
      name: dataset.name,
      split: dataset.split,
      count: n,
      range: dataset.range,
      layout: dataset.layout,
      classes: dataset.classes,
      hash: dataset.hash,
      source: dataset.source,
      notes: dataset.notes,
    },
    threat: { norm, epsilon, box: dataset.range },
    ...measured,
    doubts: [...measured.doubts, ...callerDoubts(interrupted, n)],
    machine: describeMachine(threads, winograd),
  };
};

/** A batch of no examples would never end; what is wrong is to be said before the work begins. */
const checkProtocol = (
  { attacks, epsilon, sweep, seed, batch, sweepCount, pictures }: Protocol,
  threads: number,
  lanes: number,
): void => {
  if (attacks.length === 0)
    throw new TemperError("bad-option", "evaluate: attacks must name at least one; leave it out for the default ones.");
  checkNumbers({ epsilon, seed, batch, threads, lanes, sweepCount });
  for (const further of sweep) checkNumbers({ epsilon: further, seed, batch, threads, lanes });
  if (!Number.isSafeInteger(pictures) || pictures < 0)
    throw new TemperError("bad-option", `evaluate: pictures must be a whole number from 0, got ${pictures}.`);
};

const FEW = 100;
const callerDoubts = (interrupted: boolean, n: number): Doubt[] => [
  ...(interrupted
    ? [
        {
          code: "interrupted",
          message:
            "The run was stopped before all attacks had finished: robust accuracy is an upper bound from what had run.",
        },
      ]
    : []),
  ...(n < FEW ? [{ code: "few-examples", message: `Only ${n} examples: read the intervals, not the values.` }] : []),
];
