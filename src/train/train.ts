import { join } from "node:path";
import { lookup, type OptionInput, type OptionSpec, resolveOptions, TemperError } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { findModel, toGraph } from "../models/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { bind, constant } from "../graph/index.ts";
import { toOnnx } from "../ops/index.ts";
import { defaultEngine } from "../runtime/index.ts";
import type { EpochRecord, TrainConfig } from "./config.ts";
import type { TrainProgress, TrainResult } from "./job.ts";
import type { trainOptions } from "./options.ts";
import type { AnyRecipe } from "./recipe.ts";
import { type RecipeName, recipes, settingsOf } from "./recipes/index.ts";
import { modelOfConfig, type TrainJob } from "./run.ts";
import { checkSameConfig, hasRun, readManifest, replaceFile } from "./run-folder.ts";

export interface TrainRequest {
  /** Recipe by name, and its own options. */
  readonly recipe: string;
  readonly recipeOptions?: Readonly<Record<string, unknown>>;
  /** Architecture by name; `wide-resnet-28-10` and the like included. */
  readonly model: string;
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  /** What is not given here is as the recipe has it, else as {@link trainOptions} has it. */
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
 * Trains a network. The folder always holds a state from which the run resumes to the same result, to the last bit on
 * the same machine, also where the process was killed.
 *
 * @throws TemperError `bad-option`: unknown names, a folder in use, a resumed run of another configuration; `bad-file`:
 * a state that cannot be read; `nonfinite`: the loss diverged
 */
export const train = async (request: TrainRequest): Promise<TrainOutcome> => {
  const { folder, resume = false, validation, train: data } = request;
  const config = resolveConfig(request),
    goesOn = hasRun(folder);
  if (goesOn && !resume)
    throw new TemperError(
      "bad-option",
      `${folder} already holds a run. Resume it (--resume), or choose another --out.`,
    );
  if (goesOn) checkSameConfig(folder, (await readManifest(folder)).config, config);
  const { finished, history, weights } = await defaultEngine().job<TrainJob, TrainResult, TrainProgress>(
    new URL("./job.js", import.meta.url),
    "trainJob",
    { config, folder, resume: goesOn, train: data, validation },
    { onProgress: request.onProgress, signal: request.signal },
  );
  if (!finished) return { finished, history, modelPath: undefined };
  const modelPath = join(folder, "model.onnx");
  await replaceFile(modelPath, modelFile(config, data, weights));
  return { finished, history, modelPath };
};

const resolveConfig = ({
  recipe,
  recipeOptions = {},
  model,
  modelOptions = {},
  options = {},
  train: data,
  validation,
  mean = [],
  std = [],
}: TrainRequest): TrainConfig => {
  const record: AnyRecipe = lookup<AnyRecipe>(recipes, recipe, "recipe"),
    architecture = findModel(model);
  const config: TrainConfig = {
    recipe: recipe as RecipeName,
    recipeOptions: resolveOptions(recipe, record.options as OptionSpec, recipeOptions),
    model,
    modelOptions: resolveOptions(model, architecture.type.options as OptionSpec, {
      ...architecture.options,
      ...modelOptions,
    }),
    options: settingsOf(record, options),
    mean,
    std,
    range: data.range,
    dataHash: data.hash,
    validationHash: validation?.hash ?? null,
  };
  modelOfConfig(config, data); // refuses what does not fit the data, before anything is written
  return config;
};

/** The network in evaluation mode, weights inside, with what it is and how it came about as metadata. */
const modelFile = (config: TrainConfig, data: Dataset, weights: TrainResult["weights"]): Uint8Array => {
  const bound = bind(
    toGraph(modelOfConfig(config, data)),
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
