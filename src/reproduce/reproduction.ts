import type { Dataset } from "../data/index.ts";
import type { EpochRecord } from "../train/index.ts";

/** Kinds of data that an experiment has thresholds for. */
export type DataKind = "mnist" | "cifar10" | "glyphs";

/** One training of an experiment, on one seed. */
export interface Arm {
  readonly recipe: string;
  readonly recipeOptions?: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly modelOptions?: Readonly<Record<string, unknown>>;
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Options of the run; the seed is set by the experiment. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Examples of the training data: the first so many of a seeded order. */
  readonly examples: number;
  /** What the trained network is measured by. */
  readonly measure: {
    readonly epsilon: number;
    readonly examples: number;
    /** Of PGD; default 20 steps of epsilon / 4, one start. */
    readonly steps?: number;
    readonly restarts?: number;
    readonly stepSize?: number;
  };
}

/** What an experiment adds to the shared fixture of its kind. */
export type Given = Pick<Arm, "recipe" | "recipeOptions" | "modelOptions"> & { readonly options?: Arm["options"] };

/** Data of an arm, where it is not the first examples of a seeded order. */
export interface ArmData {
  readonly train?: Dataset;
  /** Looked at after each epoch, by PGD-10 at the run's epsilon; the history says what it shows. */
  readonly validation?: Dataset;
  readonly pool?: Dataset;
  /** ONNX file whose weights are trained on. */
  readonly from?: string;
}

/** What a trained arm is worth. Accuracies are fractions of the same examples. */
export interface Trained {
  readonly clean: number;
  readonly fgsm: number;
  readonly pgd: number;
  readonly gradientEvaluations: number;
  readonly seconds: number;
  readonly history: readonly EpochRecord[];
  /** ONNX file of the network. */
  readonly modelPath: string;
}

/** What an experiment works with, on one seed. */
export interface Experiment {
  readonly seed: number;
  /** Its place among the run's seeds, from 0: costly parts may leave later ones out. */
  readonly place: number;
  readonly kind: DataKind;
  readonly train: Dataset;
  readonly test: Dataset;
  /** The arm that the kind's shared fixture makes of a recipe: `co-mnist`, `co-cifar`, `co-glyphs`. */
  readonly co: (given: Given) => Arm;
  /** Trains an arm, or takes what an earlier experiment has trained by the same configuration, and measures it. */
  readonly arm: (name: string, arm: Arm, data?: ArmData) => Promise<Trained>;
  /** Says what is going on. */
  readonly progress: (text: string) => void;
}

/** Numbers of one seed, by name. */
export type Measured = Readonly<Record<string, number>>;

/** What a claim's number is: a share, a difference of shares, how many times as much, or none of these. */
export type ClaimUnit = "percent" | "points" | "ratio" | "number";

/** A claim of a page, and whether it holds. */
export interface Claim {
  /** As a sentence: what holds, with the threshold in it. */
  readonly text: string;
  /** What was published, with its source; absent where nothing comparable was. */
  readonly published?: string;
  /** Whether the exit code depends on it. */
  readonly required: boolean;
  /** Whether the threshold was calibrated here (on which seeds), or stands on the page. */
  readonly threshold: "page" | string;
  readonly unit: ClaimUnit;
  readonly bound: number;
  readonly test: (seeds: readonly Measured[]) => { readonly held: boolean; readonly values: readonly number[] };
}

/** A published system against its own claim, as a record. Adding one: its file, and a line in `systems/index.ts`. */
export interface Reproduction {
  readonly slug: string;
  readonly title: string;
  readonly source: string;
  /** Kinds of data that it has an experiment for, best first; without data given, glyphs. */
  readonly kinds: readonly DataKind[];
  /** The small experiment on one seed: at most four minutes on two cores. */
  readonly small: (experiment: Experiment) => Promise<Measured>;
  readonly claims: (kind: DataKind) => readonly Claim[];
  /** The paper's own configuration, which `--scale full` starts. */
  readonly full: Omit<Arm, "examples" | "measure"> & { readonly data: "mnist" | "cifar10" };
  /** What a reader has to know: differences from the paper, what did not hold and was tried. */
  readonly notes?: readonly string[];
}

export const defineReproduction = (reproduction: Reproduction): Reproduction => reproduction;

type Comparison = ">=" | "<=";
const compare = (value: number, sign: Comparison, bound: number): boolean =>
  sign === ">=" ? value >= bound : value <= bound;

interface ClaimParts extends Omit<Claim, "test" | "text"> {
  /** May be told the bound without its sign, in the claim's unit: `5 points`. */
  readonly text: string | ((bound: string) => string);
  /** Undefined where this seed was not asked for it. */
  readonly value: (seed: Measured) => number | undefined;
  readonly sign: Comparison;
}

/** The page's bound; on glyphs the calibrated one, where there is one. */
export const boundOn = (kind: DataKind, page: number, glyphs?: number): Pick<Claim, "bound" | "threshold"> =>
  kind === "glyphs" && glyphs !== undefined
    ? { bound: glyphs, threshold: "calibrated on seeds 10 and 11" }
    : { bound: page, threshold: "page" };

/** `5 points`, `40 %`, `1.02`. */
export const boundText = ({ bound, unit }: Pick<Claim, "bound" | "unit">): string => {
  const size = Math.abs(bound),
    share = Number((100 * size).toPrecision(12));
  if (unit === "percent") return `${share} %`;
  return unit === "points" ? `${share} ${share === 1 ? "point" : "points"}` : String(size);
};

const claimOf =
  (judge: (values: readonly number[], holds: (value: number) => boolean) => boolean) =>
  ({ value, sign, text, ...claim }: ClaimParts): Claim => ({
    ...claim,
    text: typeof text === "string" ? text : text(boundText(claim)),
    test: (seeds) => {
      const values = seeds.map(value).filter((v) => v !== undefined);
      return { held: values.length > 0 && judge(values, (v) => compare(v, sign, claim.bound)), values };
    },
  });

/** Holds where it holds on each seed. */
export const onEverySeed = claimOf((values, holds) => values.every(holds));

/** Holds where it holds of the mean over seeds. */
export const inTheMean = claimOf((values, holds) => holds(values.reduce((a, b) => a + b, 0) / values.length));
