import { join } from "node:path";
import { lookup, type OptionInput, type OptionSpec, resolveOptions, TemperError } from "../core/index.ts";
import { type Dataset, holdOut, withLabelNoise } from "../data/index.ts";
import { findModel, loadTrainable, toGraph } from "../models/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { bind, constant } from "../graph/index.ts";
import { toOnnx } from "../ops/index.ts";
import { defaultEngine } from "../runtime/index.ts";
import type { EpochRecord, TrainConfig } from "./config.ts";
import type { Estimate } from "./estimate.ts";
import type { TrainProgress, TrainResult } from "./job.ts";
import type { trainOptions } from "./options.ts";
import type { AnyRecipe } from "./recipe.ts";
import { type RecipeName, recipes, settingsOf } from "./recipes/index.ts";
import { adapterOf, modelOfConfig, networkOf, type TrainJob } from "./run.ts";
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
  /** ONNX file whose weights are trained, in place of a new network. */
  readonly from?: string | undefined;
  readonly train: Dataset;
  readonly validation?: Dataset | undefined;
  /** Further examples, of which every batch takes a share (`poolShare`). */
  readonly pool?: Dataset | undefined;
  /** How often training examples are drawn, relative to each other. */
  readonly exampleWeights?: Float32Array | undefined;
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
  /** Epoch that the network is of, from 1, and why the run ended before its last one; else empty. */
  readonly epoch: number;
  readonly ended: string;
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
  const { folder, resume = false, pool, exampleWeights, from } = request;
  const { config, train: data, validation } = await prepare(request),
    goesOn = hasRun(folder);
  if (goesOn && !resume)
    throw new TemperError(
      "bad-option",
      `${folder} already holds a run. Resume it (--resume), or choose another --out.`,
    );
  if (goesOn) checkSameConfig(folder, (await readManifest(folder)).config, config);
  const { finished, history, weights, epoch, ended } = await defaultEngine().job<TrainJob, TrainResult, TrainProgress>(
    new URL("./job.js", import.meta.url),
    "trainJob",
    { config, folder, resume: goesOn, train: data, validation, pool, exampleWeights, from },
    { onProgress: request.onProgress, signal: request.signal },
  );
  if (!finished) return { finished, history, epoch, ended, modelPath: undefined };
  const modelPath = join(folder, "model.onnx");
  await replaceFile(modelPath, await modelFile(config, data, weights, from));
  return { finished, history, epoch, ended, modelPath };
};

/** What a run would take, measured on its first steps; nothing is written. @throws as {@link train} */
export const estimate = async (
  request: Omit<TrainRequest, "folder">,
): Promise<{ readonly config: TrainConfig; readonly estimate: Estimate }> => {
  const { pool, exampleWeights, from } = request,
    { config, train: data, validation } = await prepare({ ...request, folder: "" });
  const found = await defaultEngine().job<TrainJob, Estimate, never>(
    new URL("./estimate.js", import.meta.url),
    "estimateJob",
    {
      config: { ...config, options: { ...config.options, epochs: Math.max(1, config.options.epochs) } },
      folder: "",
      resume: false,
      train: data,
      validation,
      pool,
      exampleWeights,
      from,
    },
  );
  return { config, estimate: found };
};

interface Prepared {
  readonly config: TrainConfig;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
}

/** The configuration in full, and the data as the run sees it. */
const prepare = async (request: TrainRequest): Promise<Prepared> => {
  const { from } = request,
    {
      seed,
      labelNoise,
      holdOut: held,
    } = settingsOf(lookup<AnyRecipe>(recipes, request.recipe, "recipe"), request.options);
  const parts = held > 0 && !request.validation ? holdOut(request.train, held) : undefined;
  const whole = parts?.train ?? request.train,
    train = labelNoise > 0 ? withLabelNoise(whole, labelNoise, seed) : whole,
    validation = parts?.held ?? request.validation;
  const config = {
    ...resolveConfig({ ...request, train, validation }),
    from: from === undefined ? null : (await loadTrainable(from, train.shape)).hash,
  };
  await networkOf(config, train, from); // refuses what does not fit the data, before anything is written
  return { config, train, validation };
};

const resolveConfig = ({
  recipe,
  recipeOptions = {},
  model,
  modelOptions = {},
  options = {},
  train: data,
  validation,
  pool,
  from,
  mean = [],
  std = [],
}: TrainRequest): TrainConfig => {
  const record: AnyRecipe = lookup<AnyRecipe>(recipes, recipe, "recipe"),
    architecture = from === undefined ? findModel(model) : undefined;
  return {
    recipe: recipe as RecipeName,
    recipeOptions: resolveOptions(recipe, record.options as OptionSpec, recipeOptions),
    model: architecture ? model : "file",
    modelOptions: architecture
      ? resolveOptions(model, architecture.type.options as OptionSpec, { ...architecture.options, ...modelOptions })
      : {},
    from: null,
    options: settingsOf(record, options),
    mean,
    std,
    range: data.range,
    dataHash: data.hash,
    poolHash: pool?.hash ?? null,
    validationHash: validation?.hash ?? null,
  };
};

/** The network in evaluation mode, weights inside, with what it is and how it came about as metadata. */
const modelFile = async (
  config: TrainConfig,
  data: Dataset,
  weights: TrainResult["weights"],
  from: string | undefined,
): Promise<Uint8Array> => {
  if (from !== undefined) {
    const { withWeights } = await loadTrainable(from, data.shape, adapterOf(config));
    return concatChunks(encodeModel(withWeights(weights)));
  }
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
