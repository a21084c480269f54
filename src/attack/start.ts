import type { OptionSpec, OptionValues } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import type { GraphRegion, NormName } from "../threat/index.ts";

/** Random numbers of a step, as an input of its graph: uniform in [-1, 1), or standard normal. */
export type Draw = (kind: "uniform" | "normal", like: Value, shape?: readonly number[]) => Value;

/** What a start may follow from. */
export interface StartContext<O = unknown> extends GraphRegion {
  /** Clean examples [N, ...]. */
  readonly x: Value;
  readonly norm: NormName;
  readonly options: O;
  readonly draw: Draw;
  /** Scores at points, as the attack sees the network. */
  readonly forward: (points: Value) => Value;
  /** What {@link carriedStart} keeps from step to step: the changes of the examples that had these places before. */
  readonly previous: () => Value;
  /** Nearest points of the set. */
  readonly project: (points: Value) => Value;
}

/** Where an inner problem's ascent begins; the caller projects, but for `unprojected`. Adding one: its file, and a line in `starts.ts`. */
export interface StartType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  readonly build: (context: StartContext<OptionValues<S>>) => Value;
  /** Whether its points stay as they are, in the set or not. */
  readonly unprojected?: (options: OptionValues<S>) => boolean;
  /** Gradients of an example that it takes. */
  readonly gradients?: number;
}
// oxlint-disable-next-line no-explicit-any
export type AnyStart = StartType<any>;

export const defineStart = <const S extends OptionSpec>(start: StartType<S>): StartType<S> => start;
