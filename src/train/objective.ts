import type { OptionSpec, OptionValues } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import type { LossName } from "../loss/index.ts";

/** Which inputs a training step sees. */
export type View = "clean" | "adversarial";

/** A training objective: which views it reads and what it minimizes. */
export interface ObjectiveType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  readonly views: readonly View[];
  /** Loss that the inner attack raises; absent where the objective needs no adversarial view. */
  readonly inner?: LossName;
  /** Scalar to minimize, from logits [N, K] of each view in `views` and labels [N]. */
  readonly loss: (context: {
    readonly logits: Readonly<Record<View, Value>>;
    readonly labels: Value;
    readonly options: OptionValues<S>;
  }) => Value;
}

/** The registry holds objectives of any options; resolving checks them against the record. */
// oxlint-disable-next-line no-explicit-any
export type AnyObjective = ObjectiveType<any>;

export const defineObjective = <const S extends OptionSpec>(objective: ObjectiveType<S>): ObjectiveType<S> => objective;
