import type { Around, Draw, InnerProblem, InnerStep } from "../attack/index.ts";
import type { OptionInput, OptionSpec, OptionValues } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import type { Mode, Weights } from "../nn/index.ts";
import type { Heads } from "./heads.ts";
import type { trainOptions, TrainOptions } from "./options.ts";

type Tap = NonNullable<Mode["tap"]>;

/** What a branch shows the network: pixels, and what is done to layers' outputs on the way. */
export interface View {
  readonly x: Value;
  readonly tap?: Tap;
  /** Further values that terms of the recipe ask for by name; constant like the view. */
  readonly also?: Readonly<Record<string, Value>>;
  /** Scalars for the history, and for controllers. */
  readonly reports?: Readonly<Record<string, Value>>;
}

/** What an inner attack found. */
export interface Found {
  readonly points: Value;
  /** What was watched where the first step was taken from; absent where none was. */
  readonly first?: Value | undefined;
}

/** What branches are made from: a batch of examples x [N, C, H, W], the set around them, and the network as attacks see it. */
export interface ViewContext<O> extends Around {
  readonly labels: Value;
  readonly options: O;
  readonly settings: TrainOptions;
  /** Length of an inner step, a scalar. */
  readonly step: Value;
  /** Size of input gradients that the controller `slope` has measured, a scalar; 0 before it has. */
  readonly slope: Value;
  readonly draw: Draw;
  /** Scores in the attack's mode. @param tap  sees the outputs of layers */
  readonly forward: (x: Value, tap?: Tap) => Value;
  /** Points by the inner attack of the settings, changed by what is given: it raises the terms that enter the attack. */
  readonly attack: (changed?: AttackChanges) => Found;
  /** Gradient by `at` of the sum of `rows` [N]: one gradient evaluation more of every example. */
  readonly gradient: (rows: Value, at: readonly Value[]) => readonly Value[];
  /** Nearest points of the set. */
  readonly project: (x: Value) => Value;
}
export type InnerSettings = Pick<TrainOptions, "steps" | "start" | "rule" | "stop" | "project">;
export interface AttackChanges extends Partial<InnerSettings> {
  /** First points, in place of the start's. */
  readonly from?: Value;
  /** The middle of the set, in place of the examples. */
  readonly around?: Value;
  /** Length of a step. */
  readonly step?: Value;
  readonly watch?: InnerProblem["watch"];
}

/** A view of the examples that the network is trained on, and how. */
export interface Branch<O> {
  /** A constant to differentiation: nothing flows back through how it was found. */
  readonly view: (context: ViewContext<O>) => Value | View;
  /** Statistics that batch norm uses: those of the batch, which move the running ones (default), or the running ones. */
  readonly batchNorm?: "batch" | "running";
  /** Batch norm of this branch has scales, shifts and running statistics of its own, under this name. */
  readonly statistics?: string;
  /** Whether no gradient reaches the weights through this branch. */
  readonly detach?: boolean;
  /**
   * Changes [N, C, H, W] that the start `previous` gives to the next batch: from those of now, and the gradient of every
   * example's own loss at the view. It comes out of the backward pass that the weights are trained by.
   */
  readonly carry?: (context: Around & InnerStep & { readonly before: Value }) => Value;
}

/** What terms are made from; every entry has a row for each example. */
export interface TermContext<O> {
  /** Scores by branch: in the attack those of the branch that is attacked follow from its points, the others are constant. */
  readonly logits: Readonly<Record<string, Value>>;
  readonly views: Readonly<Record<string, View>>;
  readonly labels: Value;
  readonly weights: Weights;
  readonly options: O;
  readonly region: Around;
  /** A loss by the labels; where labels are mixed (mixup), mixed alike. */
  readonly byLabel: (rows: (labels: Value) => Value) => Value;
  /** What the network's last layer reads of a branch, [N, width]; and scores of a further head of the recipe on such. */
  readonly features: (branch: string) => Value;
  readonly head: (name: string, features: Value) => Value;
  /** Share of the run that is done, a scalar. */
  readonly progress: Value;
  /** Further passes of the network, in the mode of the branches; they move no statistics. */
  readonly forward: (x: Value) => Value;
  readonly draw: Draw;
  readonly gradient: ViewContext<O>["gradient"];
}

/** A part of what is minimized. */
export interface Term<O> {
  /** Its mean stands in the history. */
  readonly name: string;
  /** Whether it is raised by the inner attack, lowered by the update, or both. */
  readonly enters: "attack" | "update" | "both";
  /** Branches. */
  readonly reads: readonly string[];
  /** Default 1. */
  readonly weight?: number;
  /** How rows [N] become a number in the update; the attack sums. `none`: it is a number already. */
  readonly reduction: "mean" | "sum" | "none";
  readonly of: (context: TermContext<O>) => Value;
}

/**
 * A training recipe: the branches that a step looks at, the terms of its loss, and what it sets of a run's options. All
 * recipes are configurations of one step (`compose.ts`); adding one is its file and a line in `recipes/index.ts`.
 */
export interface RecipeType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  /** Defaults for options of the run. */
  readonly settings?: OptionInput<typeof trainOptions>;
  /** Further heads by name: without buffers; not validated, and not written with the network. */
  readonly heads?: (options: OptionValues<S>) => Heads;
  readonly branches: (options: OptionValues<S>) => Readonly<Record<string, Branch<OptionValues<S>>>>;
  readonly terms: (options: OptionValues<S>) => readonly Term<OptionValues<S>>[];
}

/** The registry holds recipes of any options; resolving checks them against the record. */
// oxlint-disable-next-line no-explicit-any
export type AnyRecipe = RecipeType<any>;

export const defineRecipe = <const S extends OptionSpec>(recipe: RecipeType<S>): RecipeType<S> => recipe;

/** The examples as they are. */
export const clean = { view: ({ x }: { readonly x: Value }): Value => x } as const;

/** The points that the inner attack of the settings finds. */
export const adversarial = { view: ({ attack }: ViewContext<unknown>): Value => attack().points } as const;
