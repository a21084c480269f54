/// <reference lib="esnext.disposable" preserve="true" />
import { createTarget, type Target } from "../attack/index.ts";
import { createRng, resolveOptions, sizeOf, type Tensor, TemperError } from "../core/index.ts";
import { countOf, type Dataset } from "../data/index.ts";
import { model as modelOf, type ModelDefinition, toGraph } from "../models/index.ts";
import { initialize, weightNames } from "../nn/index.ts";
import { createOptimizer, createSchedule, type Optimizer, optimizers, schedules } from "../optim/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { threat as createThreat, type Threat } from "../threat/index.ts";
import { objectives, type TrainConfig, type TrainOptions } from "./config.ts";
import type { AnyObjective } from "./objective.ts";
import { loadRun, type RunState } from "./run-folder.ts";
import { stepWithin } from "./step-within.ts";
import { createSteps, type Steps } from "./steps.ts";

/** What the loop is given; it can be cloned between threads. */
export interface TrainJob {
  readonly config: TrainConfig;
  readonly folder: string;
  readonly resume: boolean;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
}

/** Everything that a run of steps needs. */
export interface Run extends Disposable {
  readonly job: TrainJob;
  readonly objective: AnyObjective;
  readonly steps: Steps;
  /** The network in evaluation mode with the current weights: what attacks see. */
  readonly target: Target;
  readonly threat: Threat;
  /** Learning rate of a step, and the scalars that the optimizer makes of it. */
  readonly scalarsAt: (step: number) => { readonly lr: number; readonly scalars: Readonly<Record<string, number>> };
  /** Steps of an epoch, and of the run. */
  readonly perEpoch: number;
  readonly total: number;
  /** The training examples of an epoch in their order. */
  readonly orderOf: (epoch: number) => Uint32Array;
  /** Weights and buffers. */
  readonly weightNames: readonly string[];
  /** Weights, buffers and optimizer state by name, as they are stored. */
  readonly stored: () => Readonly<Record<string, Tensor>>;
  /** The same in the order that the step takes and gives them in; replaced step by step. */
  tensors: Readonly<Record<string, Tensor>>;
  state: RunState;
}

/** The classifier that a configuration describes. @throws TemperError `not-found`, `bad-option` */
export const modelOfConfig = (
  { model, modelOptions, mean, std }: TrainConfig,
  { shape, classes }: Pick<Dataset, "shape" | "classes">,
): ModelDefinition =>
  modelOf(
    model,
    {
      inputShape: shape,
      classes: classes.length,
      ...(mean.length > 0 && { mean }),
      ...(std.length > 0 && { std }),
    },
    modelOptions,
  );

const optimizerOf = ({ optimizer, momentum, weightDecay }: TrainOptions): Optimizer =>
  optimizer === "sgd"
    ? createOptimizer(optimizers.sgd, { momentum, weightDecay })
    : createOptimizer(optimizers[optimizer], { weightDecay });

/** Compiles step and gradients, and starts from new weights or from the stored state. */
export const prepareRun = async (runtime: Runtime, job: TrainJob): Promise<Run> => {
  const { config, train } = job,
    { options } = config;
  const definition = modelOfConfig(config, train),
    optimizer = optimizerOf(options),
    objective: AnyObjective = objectives[config.objective];
  const perEpoch = stepsPerEpoch(train, options),
    total = perEpoch * options.epochs;
  const names = weightNames(definition);
  const objectiveOptions = resolveOptions(objective.name, objective.options, config.objectiveOptions);
  const { tensors, state } = await startOf(job, definition, optimizer, total);
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  const { batchSize, winograd, memory } = options;
  const {
    graph: step,
    rows,
    memory: ofStep,
  } = await stepWithin({
    definition,
    objective,
    objectiveOptions,
    optimizer,
    batchSize,
    winograd,
    memory,
    heldBytes: heldBytes(job, tensors),
  });
  const steps = await createSteps(runtime, step, shapes, { batchSize, winograd, memory: ofStep });
  const run: Run = {
    job,
    objective,
    steps,
    target: await createTarget(runtime, steps.packed(toGraph(definition)), {
      winograd,
      rows,
      weights: () => Object.fromEntries(names.map((name) => [name, run.tensors[name]!])),
    }),
    threat: createThreat({ norm: options.norm, epsilon: options.epsilon, box: [...config.range] }),
    scalarsAt: scalarsOf(options, optimizer, perEpoch),
    perEpoch,
    total,
    orderOf: ordersOf(options.seed, countOf(train)),
    weightNames: names,
    stored: () => steps.unpack(run.tensors),
    tensors: steps.pack(tensors),
    state,
    [Symbol.dispose]: () => {
      run.steps[Symbol.dispose]();
      run.target[Symbol.dispose]();
    },
  };
  return run;
};

/**
 * The data in both threads, and as it was read (a part of it is a view of all); weights and optimizer state before and
 * after a step, and on their way to the file; a whole batch and what the inner attack makes of it. Measured.
 */
const heldBytes = ({ train, validation, config }: TrainJob, tensors: Run["tensors"]): number =>
  40 * config.options.batchSize * sizeOf(train.shape) +
  3 * (train.pixels.buffer.byteLength + (validation?.pixels.buffer.byteLength ?? 0)) +
  4 * Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);

const stepsPerEpoch = (train: Dataset, { batchSize }: TrainOptions): number => {
  const steps = Math.floor(countOf(train) / batchSize);
  if (steps === 0)
    throw new TemperError(
      "bad-option",
      `train: a batch of ${batchSize} is larger than the ${countOf(train)} training examples. Lower --batch-size.`,
    );
  return steps;
};

const FRESH: RunState = { step: 0, history: [], epochLoss: 0, epochRight: 0, gradientEvaluations: 0, seconds: 0 };

const startOf = async (
  { config, folder, resume }: TrainJob,
  definition: ModelDefinition,
  optimizer: Optimizer,
  total: number,
): Promise<Pick<Run, "tensors" | "state">> => {
  const shapes = Object.fromEntries(Object.entries(definition.parameters).map(([name, { shape }]) => [name, shape]));
  const tensors = {
    ...initialize(definition, createRng(config.options.seed).split("init")),
    ...optimizer.init(shapes),
  };
  if (!resume) return { tensors, state: FRESH };
  const stored = await loadRun(
    folder,
    Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape])),
  );
  if (stored.state.step > total)
    throw new TemperError(
      "bad-file",
      `${folder}/run.json: stands at step ${stored.state.step}, but the run ends at ${total}.`,
    );
  return stored;
};

const scalarsOf = (options: TrainOptions, optimizer: Optimizer, perEpoch: number): Run["scalarsAt"] => {
  const schedule = createSchedule(schedules[options.schedule] as (typeof schedules)["constant"], {
    lr: options.lr,
    total: perEpoch * options.epochs,
    warmup: Math.round(options.warmup * perEpoch),
  });
  return (step) => {
    const lr = schedule(step);
    return { lr, scalars: optimizer.scalars(lr, step + 1) };
  };
};

/** Epochs are permutations that depend on the seed and the epoch alone; the last one asked for is kept. */
const ordersOf = (seed: number, count: number): Run["orderOf"] => {
  const stream = createRng(seed).split("order");
  let held = -1,
    order = new Uint32Array();
  return (epoch) => {
    if (epoch !== held) order = stream.split(epoch).permutation(count) as Uint32Array<ArrayBuffer>;
    held = epoch;
    return order;
  };
};
