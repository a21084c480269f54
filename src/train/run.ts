/// <reference lib="esnext.disposable" preserve="true" />
import { createTarget, type Target } from "../attack/index.ts";
import { createRng, f32, resolveOptions, type Tensor, TemperError } from "../core/index.ts";
import { countOf, type Dataset } from "../data/index.ts";
import { withBatch } from "../graph/index.ts";
import { model as modelOf, type ModelDefinition, toGraph } from "../models/index.ts";
import { initialize, weightNames } from "../nn/index.ts";
import { createOptimizer, createSchedule, type Optimizer, optimizers, schedules } from "../optim/index.ts";
import {
  blockSize,
  type Feeds,
  isPackable,
  packEnds,
  packTensor,
  type Program,
  type Runtime,
  unpackTensor,
} from "../runtime/index.ts";
import { threat as createThreat, type Threat } from "../threat/index.ts";
import { objectives, type TrainConfig, type TrainOptions } from "./config.ts";
import type { AnyObjective } from "./objective.ts";
import { loadRun, type RunState } from "./run-folder.ts";
import { nextName, trainStepGraph } from "./step-graph.ts";

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
  /** The training step. */
  readonly program: Program;
  /** The network in evaluation mode with the current weights: what attacks see. */
  readonly target: Target;
  readonly threat: Threat;
  /** Learning rate of a step, and the scalars that the optimizer makes of it. */
  readonly scalarsAt: (step: number) => { readonly lr: number; readonly feeds: Feeds };
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
  const block = await blockSize(),
    ordered = Object.keys(tensors).filter((name) => isPackable(tensors[name]!.shape, block));
  const reorder = (from: Run["tensors"], change: typeof packTensor): Run["tensors"] => ({
    ...from,
    ...Object.fromEntries(ordered.map((name) => [name, change(from[name]!, block)])),
  });
  const step = withBatch(trainStepGraph(definition, objective, optimizer, objectiveOptions), options.batchSize);
  const { winograd } = options;
  const program = await runtime.compile(packEnds(step, [...ordered, ...ordered.map(nextName)], block), { winograd });
  const classifier = packEnds(toGraph(definition), ordered, block);
  const run: Run = {
    job,
    objective,
    program,
    target: await createTarget(runtime, classifier, {
      winograd,
      weights: () => Object.fromEntries(names.map((name) => [name, run.tensors[name]!])),
    }),
    threat: createThreat({ norm: options.norm, epsilon: options.epsilon, box: [...config.range] }),
    scalarsAt: scalarsOf(options, optimizer, perEpoch),
    perEpoch,
    total,
    orderOf: ordersOf(options.seed, countOf(train)),
    weightNames: names,
    stored: () => reorder(run.tensors, unpackTensor),
    tensors: reorder(tensors, packTensor),
    state,
    [Symbol.dispose]: () => {
      run.program.dispose();
      run.target[Symbol.dispose]();
    },
  };
  return run;
};

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
    const feeds = Object.entries(optimizer.scalars(lr, step + 1)).map(([name, value]) => [name, f32([value], [])]);
    return { lr, feeds: Object.fromEntries(feeds) as Feeds };
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
