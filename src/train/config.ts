import type { TrainOptions } from "./options.ts";
import type { RecipeName } from "./recipes/index.ts";

/** Everything that determines a run. Two runs of equal configuration and data give equal results. */
export interface TrainConfig {
  readonly recipe: RecipeName;
  readonly recipeOptions: Readonly<Record<string, unknown>>;
  readonly model: string;
  /** Hash of the ONNX file whose weights are trained; null: a new network of the architecture. */
  readonly from: string | null;
  /** All options of the architecture, defaults included. */
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly options: TrainOptions;
  /** Standardization inside of the model; empty: none. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Lowest and highest pixel value. */
  readonly range: readonly [number, number];
  readonly dataHash: string;
  /** Fingerprint of the pool, whose labels may come from a network. */
  readonly poolHash: string | null;
  /** Fingerprint of the validation data, whose accuracy is part of the history. */
  readonly validationHash: string | null;
}

/** One line of the history: an epoch. */
export interface EpochRecord {
  readonly epoch: number;
  readonly step: number;
  readonly loss: number;
  /** Means of the loss's terms over the epoch, by name. */
  readonly terms: Readonly<Record<string, number>>;
  /** Share of training examples that the step's forward pass (on its first branch) had right. */
  readonly trainAccuracy: number;
  readonly validationAccuracy: number | null;
  readonly validationRobustAccuracy: number | null;
  /** Means over the epoch of what else the recipe's steps report (`distortion`, `fosc`), by name. */
  readonly measures: Readonly<Record<string, number>>;
  /** Accuracy of the guard's probe under FGSM and under PGD-5; null without a guard. */
  readonly probe: { readonly fgsm: number; readonly pgd: number } | null;
  readonly lr: number;
  /** Training examples a second, and the share of the time in which the engine waited for data. */
  readonly imagesPerSecond: number;
  readonly idleShare: number;
  /** Gradient evaluations of the whole run so far: inner attacks and updates. */
  readonly gradientEvaluations: number;
  /** Computing time of the run so far, resumed parts included. */
  readonly seconds: number;
}
