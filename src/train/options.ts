import { rules, starts, stops } from "../attack/index.ts";
import { bool, choice, chosenFrom, float, int, many, type OptionValues, size, text } from "../core/index.ts";
import { averagings, flatOptimizer, flatSchedule, optimizers, schedules } from "../optim/index.ts";
import { controllers } from "./controllers.ts";

const names = <T extends object>(registry: T): (keyof T & string)[] => Object.keys(registry) as (keyof T & string)[];

/** Options of a run, whatever its recipe: recipes have their own defaults for some of them. */
export const trainOptions = {
  epochs: int({ default: 10, min: 0, help: "passes over the training data; 0: only says what a run would be" }),
  batchSize: int({ default: 128, min: 1, help: "examples a step; the last incomplete batch of an epoch is dropped" }),
  optimizer: choice(names(optimizers), { default: "sgd", help: "update rule" }),
  lr: float({ default: 0.1, min: 0, help: "base learning rate" }),
  ...flatOptimizer.options,
  weightDecay: float({ default: 5e-4, min: 0, help: "weight decay of matrices and kernels" }),
  parameters: many({
    help: "what some parameters do differently, by role or name, such as fc*:lr=0.1,weight-decay=0",
    expected: "pattern:lr=x,weight-decay=x",
  }),
  schedule: choice(names(schedules), { default: "cyclic", help: "learning rate over the run" }),
  ...flatSchedule.options,
  warmup: float({ default: 0, min: 0, help: "epochs over which the rate climbs from zero" }),
  clip: float({ default: 0, min: 0, help: "longest gradient, all parameters together; 0: any length" }),
  average: chosenFrom(
    "average",
    { none: { options: {} }, ...averagings },
    {
      default: "none",
      help: "mean of the weights over the run, which is what is validated and written",
    },
  ),
  norm: choice(["linf", "l2", "l1"], { default: "linf", help: "how changes are measured" }),
  epsilon: float({ default: 8 / 255, min: 0, help: "radius of the inner attack and of robust validation" }),
  steps: int({ default: 10, min: 0, help: "gradient steps of the inner attack" }),
  stepSize: float({ default: 0, min: 0, help: "length of an inner step; 0: by --relative-step" }),
  relativeStep: float({ default: 0, min: 0, help: "the same in radii of the set; 0: 2.5 / steps" }),
  start: chosenFrom("start", starts, { default: "uniform", help: "where the inner attack begins" }),
  rule: chosenFrom("rule", rules, { default: "steepest", help: "how an inner step follows from the gradient" }),
  stop: chosenFrom("stop", stops, { default: "never", help: "examples that the inner attack leaves where they are" }),
  project: choice(["set", "box", "none"], {
    default: "set",
    help: "what inner points must stay in: ball and box, the box, or nothing",
  }),
  attackMode: choice(["eval", "train"], {
    default: "eval",
    help: "batch norm of the network under attack: running statistics, or those of the batch",
  }),
  ramp: float({ default: 0, min: 0, help: "epochs over which the inner epsilon grows from zero" }),
  control: chosenFrom("control", controllers, { default: "none", help: "what sets the inner attack anew as it goes" }),
  replays: int({ default: 1, min: 1, help: "steps on every batch, one after the other" }),
  awp: float({ default: 0, min: 0, help: "adversarial weight perturbation: its length as a share of each layer's" }),
  awpWarmup: float({ default: 0, min: 0, help: "epochs before weights are perturbed" }),
  augment: text({ default: "", help: "changes of training images, in order, such as crop,flip,cutout=8" }),
  mix: text({ default: "", help: "training images mixed with others of the batch: mixup=0.4 or cutmix" }),
  labelNoise: float({ default: 0, min: 0, max: 1, help: "share of the training labels that are replaced at random" }),
  poolShare: float({
    default: 0.5,
    min: 0,
    max: 1,
    help: "share of every batch that comes from the pool, where one is given",
  }),
  holdOut: int({
    default: 0,
    min: 0,
    help: "training examples kept apart for validation, where no other part is for it",
  }),
  memory: size({
    default: 0,
    help: "resident memory to stay within, such as 2GiB, by values made twice (the same bits), else by steps in parts (not where batch norm needs the whole); 0: no limit",
  }),
  validation: int({ default: 500, min: 0, help: "validation examples after each epoch (PGD-10 at epsilon)" }),
  winograd: bool({ default: true, help: "wide 3x3 convolutions by Winograd's algorithm; validation's verdicts never" }),
  select: choice(["last", "best"], {
    default: "last",
    help: "epoch whose weights are written: the last, or that of the best robust accuracy in validation (else on the guard's probe)",
  }),
  patience: int({ default: 0, min: 0, help: "epochs without a better one after which the run ends; 0: never" }),
  guard: choice(["none", "warn", "stop", "rollback"], {
    default: "none",
    help: "what to do where single-step training collapses: PGD finds far more than FGSM, or more than an epoch before",
  }),
  checkpoint: float({ default: 60, min: 0, help: "seconds between saved states, besides one an epoch" }),
  seed: int({ default: 0, min: 0, help: "seed of weights, order and attack" }),
} as const;
export type TrainOptions = OptionValues<typeof trainOptions>;
