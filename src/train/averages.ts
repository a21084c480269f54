import { type Chosen, f32, type Tensor } from "../core/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import { type AnyAveraging, averagings, type AveragingName, reestimate } from "../optim/index.ts";
import type { Runtime } from "../runtime/index.ts";
import type { Feed } from "./feed.ts";
import type { TrainOptions } from "./options.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** How a run averages its weights; undefined where it does not. */
export const averagingOf = ({ name }: Chosen): AnyAveraging | undefined =>
  name === "none" ? undefined : averagings[name as AveragingName];

/** Weights and buffers that have an average beside them. */
export const averagedIn = (
  average: Chosen,
  { parameters, buffers }: Pick<ModelDefinition, "parameters" | "buffers">,
): ModelDefinition["buffers"] => {
  const averaging = averagingOf(average);
  return { ...(averaging && parameters), ...(averaging?.statistics === "averaged" && buffers) };
};

/** Whether the averaged weights need running statistics of their own. */
export const renews = (average: Chosen, { buffers }: Pick<ModelDefinition, "buffers">): boolean =>
  averagingOf(average)?.statistics === "anew" && Object.keys(buffers).length > 0;

interface Renewal {
  readonly runtime: Runtime;
  readonly definition: ModelDefinition;
  readonly options: TrainOptions;
  readonly feed: Feed;
  readonly perEpoch: number;
}

/**
 * Running statistics of the averaged weights after a step, where they are made anew: over the images of the last whole
 * epoch as it trained on them, but without attack or dropout. They follow from configuration and step alone.
 */
export const statisticsOf = ({ runtime, definition, options, feed, perEpoch }: Renewal) => {
  const { average, batchSize, replays } = options,
    shape = [batchSize, ...definition.inputShape];
  const batches = async function* (step: number): AsyncGenerator<Tensor> {
    const end = Math.max(perEpoch, step - (step % perEpoch));
    for (let at = end - perEpoch; at < end; at += replays) yield f32((await feed.next(at)).x, shape);
  };
  let made: { readonly step: number; readonly buffers: Promise<Tensors> } | undefined;
  return (step: number, weights: () => Tensors): Promise<Tensors> => {
    if (!renews(average, definition)) return Promise.resolve({});
    if (made?.step !== step) made = { step, buffers: reestimate(runtime, definition, weights(), batches(step)) };
    return made.buffers;
  };
};
