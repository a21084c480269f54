import { createRng, type Tensor, zeros } from "../core/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import { initialize } from "../nn/index.ts";
import {
  type AnySchedule,
  averageName,
  createAveraging,
  createSchedule,
  flatSchedule,
  schedules,
} from "../optim/index.ts";
import { averagedIn, averagingOf } from "./averages.ts";
import type { TrainOptions } from "./options.ts";
import type { StepProgram } from "./step-graph.ts";

/** What the first step is fed by name: new weights, averages, the optimizer's state, and what branches carry. */
export const firstTensors = (
  { seed, average }: TrainOptions,
  definition: ModelDefinition,
  { network, optimizer, carried }: Pick<StepProgram, "network" | "optimizer" | "carried">,
): Readonly<Record<string, Tensor>> => {
  const shapes = Object.fromEntries(Object.entries(network.parameters).map(([name, { shape }]) => [name, shape]));
  const weights = initialize(network, createRng(seed).split("init")),
    averages = Object.keys(averagedIn(average, definition));
  return {
    ...weights,
    ...Object.fromEntries(averages.map((name) => [averageName(name), weights[name]!])),
    ...optimizer.init(shapes),
    ...Object.fromEntries(Object.entries(carried).map(([name, shape]) => [name, zeros("float32", shape)])),
  };
};

/** Scalars of a step by name, and the learning rate. @param control  those that a controller sets */
export type ScalarsAt = (
  step: number,
  control: Readonly<Record<string, number>>,
) => { readonly lr: number; readonly scalars: Readonly<Record<string, number>> };

/** The scalars of a step: the optimizer's, and those of the inner problem that the step asks for. */
export const scalarsOf = (
  options: TrainOptions,
  { optimizer, scalars }: Pick<StepProgram, "optimizer" | "scalars">,
  perEpoch: number,
): ScalarsAt => {
  const { epsilon, ramp, awp, awpWarmup } = options;
  const type: AnySchedule = schedules[options.schedule],
    total = Math.max(1, perEpoch * options.epochs);
  const schedule = createSchedule(
    type,
    { lr: options.lr, total, warmup: Math.round(options.warmup * perEpoch) },
    flatSchedule.given(options.schedule, options),
  );
  const averaging = averagingOf(options.average),
    rate = averaging ? createAveraging(averaging, { total, perEpoch }, options.average.options) : () => 0;
  const length = stepLengthOf(options);
  return (step, control) => {
    const lr = schedule(step),
      grown = ramp > 0 ? Math.min(1, (step + 1) / (ramp * perEpoch)) : 1;
    const all: Readonly<Record<string, number>> = {
      ...optimizer.scalars(lr, step + 1),
      epsilon: epsilon * grown,
      stepSize: length * grown,
      averageRate: rate(step + 1),
      progress: step / total,
      awp: step < awpWarmup * perEpoch ? 0 : awp,
      ...control,
    };
    return { lr, scalars: Object.fromEntries(scalars.map((name) => [name, all[name]!])) };
  };
};

/** Length of an inner step, in units of the input. */
const stepLengthOf = ({ stepSize, relativeStep, steps, epsilon }: TrainOptions): number =>
  stepSize || (relativeStep || 2.5 / Math.max(1, steps)) * epsilon;
