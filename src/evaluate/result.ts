import type { Machine } from "../runtime/index.ts";
import type { NormName } from "../threat/index.ts";

export type { Machine };

/** A share of examples with its exact (Clopper-Pearson) 95 % interval. `count` is the number of examples asked. */
export interface Fraction {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Something that makes a figure less trustworthy than it looks, with what to do about it. */
export interface Doubt {
  readonly code: string;
  readonly message: string;
}

/** One attack of the cascade: it sees the examples that all attacks before it left standing. */
export interface AttackRow {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Examples it was given, and those it broke. */
  readonly attempted: number;
  readonly broken: number;
  /** Accuracy after this attack and all before it. */
  readonly robustAccuracy: Fraction;
  /** Evaluations an attempted example, on average. */
  readonly gradientEvaluations: number;
  readonly forwardEvaluations: number;
  readonly seconds: number;
}

export interface EpsilonRow {
  readonly epsilon: number;
  readonly robustAccuracy: Fraction;
  readonly attacks: readonly AttackRow[];
}

export interface ClassRow {
  readonly name: string;
  readonly count: number;
  /** Correct without attack, and correct under the worst attack at the main epsilon. */
  readonly clean: number;
  readonly robust: number;
}

export interface Judgement {
  readonly label: number;
  /** Softmax probability of `label`. */
  readonly confidence: number;
}

/** One example kept for the pictures. Pixels are in the model's input range, [C, H, W] row-major. */
export interface ExampleRow {
  readonly index: number;
  readonly label: number;
  readonly clean: Judgement;
  readonly adversarial: Judgement;
  readonly attack: string;
  readonly distance: number;
  readonly pixels: readonly number[];
  readonly adversarialPixels: readonly number[];
}

/** What `temper evaluate` gives; the JSON document and the HTML report are this record. */
export interface EvaluationResult {
  readonly schema: "temper.evaluation/1";
  readonly command: string;
  readonly createdAt: string;
  readonly seed: number;
  readonly model: {
    readonly path: string;
    readonly hash: string;
    readonly inputShape: readonly number[]; // [C, H, W] (or whatever one example is)
    readonly classes: number;
    readonly parameters: number;
    readonly notes: readonly string[];
  };
  readonly data: {
    readonly name: string;
    readonly split: string;
    readonly count: number;
    readonly range: readonly [number, number];
    readonly layout: string;
    readonly classes: readonly string[];
    readonly hash: string;
    readonly source: string;
    readonly notes: readonly string[];
  };
  readonly threat: { readonly norm: NormName; readonly epsilon: number; readonly box: readonly [number, number] };
  readonly cleanAccuracy: Fraction;
  /** Worst case over all attacks at `threat.epsilon`. */
  readonly robustAccuracy: Fraction;
  /** Rows of the attacks at `threat.epsilon`. */
  readonly attacks: readonly AttackRow[];
  /** Ascending epsilons, the main one among them. */
  readonly sweep: readonly EpsilonRow[];
  readonly perClass: readonly ClassRow[];
  /** [true label][prediction] counts without attack and under attack. */
  readonly confusion: {
    readonly clean: readonly (readonly number[])[];
    readonly attacked: readonly (readonly number[])[];
  };
  readonly examples: readonly ExampleRow[];
  readonly doubts: readonly Doubt[];
  /** Totals over all attacks at all epsilons. */
  readonly cost: { readonly gradientEvaluations: number; readonly forwardEvaluations: number };
  /** How the work was cut; none of it changes a verdict. */
  readonly run: {
    /** Examples a batch. */
    readonly batch: number;
    /** Batches that were attacked at once. */
    readonly lanes: number;
  };
  readonly seconds: {
    readonly total: number;
    readonly clean: number;
    readonly attack: number;
    /** Of the total: time inside of the runtime's sessions, of lanes the mean. The rest is spent around them, and on compiling. */
    readonly engine: number;
  };
  readonly machine: Machine;
}
