import { createTarget, perturb, pgd, predictionOf, runAttack, type Target } from "../attack/index.ts";
import { createRng, f32, i64, resolveOptions, type Tensor, TemperError } from "../core/index.ts";
import { type Batch, batchOf, countOf, type Dataset } from "../data/index.ts";
import { model as modelOf, type ModelDefinition, toGraph } from "../models/index.ts";
import { initialize, weightNames } from "../nn/index.ts";
import { createOptimizer, createSchedule, optimizers, schedules } from "../optim/index.ts";
import type { Feeds, JobContext, Program } from "../runtime/index.ts";
import { threat as createThreat, type Threat } from "../threat/index.ts";
import { type EpochRecord, objectives, type TrainConfig } from "./config.ts";
import type { AnyObjective } from "./objective.ts";
import { loadRun, type RunState, saveRun } from "./run-folder.ts";
import { nextName, trainStepGraph, viewInput } from "./step-graph.ts";

export interface TrainJob {
  readonly config: TrainConfig;
  readonly folder: string;
  readonly resume: boolean;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}
export type TrainProgress =
  | {
      readonly kind: "step";
      readonly step: number;
      readonly total: number;
      readonly epoch: number;
      readonly loss: number;
    }
  | { readonly kind: "epoch"; readonly record: EpochRecord };

export interface TrainResult {
  readonly finished: boolean;
  readonly history: readonly EpochRecord[];
  readonly weights: Readonly<Record<string, Tensor>>;
}

/** The classifier that a configuration describes. */
export const modelOfConfig = (
  { model, modelOptions }: TrainConfig,
  data: Dataset,
  mean: readonly number[],
  std: readonly number[],
): ModelDefinition =>
  modelOf(
    model,
    {
      inputShape: data.shape,
      classes: data.classes.length,
      ...(mean.length > 0 && { mean }),
      ...(std.length > 0 && { std }),
    },
    modelOptions,
  );

/** Everything that a run of steps needs. */
interface Run {
  readonly job: TrainJob;
  readonly objective: AnyObjective;
  readonly program: Program;
  readonly target: Target;
  readonly threat: Threat;
  readonly scalarsAt: (step: number) => { readonly lr: number; readonly feeds: Feeds };
  readonly perEpoch: number;
  /** Weights, buffers and optimizer state by name; replaced step by step. */
  tensors: Record<string, Tensor>;
  state: RunState;
}

/** Runs in the engine's thread, beside the sessions. Ends early, resumable, where it is cancelled. */
export const trainJob = async (context: JobContext<TrainProgress>, job: TrainJob): Promise<TrainResult> => {
  const { report, cancelled } = context,
    { folder, config } = job;
  const run = await prepare(context, job);
  const total = run.perEpoch * config.options.epochs;
  const earlier = run.state.seconds,
    began = performance.now();
  const elapsed = (): number => earlier + (performance.now() - began) / 1000;
  let saved = performance.now();
  try {
    while (run.state.step < total && !cancelled()) {
      const { step, loss, epochLoss, epochRight, evaluations } = await advance(run);
      run.state = { ...run.state, step, epochLoss, epochRight, gradientEvaluations: evaluations, seconds: elapsed() };
      report({ kind: "step", step, total, epoch: Math.ceil(step / run.perEpoch), loss });
      const ended = step % run.perEpoch === 0;
      if (ended) {
        const record = await closeEpoch(run);
        run.state = {
          ...run.state,
          history: [...run.state.history, record],
          epochLoss: 0,
          epochRight: 0,
          seconds: elapsed(),
        };
        report({ kind: "epoch", record });
      }
      if (!ended && performance.now() - saved < 1000 * config.options.checkpoint) continue;
      await saveRun(folder, config, run.state, run.tensors);
      saved = performance.now();
    }
    await saveRun(folder, config, run.state, run.tensors);
  } finally {
    run.program.dispose();
    run.target[Symbol.dispose]();
  }
  const names = weightNames(modelOfConfig(config, job.train, job.mean, job.std));
  return {
    finished: run.state.step >= total,
    history: run.state.history,
    weights: Object.fromEntries(names.map((name) => [name, run.tensors[name]!])),
  };
};

const prepare = async ({ runtime }: JobContext<TrainProgress>, job: TrainJob): Promise<Run> => {
  const { config, train, folder, resume } = job,
    { options } = config;
  const definition = modelOfConfig(config, train, job.mean, job.std);
  const objective: AnyObjective = objectives[config.objective];
  const given: Record<string, unknown> =
    options.optimizer === "sgd"
      ? { momentum: options.momentum, weightDecay: options.weightDecay }
      : { weightDecay: options.weightDecay };
  const optimizer = createOptimizer(optimizers[options.optimizer] as (typeof optimizers)["sgd"], given);
  const perEpoch = Math.floor(countOf(train) / options.batchSize);
  if (perEpoch === 0)
    throw new TemperError(
      "bad-option",
      `train: a batch of ${options.batchSize} is larger than the ${countOf(train)} training examples. Lower --batch-size.`,
    );
  const schedule = createSchedule(schedules[options.schedule] as (typeof schedules)["constant"], {
    lr: options.lr,
    total: perEpoch * options.epochs,
    warmup: Math.round(options.warmup * perEpoch),
  });
  const fresh: RunState = { step: 0, history: [], epochLoss: 0, epochRight: 0, gradientEvaluations: 0, seconds: 0 };
  const stored = resume ? await loadRun(folder) : undefined;
  const shapes = Object.fromEntries(Object.entries(definition.parameters).map(([name, { shape }]) => [name, shape]));
  const run: Run = {
    job,
    objective,
    program: await runtime.compile(
      trainStepGraph(
        definition,
        objective,
        optimizer,
        resolveOptions(objective.name, objective.options, config.objectiveOptions),
      ),
    ),
    target: await createTarget(runtime, toGraph(definition), {
      weights: () => pick(run.tensors, weightNames(definition)),
    }),
    threat: createThreat({ norm: options.norm, epsilon: options.epsilon, box: [...train.range] }),
    scalarsAt: (step) => {
      const lr = schedule(step);
      const feeds = Object.entries(optimizer.scalars(lr, step + 1)).map(([name, value]) => [name, f32([value], [])]);
      return { lr, feeds: Object.fromEntries(feeds) as Feeds };
    },
    perEpoch,
    tensors: stored?.tensors ?? {
      ...initialize(definition, createRng(options.seed).split("init")),
      ...optimizer.init(shapes),
    },
    state: stored?.state ?? fresh,
  };
  return run;
};

const pick = (tensors: Readonly<Record<string, Tensor>>, names: readonly string[]): Feeds =>
  Object.fromEntries(names.map((name) => [name, tensors[name]!]));

/** The training examples of a step: epochs are permutations that depend on the seed and the epoch alone. */
const batchAt = ({ job: { train, config }, perEpoch }: Run, step: number): { batch: Batch; ids: Int32Array } => {
  const { batchSize, seed } = config.options,
    epoch = Math.floor(step / perEpoch),
    at = (step % perEpoch) * batchSize;
  const order = createRng(seed).split("order").split(epoch).permutation(countOf(train));
  const ids = Int32Array.from(order.subarray(at, at + batchSize));
  return { batch: batchOf(train, ids), ids };
};

interface Advanced {
  readonly step: number;
  readonly loss: number;
  readonly epochLoss: number;
  readonly epochRight: number;
  readonly evaluations: number;
}

/** One step: inner attack, then the step graph, whose outputs replace what they are named after. */
const advance = async (run: Run): Promise<Advanced> => {
  const {
    job: {
      config: { options },
    },
    objective,
    state,
    perEpoch,
  } = run;
  const { batch, ids } = batchAt(run, state.step),
    shape = [ids.length, ...run.job.train.shape];
  const views: Record<string, Tensor> = {};
  let evaluations = state.gradientEvaluations + ids.length;
  for (const view of objective.views) {
    if (view === "clean") views[viewInput(view)] = f32(batch.x, shape);
    else {
      views[viewInput(view)] = f32(await innerPoints(run, batch, ids), shape);
      evaluations += ids.length * options.steps;
    }
  }
  const { feeds: scalars, lr } = run.scalarsAt(state.step);
  const labels = i64(Array.from(batch.labels));
  const { loss, logits, ...next } = await run.program.run({ ...views, labels, ...scalars, ...run.tensors });
  const value = (loss!.data as Float32Array)[0]!;
  if (!Number.isFinite(value))
    throw new TemperError(
      "nonfinite",
      `train: the loss became ${value} at step ${state.step + 1} (epoch ${Math.floor(state.step / perEpoch) + 1}, learning rate ${lr.toPrecision(3)}). The last saved state in ${run.job.folder} is whole; lower --lr, or add --warmup.`,
    );
  run.tensors = Object.fromEntries(
    Object.entries(run.tensors).map(([name, old]) => [name, next[nextName(name)] ?? old]),
  );
  const classes = run.target.classes,
    scores = logits!.data as Float32Array;
  const right = batch.labels.reduce(
    (sum, label, row) => sum + (predictionOf(scores, row, classes) === label ? 1 : 0),
    0,
  );
  return {
    step: state.step + 1,
    loss: value,
    epochLoss: state.epochLoss + value,
    epochRight: state.epochRight + right,
    evaluations,
  };
};

const innerPoints = (
  {
    job: {
      config: { options },
    },
    target,
    threat,
    objective,
    state,
    perEpoch,
  }: Run,
  { x, labels }: Batch,
  ids: Int32Array,
): Promise<Float32Array> => {
  const { steps, stepSize, randomStart, ramp, epsilon, seed } = options;
  const grown = ramp > 0 ? Math.min(1, (state.step + 1) / (ramp * perEpoch)) : 1;
  return perturb(target, {
    attack: pgd,
    options: { steps, stepSize: stepSize * grown, randomStart, loss: objective.inner },
    threat: grown === 1 ? threat : threat.withEpsilon(epsilon * grown),
    x,
    labels,
    ids,
    seed: seed + state.step, // fresh starts at each step, the same ones when the run is resumed
  });
};

const VALIDATION_STEPS = 10;

const closeEpoch = async (run: Run): Promise<EpochRecord> => {
  const {
    job: {
      validation,
      config: { options },
    },
    state,
    perEpoch,
    target,
    threat,
  } = run;
  const n = validation ? Math.min(options.validation, countOf(validation)) : 0;
  let clean = 0,
    robust = 0;
  for (let at = 0; validation && at < n; at += options.batchSize) {
    const { x, labels } = batchOf(
      validation,
      Array.from({ length: Math.min(options.batchSize, n - at) }, (_, i) => at + i),
    );
    const logits = await target.logits(x);
    const wrong = Array.from(labels.keys()).filter((row) => predictionOf(logits, row, target.classes) !== labels[row]);
    const { broken } = await runAttack(target, {
      attack: pgd,
      options: { steps: VALIDATION_STEPS },
      threat,
      x,
      labels,
      seed: options.seed,
    });
    clean += labels.length - wrong.length;
    robust += labels.length - wrong.filter((row) => !broken[row]).length - broken.reduce((sum, b) => sum + b, 0);
  }
  return {
    epoch: state.step / perEpoch,
    step: state.step,
    loss: state.epochLoss / perEpoch,
    trainAccuracy: state.epochRight / (perEpoch * options.batchSize),
    validationAccuracy: n > 0 ? clean / n : null,
    validationRobustAccuracy: n > 0 ? robust / n : null,
    lr: run.scalarsAt(state.step - 1).lr,
    gradientEvaluations: state.gradientEvaluations,
    seconds: state.seconds,
  };
};
