import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lookup, type OptionInput, resolveOptions, TemperError } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { findModel, toGraph } from "../models/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { bind, constant } from "../graph/index.ts";
import { toOnnx } from "../ops/index.ts";
import { defaultEngine } from "../runtime/index.ts";
import { type EpochRecord, type ObjectiveName, objectives, type TrainConfig, trainOptions } from "./config.ts";
import { modelOfConfig, type TrainJob, type TrainProgress, type TrainResult } from "./job.ts";
import { checkSameConfig, hasRun, loadRun } from "./run-folder.ts";

export interface TrainRequest {
  readonly objective: string;
  readonly objectiveOptions?: Readonly<Record<string, unknown>>;
  /** Architecture by name; `wide-resnet-28-10` and the like included. */
  readonly model: string;
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  readonly options?: OptionInput<typeof trainOptions>;
  readonly train: Dataset;
  readonly validation?: Dataset | undefined;
  /** Per-channel standardization, part of the model. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Folder of the run: state, history, and `model.onnx` at the end. */
  readonly folder: string;
  /** Go on with the run in the folder; without it, a folder that holds one is refused. */
  readonly resume?: boolean;
  readonly onProgress?: (progress: TrainProgress) => void;
  readonly signal?: AbortSignal;
}

export interface TrainOutcome {
  /** False where the run was stopped; it can be resumed. */
  readonly finished: boolean;
  readonly history: readonly EpochRecord[];
  /** The trained network, written when the run has finished. */
  readonly modelPath: string | undefined;
}

/**
 * Trains a network. The folder always holds a state from which the run resumes to the same result.
 *
 * @throws TemperError `bad-option`: unknown names, a folder in use, a resumed run of another configuration;
 * `nonfinite`: the loss diverged
 */
export const train = async (request: TrainRequest): Promise<TrainOutcome> => {
  const { folder, resume = false, validation, mean = [], std = [] } = request;
  const config = resolveConfig(request);
  if (hasRun(folder) && !resume)
    throw new TemperError(
      "bad-option",
      `${folder} already holds a run. Resume it (--resume), or choose another --out.`,
    );
  const goesOn = hasRun(folder);
  if (goesOn) checkSameConfig(folder, (await loadRun(folder)).config, config);
  const { finished, history, weights } = await defaultEngine().job<TrainJob, TrainResult, TrainProgress>(
    new URL("./job.js", import.meta.url),
    "trainJob",
    { config, folder, resume: goesOn, train: request.train, validation, mean, std },
    { onProgress: request.onProgress, signal: request.signal },
  );
  if (!finished) return { finished, history, modelPath: undefined };
  const modelPath = join(folder, "model.onnx");
  await writeFile(modelPath, modelFile(config, request.train, mean, std, weights));
  return { finished, history, modelPath };
};

const resolveConfig = ({
  objective,
  objectiveOptions = {},
  model,
  modelOptions = {},
  options = {},
  train: data,
}: TrainRequest): TrainConfig => {
  const record = lookup(objectives, objective, "recipe");
  findModel(model);
  return {
    objective: objective as ObjectiveName,
    objectiveOptions: resolveOptions(objective, record.options, objectiveOptions),
    model,
    modelOptions,
    options: resolveOptions("train", trainOptions, options),
    dataHash: data.hash,
  };
};

/** The network in evaluation mode, weights inside, with what it is and how it came about as metadata. */
const modelFile = (
  config: TrainConfig,
  data: Dataset,
  mean: readonly number[],
  std: readonly number[],
  weights: TrainResult["weights"],
): Uint8Array => {
  const graph = toGraph(modelOfConfig(config, data, mean, std));
  const bound = bind(
    graph,
    Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [name, constant(tensor, name)])),
  );
  const metadata = {
    "temper.inputRange": data.range.join(":"),
    "temper.classes": JSON.stringify(data.classes),
    "temper.recipe": JSON.stringify(config),
    "temper.dataHash": data.hash,
  };
  return concatChunks(encodeModel(toOnnx(bound, { metadata })));
};
