import type { OptionSpec, OptionValues, Rng } from "../core/index.ts";
import type { LossName } from "../loss/index.ts";
import { type NormName, projectOnto, type Ranges, type Threat } from "../threat/index.ts";

/** The examples that an attack is working on; row i of every array belongs to example i. */
export interface AttackContext<O> {
  /** Clean inputs, n rows of d elements. */
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly n: number;
  readonly d: number;
  readonly threat: Threat;
  /** Ranges of the elements of x, where the set has them ({@link Threat.ranges}). */
  readonly ranges: Ranges | undefined;
  readonly options: O;
  /** Number of steps that the driver will take. */
  readonly steps: number;
  /** Random stream of a row: depends on seed, restart and example, never on the batch around it. */
  readonly rngFor: (row: number) => Rng;
}

/** What the model says about the points that were asked. */
export interface Evaluation {
  /** Loss of each row (the one that the attack raises). */
  readonly loss: Float32Array;
  /** Gradient of each row's loss, n rows of d; empty where it was not asked for. */
  readonly gradient: Float32Array;
  /** n rows of classes. */
  readonly logits: Float32Array;
}

/** Some steps that were taken in the model's own program, and what it said on the way. Row i belongs to example i. */
export interface Ascent {
  /** Points after the last step, in the set. */
  readonly next: Float32Array;
  /**
   * Of all points that steps were taken from the one of largest margin (largest wrong score minus the label's), fooling
   * ones before others; that margin, and 1 where it fools.
   */
  readonly best: Float32Array;
  readonly margin: Float32Array;
  readonly fools: Float32Array;
  /** Gradients that count: all, or where it is not exhaustive those up to the first fooling point, which then is `best`. */
  readonly asked: Float32Array;
  /** First sum of an absolute gradient among them that is above 0, else the last. */
  readonly slope: Float32Array;
}

/**
 * State of an attack: `adv` holds the points to ask about next. Typed arrays hold whole rows (their length is a
 * multiple of n), so that the driver can drop the rows of broken examples from all of them.
 */
export interface AttackState {
  adv: Float32Array;
  [name: string]: Float32Array | Float64Array | Int32Array | Uint8Array;
}

/**
 * An attack: where to start, and how to move after each evaluation. The driver owns the loop, the evaluations and
 * their count, projection, the success test, restarts and the removal of broken examples.
 */
export interface AttackType<S extends OptionSpec = OptionSpec, T extends AttackState = AttackState> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** What it needs of the model. */
  readonly access: "gradient" | "logits";
  readonly norms: readonly NormName[];
  readonly options: S;
  readonly loss: (options: OptionValues<S>) => LossName;
  readonly steps: (options: OptionValues<S>) => number;
  readonly restarts: (options: OptionValues<S>) => number;
  /** Its points may lie outside the set on the way; the driver then credits only those inside, instead of projecting. */
  readonly explores?: (options: OptionValues<S>) => boolean;
  readonly init: (context: AttackContext<OptionValues<S>>) => T;
  /**
   * For attacks whose `step`, where elements have ranges (l-inf), is the threat's steepest ascent (`Threat.ascend`) and no
   * more: its length. The model's own program may then take the step, beside the gradient.
   */
  readonly stepLength?: (context: AttackContext<OptionValues<S>>) => number;
  /** Moves `state.adv`. @param i  number of the step, from 0 */
  readonly step: (context: AttackContext<OptionValues<S>>, state: T, evaluation: Evaluation, i: number) => void;
}

/** The registry holds attacks of any option and state types; the driver checks options against the record. */
// oxlint-disable-next-line no-explicit-any
export type AnyAttack = AttackType<any, any>;

/** Moves rows of `adv` to the nearest points of the set around x. */
export const project = (
  { x, d, threat, ranges }: Pick<AttackContext<unknown>, "x" | "d" | "threat" | "ranges">,
  adv: Float32Array,
): Float32Array => (ranges ? projectOnto(x, adv, d, ranges) : threat.project(x, adv, d));

export const defineAttack = <const S extends OptionSpec, T extends AttackState>(
  attack: AttackType<S, T>,
): AttackType<S, T> => attack;

/** Keeps the rows of `array` named by `keep`, moved to the front. */
export const keepRows = <A extends Float32Array | Float64Array | Int32Array | Uint8Array>(
  array: A,
  keep: readonly number[],
  n: number,
): A => {
  const width = array.length / n;
  keep.forEach((row, to) => {
    if (row !== to) array.copyWithin(to * width, row * width, (row + 1) * width);
  });
  return array.subarray(0, keep.length * width) as A;
};
