import { bool, choice, float, int, type OptionValues, size } from "../core/index.ts";
import type { AnyObjective } from "./objective.ts";
import { pgdAt } from "./pgd-at.ts";
import { standard } from "./standard.ts";

/** Every recipe by name. Command line, documentation and tests read this object. */
export const objectives = { standard, "pgd-at": pgdAt } satisfies Record<string, AnyObjective>;
export type ObjectiveName = keyof typeof objectives;

/** Options of a run, whatever its objective. */
export const trainOptions = {
  epochs: int({ default: 10, min: 1, help: "passes over the training data" }),
  batchSize: int({ default: 128, min: 1, help: "examples a step; the last incomplete batch of an epoch is dropped" }),
  optimizer: choice(["sgd", "adam", "adamw"], { default: "sgd", help: "update rule" }),
  lr: float({ default: 0.1, min: 0, help: "base learning rate" }),
  momentum: float({ default: 0.9, min: 0, max: 1, help: "sgd: share of the last step that is kept" }),
  weightDecay: float({ default: 5e-4, min: 0, help: "weight decay of matrices and kernels" }),
  schedule: choice(["constant", "step", "cosine", "cyclic"], { default: "cyclic", help: "learning rate over the run" }),
  warmup: float({ default: 0, min: 0, help: "epochs over which the rate climbs from zero" }),
  norm: choice(["linf", "l2", "l1"], { default: "linf", help: "how changes are measured" }),
  epsilon: float({ default: 8 / 255, min: 0, help: "radius of the inner attack and of robust validation" }),
  steps: int({ default: 10, min: 1, help: "gradient steps of the inner attack" }),
  stepSize: float({ default: 0, min: 0, help: "length of an inner step; 0: 2.5 epsilon / steps" }),
  randomStart: bool({ default: true, help: "inner attack starts at a random point" }),
  ramp: float({ default: 0, min: 0, help: "epochs over which the inner epsilon grows from zero" }),
  memory: size({
    default: 0,
    help: "resident memory to stay within, such as 2GiB, by values made twice (the same bits), else by steps in parts (not where batch norm needs the whole); 0: no limit",
  }),
  validation: int({ default: 500, min: 0, help: "validation examples after each epoch (PGD-10 at epsilon)" }),
  winograd: bool({ default: true, help: "wide 3x3 convolutions by Winograd's algorithm; validation's verdicts never" }),
  checkpoint: float({ default: 60, min: 0, help: "seconds between saved states, besides one an epoch" }),
  seed: int({ default: 0, min: 0, help: "seed of weights, order and attack" }),
} as const;
export type TrainOptions = OptionValues<typeof trainOptions>;

/** Everything that determines a run. Two runs of equal configuration and data give equal results. */
export interface TrainConfig {
  readonly objective: ObjectiveName;
  readonly objectiveOptions: Readonly<Record<string, unknown>>;
  readonly model: string;
  /** All options of the architecture, defaults included. */
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly options: TrainOptions;
  /** Standardization inside of the model; empty: none. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Lowest and highest pixel value. */
  readonly range: readonly [number, number];
  readonly dataHash: string;
  /** Fingerprint of the validation data, whose accuracy is part of the history. */
  readonly validationHash: string | null;
}

/** One line of the history: an epoch. */
export interface EpochRecord {
  readonly epoch: number;
  readonly step: number;
  readonly loss: number;
  /** Share of training examples that the step's forward pass (on its first view) had right. */
  readonly trainAccuracy: number;
  readonly validationAccuracy: number | null;
  readonly validationRobustAccuracy: number | null;
  readonly lr: number;
  /** Gradient evaluations of the whole run so far: inner attacks and updates. */
  readonly gradientEvaluations: number;
  /** Computing time of the run so far, resumed parts included. */
  readonly seconds: number;
}
