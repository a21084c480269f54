import type { Around, Draw } from "../attack/index.ts";
import { filledLike, vjp } from "../autodiff/index.ts";
import type { Value } from "../graph/index.ts";
import type { Mode, Weights } from "../nn/index.ts";
import { add, cast, mul, scalarLike, scale, sub } from "../ops/index.ts";
import { applyHead, featuresOf } from "./heads.ts";
import type { Network } from "./network.ts";
import type { TrainOptions } from "./options.ts";
import type { AnyRecipe, Branch, Term, TermContext, View, ViewContext } from "./recipe.ts";

/** A batch, and what a step is fed beside it. */
export interface StepSource {
  readonly x: Value;
  readonly labels: Value;
  /** Where labels are mixed: the partners' labels [N], and the share of the own one [N]. */
  readonly partners?: Value | undefined;
  readonly share?: Value | undefined;
  /** Weights of the examples [N] in the update. */
  readonly exampleWeights?: Value | undefined;
  /** Random numbers of the step. */
  readonly draw: Draw;
  /** Scalars by name, and the number of inner steps where it differs from step to step. */
  readonly scalar: (name: string) => Value;
  readonly steps?: Value | undefined;
  /** What a branch keeps from batch to batch, of the shape of x. */
  readonly carried: (branch: string) => Value;
  readonly range: readonly [number, number];
}

/** What every part of a step is composed from. */
export interface Composing {
  readonly network: Network;
  readonly recipe: AnyRecipe;
  readonly branches: Readonly<Record<string, Branch<unknown>>>;
  readonly terms: readonly Term<unknown>[];
  readonly options: unknown;
  readonly settings: TrainOptions;
  readonly source: StepSource;
  readonly weights: Weights;
  /** Gradients of examples that attacks and terms took, each [N]. */
  readonly counted: Value[];
}

/** Examples of a batch. */
export const rowsOf = ({ x }: StepSource): number => x.shape[0]!;

/** The set that attacks stay in. */
export const around = ({ settings, source }: Composing): Around => {
  const { x, range } = source;
  return {
    x,
    norm: settings.norm,
    epsilon: source.scalar("epsilon"),
    low: scalarLike(x, range[0]),
    high: scalarLike(x, range[1]),
  };
};

/** Layers draw from [0, 1). */
export const randomOf =
  ({ draw, x }: StepSource): NonNullable<Mode["random"]> =>
  (shape, kind) => {
    const drawn = draw(kind, x, shape as readonly number[]);
    return kind === "normal" ? drawn : scale(add(drawn, scalarLike(drawn, 1)), 0.5);
  };

/** Gradients of the sum of rows; they are counted. */
export const gradientOf =
  ({ counted, source }: Composing): ViewContext<unknown>["gradient"] =>
  (rows, at) => {
    counted.push(filledLike(cast(source.labels, "float32"), 1));
    return vjp([rows], [filledLike(rows, 1)], at).map((g, i) => g ?? filledLike(at[i]!, 0));
  };

export const termContext = (
  context: Composing,
  logits: Readonly<Record<string, Value>>,
  views: Readonly<Record<string, View>>,
  forward: (x: Value) => Value,
): TermContext<unknown> => {
  const { source, recipe, weights, options } = context,
    { labels, partners, share } = source;
  return {
    logits,
    views,
    labels,
    weights,
    options,
    region: around(context),
    byLabel: (rows) =>
      partners && share
        ? add(mul(share, rows(labels)), mul(sub(scalarLike(share, 1), share), rows(partners)))
        : rows(labels),
    features: (branch) => featuresOf(logits[branch]!),
    head: (name, features) => applyHead(recipe.heads?.(options as never) ?? {}, name, weights, features),
    progress: source.scalar("progress"),
    forward,
    draw: source.draw,
    gradient: gradientOf(context),
  };
};
