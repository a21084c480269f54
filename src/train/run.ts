/// <reference lib="esnext.disposable" preserve="true" />
import { createTarget, type Target } from "../attack/index.ts";
import { sizeOf, type Tensor, TemperError } from "../core/index.ts";
import {
  countOf,
  type Dataset,
  parseAugmentations,
  parseMixer,
  pooled,
  replayed,
  type Sampler,
  shuffled,
  stepsOf,
  weighted,
} from "../data/index.ts";
import { type InputAdapter, loadTrainable, model as modelOf, type ModelDefinition, toGraph } from "../models/index.ts";
import { weightNames } from "../nn/index.ts";
import { averageName } from "../optim/index.ts";
import type { Runtime } from "../runtime/index.ts";
import { threat as createThreat, type Threat } from "../threat/index.ts";
import { averagedIn, statisticsOf } from "./averages.ts";
import type { TrainConfig } from "./config.ts";
import { type AnyController, controllers, type Position } from "./controllers.ts";
import { optimizerOf } from "./optimizer.ts";
import { createFeed, type Feed, feedBytes } from "./feed.ts";
import type { AnyRecipe } from "./recipe.ts";
import { recipes } from "./recipes/index.ts";
import { loadRun, type RunState } from "./run-folder.ts";
import type { Drawn } from "./step-graph.ts";
import { firstTensors, scalarsOf } from "./step-inputs.ts";
import { type FittingStep, stepWithin } from "./step-within.ts";
import { createSteps, type Steps } from "./steps.ts";

/** What the loop is given; it can be cloned between threads. */
export interface TrainJob {
  readonly config: TrainConfig;
  readonly folder: string;
  readonly resume: boolean;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  /** Further examples, whose labels may come from a network. */
  readonly pool?: Dataset | undefined;
  /** How often examples are drawn, relative to each other; absent: each once an epoch. */
  readonly exampleWeights?: Float32Array | undefined;
  /** ONNX file whose weights are trained. */
  readonly from?: string | undefined;
}

/** Everything that a run of steps needs. */
export interface Run extends AsyncDisposable {
  readonly job: TrainJob;
  readonly steps: Steps;
  /** Random numbers that a step is fed. */
  readonly draws: readonly Drawn[];
  /** The network in evaluation mode with the current weights: what attacks see. */
  readonly target: Target;
  readonly threat: Threat;
  /** Learning rate of a step from the present one on, and all the scalars that it is fed. */
  readonly scalarsAt: (step: number) => { readonly lr: number; readonly scalars: Readonly<Record<string, number>> };
  readonly controller: AnyController;
  readonly positionOf: (step: number) => Position;
  /** Steps of an epoch, and of the run. */
  readonly perEpoch: number;
  readonly total: number;
  /** Batches, made ahead of the steps. */
  readonly feed: Feed;
  /** Weights and buffers that are validated and written, by the network's names: as they are, or their averages. */
  readonly validated: () => Promise<Readonly<Record<string, Tensor>>>;
  /** Weights, buffers and optimizer state by name, as they are stored. */
  readonly stored: () => Readonly<Record<string, Tensor>>;
  /** The same in the order that the step takes and gives them in; replaced step by step. */
  tensors: Readonly<Record<string, Tensor>>;
  state: RunState;
}

/** The network that a run trains: new, or from a file. @throws as {@link modelOfConfig}, and as `loadTrainable` */
export const networkOf = async (
  config: TrainConfig,
  data: Pick<Dataset, "shape" | "classes">,
  from: string | undefined,
): Promise<ModelDefinition> => {
  if (from === undefined) return modelOfConfig(config, data);
  const { definition } = await loadTrainable(from, data.shape, adapterOf(config));
  if (definition.classes === data.classes.length) return definition;
  throw new TemperError(
    "bad-shape",
    `${from} tells ${definition.classes} classes apart, the data has ${data.classes.length}.`,
  );
};
export const adapterOf = ({ mean, std }: TrainConfig): InputAdapter => ({
  ...(mean.length > 0 && { mean }),
  ...(std.length > 0 && { std }),
});

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

/** Compiles step and gradients, and starts from new weights or from the stored state. */
export const prepareRun = async (runtime: Runtime, job: TrainJob): Promise<Run> => {
  const { config, train } = job,
    { options } = config;
  const definition = await networkOf(config, train, job.from),
    recipe: AnyRecipe = recipes[config.recipe];
  const sampler = samplerOf(job),
    mix = parseMixer(options.mix),
    perEpoch = stepsOf(sampler),
    total = perEpoch * options.epochs;
  const names = weightNames(definition);
  const { winograd } = options;
  const program = await stepWithin({
    model: definition,
    recipe,
    options: config.recipeOptions,
    settings: options,
    range: config.range,
    mixed: mix !== undefined,
    heldBytes: heldBytes(job, definition),
    validated: validatedBy(job),
  });
  const { tensors, state } = await startOf(job, definition, program, total);
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
  const scalarsAt = scalarsOf(options, program, perEpoch),
    averaged = averagedIn(options.average, definition);
  const meansIn = (all: Run["tensors"]): Run["tensors"] =>
    Object.fromEntries(names.map((name) => [name, all[name in averaged ? averageName(name) : name]!]));
  const feed = createFeed({
    train,
    pool: job.pool,
    sampler,
    augment: parseAugmentations(options.augment),
    mix,
    seed: options.seed,
  });
  const statistics = statisticsOf({ runtime, definition, options, feed, perEpoch }),
    statisticsNow = (): Promise<Run["tensors"]> => statistics(run.state.step, () => meansIn(run.stored()));
  const steps = await createSteps(runtime, program.graph, shapes, { winograd, memory: program.memory });
  const run: Run = {
    job,
    steps,
    draws: program.draws,
    target: await createTarget(runtime, steps.packed(toGraph(definition)), {
      winograd,
      rows: program.rows,
      weights: async () => ({ ...meansIn(run.tensors), ...(await statisticsNow()) }),
    }),
    threat: createThreat({ norm: options.norm, epsilon: options.epsilon, box: [...config.range] }),
    scalarsAt: (step) => {
      const control = run.controller.scalars(run.positionOf(step), run.state.control, options.control.options);
      return scalarsAt(step, control);
    },
    controller: controllers[options.control.name as keyof typeof controllers],
    positionOf: (step) => ({
      epoch: Math.floor(step / perEpoch),
      within: step % perEpoch,
      perEpoch,
      epochs: options.epochs,
      batchSize: options.batchSize,
    }),
    perEpoch,
    total,
    feed,
    validated: async () => ({ ...meansIn(run.stored()), ...(await statisticsNow()) }),
    stored: () => steps.unpack(run.tensors),
    tensors: steps.pack(tensors),
    state,
    [Symbol.asyncDispose]: async () => {
      run.steps[Symbol.dispose]();
      run.target[Symbol.dispose]();
      await run.feed[Symbol.asyncDispose]();
    },
  };
  return run;
};

const validatedBy = ({ validation, config }: TrainJob): boolean =>
  validation !== undefined && config.options.validation > 0;

/**
 * The data in both threads, and as it was read (a part of it is a view of all) or for the threads of the feed; weights
 * and optimizer state before and after a step, and on their way to the file; batches of the feed, and what the inner
 * attack makes of one. Measured.
 */
const heldBytes = ({ train, validation, config }: TrainJob, { parameters, buffers }: ModelDefinition): number => {
  const { average } = config.options,
    { slots } = optimizerOf(config.options, parameters),
    batchBytes = 4 * config.options.batchSize * sizeOf(train.shape);
  const sizes = (specs: ModelDefinition["buffers"]): number =>
    Object.values(specs).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return (
    feedBytes(batchBytes) +
    8 * batchBytes +
    3 * (train.pixels.buffer.byteLength + (validation?.pixels.buffer.byteLength ?? 0)) +
    16 * ((1 + slots.length + (average.name === "none" ? 0 : 1)) * sizes(parameters) + sizes(buffers))
  );
};

const samplerOf = ({ train, pool, exampleWeights, config: { options } }: TrainJob): Sampler => {
  const { seed, batchSize, poolShare, replays } = options,
    count = countOf(train);
  const once = pool
    ? pooled({ seed, count, batchSize, poolCount: countOf(pool), fraction: poolShare })
    : exampleWeights
      ? weighted({ seed, batchSize, weights: exampleWeights })
      : shuffled({ seed, count, batchSize });
  return replayed(once, replays);
};

const startOf = async (
  { config, folder, resume }: TrainJob,
  definition: ModelDefinition,
  program: FittingStep,
  total: number,
): Promise<Pick<Run, "tensors" | "state">> => {
  const tensors = firstTensors(config.options, definition, program);
  if (!resume) {
    const { name, options } = config.options.control;
    const control = (controllers as Record<string, AnyController>)[name]!.start(options);
    const fresh = {
      step: 0,
      history: [],
      sums: {},
      control,
      best: null,
      ended: "",
      gradientEvaluations: 0,
      seconds: 0,
    };
    return { tensors, state: fresh };
  }
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
