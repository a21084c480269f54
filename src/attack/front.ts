import type { OptionSpec, OptionValues, Rng } from "../core/index.ts";
import { type AttackContext, type AttackState, keepRows } from "./attack.ts";
import type { Ranges } from "../threat/index.ts";
import type { AttackRequest } from "./request.ts";

type Options = OptionValues<OptionSpec>;

/** The rows that are still under attack; row i of every array belongs to example `rows[i]`. */
export interface Front {
  rows: readonly number[];
  context: AttackContext<Options>;
  state: AttackState;
  /** Steps that the next call may take. */
  together: number;
  /** Random stream of an example. */
  readonly rngOf: (example: number) => Rng;
}

/** One start of an attack on the examples `rows`. @param ranges  of all. @param stream  of this start; examples split it by their number */
export const createFront = (
  { attack, x, labels, threat, ids }: AttackRequest,
  options: Options,
  rows: readonly number[],
  { d, ranges, stream }: { readonly d: number; readonly ranges: Ranges | undefined; readonly stream: Rng },
): Front => {
  const rngOf = (example: number): Rng => stream.split(ids?.[example] ?? example);
  const mine = gather(x, rows, d);
  const context: AttackContext<Options> = {
    x: mine,
    ranges: ranges && { low: gather(ranges.low, rows, d), high: gather(ranges.high, rows, d) },
    labels: Int32Array.from(rows, (i) => labels[i]!),
    n: rows.length,
    d,
    threat,
    options,
    steps: attack.steps(options),
    rngFor: (row) => rngOf(rows[row]!),
  };
  return { rows, context, state: attack.init(context), together: 1, rngOf };
};

/** Drops all rows of the front but those in `keep`. */
export const shrink = (front: Front, keep: readonly number[]): void => {
  const { context, state, rows, rngOf } = front,
    n = rows.length;
  const kept = keep.map((row) => rows[row]!),
    x = keepRows(context.x, keep, n);
  front.rows = kept;
  front.context = {
    ...context,
    x,
    ranges: context.ranges && keepAll(context.ranges, keep, n),
    labels: keepRows(context.labels, keep, n),
    n: keep.length,
    rngFor: (row) => rngOf(kept[row]!),
  };
  front.state = keepAll(state, keep, n);
};

/** {@link keepRows} of every array of a record. */
export const keepAll = <R extends object>(record: R, keep: readonly number[], n: number): R =>
  Object.fromEntries(Object.entries(record).map(([name, rows]) => [name, keepRows(rows, keep, n)])) as R;

/** Rows of `x` named by `rows`, copied. */
export const gather = (x: Float32Array, rows: readonly number[], d: number): Float32Array => {
  const out = new Float32Array(rows.length * d);
  rows.forEach((row, i) => out.set(x.subarray(row * d, (row + 1) * d), i * d));
  return out;
};
