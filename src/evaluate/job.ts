import { createTarget, type Target } from "../attack/index.ts";
import { TemperError } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import type { Normalization } from "../models/index.ts";
import { decodeModel } from "../onnx/index.ts";
import { bindParameters, importModel } from "../ops/index.ts";
import type { DeviceName, JobContext, Winograd } from "../runtime/index.ts";
import { threat as createThreat } from "../threat/index.ts";
import { fittingBatch } from "./batch.ts";
import { type Lanes, openLanes } from "./lanes.ts";
import { logitsOf, predictionsOf, rightOf, runCascade, type Standing, standingOf } from "./cascade.ts";
import { noiseDoubt, nonfiniteDoubt, probabilityDoubt, zeroGradientDoubt } from "./doubts.ts";
import { inputDoubt } from "./input-doubt.ts";
import { fraction } from "./interval.ts";
import type { EvaluationProgress, Protocol } from "./protocol.ts";
import type { Doubt, EpsilonRow, EvaluationResult } from "./result.ts";
import { summarize, type Summary } from "./summarize.ts";

export interface EvaluateJob {
  readonly model: Uint8Array;
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly classNames: readonly string[];
  readonly box: readonly [number, number];
  readonly normalization: Normalization | undefined;
  readonly protocol: Protocol;
  readonly threads: number;
  readonly device: DeviceName;
  readonly winograd: Winograd;
  readonly memory: number;
  readonly lanes: number;
}

/** The part of the result that the loop computes; the caller adds model, data, machine and command. */
export type Measured = Pick<
  EvaluationResult,
  "cleanAccuracy" | "robustAccuracy" | "attacks" | "sweep" | "doubts" | "cost" | "seconds" | "run"
> &
  Summary & { readonly interrupted: boolean };

type Context = JobContext<EvaluationProgress>;

/** Runs in the engine's thread, beside the sessions. */
export const evaluateJob = async (context: Context, given: EvaluateJob): Promise<Measured> => {
  const began = performance.now(),
    elapsed = (): number => (performance.now() - began) / 1000,
    busyBefore = context.busySeconds();
  const graph = bindParameters(importModel(decodeModel(given.model)));
  const job = await fitted(graph, given);
  using target = await createTarget(context.runtime, graph, job);
  const opened = elapsed(),
    logits = await cleanPass(target, job, context),
    clean = elapsed();
  const standing = standingOf(job.x, job.labels, predictionsOf(logits, target.classes));
  const doubts = await doubtsAboutModel(target, graph, standing, logits, job);
  const { batch, attacks: specs } = job.protocol,
    count = rightOf(standing),
    forwardSeconds = (clean - opened) / job.labels.length;
  await using lanes = await openLanes(target, graph, { ...job, batch, specs, count, forwardSeconds }, context);
  const attacked = await attackAll(target, standing, logits, job, { ...context, lanes });
  return {
    cleanAccuracy: fraction(count, job.labels.length),
    ...attacked,
    doubts: [...doubts, ...attacked.doubts],
    cost: totals(attacked.sweep),
    seconds: {
      total: elapsed(),
      clean,
      attack: elapsed() - clean,
      engine: context.busySeconds() - busyBefore + lanes.busySeconds(),
    },
    run: { batch, lanes: lanes.count },
    interrupted: context.cancelled(),
  };
};

/** With the batch that the memory allows. */
const fitted = async (graph: Graph, job: EvaluateJob): Promise<EvaluateJob> => {
  const { protocol } = job,
    batch = await fittingBatch(graph, { ...job, ...protocol, specs: protocol.attacks });
  return { ...job, protocol: { ...protocol, batch } };
};

/** Logits of all examples; the accuracy so far is reported batch by batch. */
const cleanPass = async (
  target: Target,
  { x, labels, protocol }: EvaluateJob,
  { report, cancelled }: Context,
): Promise<Float32Array> => {
  const { classes } = target,
    n = labels.length;
  let right = 0,
    seen = 0;
  return logitsOf(target, x, protocol.batch, (done, all) => {
    const fresh = predictionsOf(all.subarray(seen * classes, done * classes), classes);
    right += fresh.reduce((sum, p, i) => sum + (p === labels[seen + i] ? 1 : 0), 0);
    seen = done;
    report({ phase: "clean", done, total: n, accuracy: right / done });
    if (done < n && cancelled())
      throw new TemperError("interrupted", `Stopped after ${done} of ${n} examples: nothing was measured.`);
  });
};

const doubtsAboutModel = async (
  target: Target,
  graph: Graph,
  standing: Standing,
  logits: Float32Array,
  { box, normalization, protocol: { batch } }: EvaluateJob,
): Promise<Doubt[]> =>
  [
    await inputDoubt(target, standing, { box, normalization }, batch),
    probabilityDoubt(graph, logits, target.classes),
    nonfiniteDoubt(standing.predictions),
  ].filter((doubt) => doubt !== undefined);

/** All epsilons in ascending order; what concerns the main one is taken down before larger ones change it. */
const attackAll = async (
  target: Target,
  standing: Standing,
  logits: Float32Array,
  { x, labels, box, classNames, protocol }: EvaluateJob,
  { report, cancelled, lanes }: Context & { readonly lanes: Lanes },
): Promise<Summary & Pick<Measured, "robustAccuracy" | "attacks" | "sweep" | "doubts">> => {
  const { batch, seed, attacks: specs } = protocol,
    n = labels.length;
  const main = createThreat({ norm: protocol.norm, epsilon: protocol.epsilon, box: [...box] });
  const sweep: EpsilonRow[] = [];
  const run = async (epsilon: number, count: number): Promise<EpsilonRow> => {
    const row = await runCascade(standing, main.withEpsilon(epsilon), {
      lanes,
      specs,
      seed,
      batch,
      count,
      cancelled,
      onProgress: (attack, done, total, accuracy) =>
        report({ phase: "attack", attack, epsilon, done, total, accuracy }),
    });
    sweep.push(row);
    return row;
  };
  const others = [...new Set(protocol.sweep)].filter((e) => e !== protocol.epsilon).sort((a, b) => a - b);
  const few = Math.min(n, protocol.sweepCount);
  for (const epsilon of others) if (epsilon < protocol.epsilon) await run(epsilon, few);
  const { robustAccuracy, attacks } = await run(protocol.epsilon, n);
  // An attack that was stopped is weaker than noise for no fault of the model.
  const weak = cancelled() ? undefined : await noiseDoubt(target, standing, main, { seed, batch });
  const doubts = [zeroGradientDoubt(standing), weak].filter((doubt) => doubt !== undefined);
  const summary = await summarize(target, standing, logits, main, {
    batch,
    pictures: protocol.pictures,
    classNames,
    distance: main.distance(x, standing.adv, target.d),
  });
  for (const epsilon of others) if (epsilon > protocol.epsilon) await run(epsilon, few);
  return { robustAccuracy, attacks, sweep, doubts, ...summary };
};

const totals = (sweep: readonly EpsilonRow[]): EvaluationResult["cost"] => {
  const rows = sweep.flatMap((row) => row.attacks);
  const sum = (of: (row: (typeof rows)[number]) => number): number =>
    Math.round(rows.reduce((s, row) => s + of(row) * row.attempted, 0));
  return {
    gradientEvaluations: sum((r) => r.gradientEvaluations),
    forwardEvaluations: sum((r) => r.forwardEvaluations),
  };
};
