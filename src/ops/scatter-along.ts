import { i64 } from "../core/index.ts";
import { constant, type Value } from "../graph/index.ts";
import { reduceSum, zerosLike } from "./broadcast.ts";
import { gather } from "./gather.ts";
import { pad } from "./pad.ts";
import { scatterND } from "./scatter.ts";
import { movedAxis, transpose } from "./transpose.ts";
import { unsqueeze } from "./squeeze.ts";

/**
 * Adds slices of `updates` to `base` along an axis: base[..., rows[i], ...] += updates[..., i, ...].
 * @param rows  int64 vector, known or not; entries may repeat
 */
export const scatterAlong = (base: Value, axis: number, rows: Value, updates: Value): Value => {
  const rank = base.shape.length;
  const toFront = movedAxis(rank, axis, 0),
    back = movedAxis(rank, 0, axis);
  const added = scatterND(transpose(base, toFront), unsqueeze(rows, [1]), transpose(updates, toFront), "add");
  return transpose(added, back);
};

/** Up to so many elements are gathered for one of the result before a scatter takes over. */
const MAX_TAKEN = 4;

/**
 * The transpose of picking `rows` along an axis of `size` elements: x[..., i, ...] is added to place rows[i]. Places
 * that no row names are zero. Written as a Gather of the rows of every place, which the runtime does far faster than
 * a scatter.
 */
export const spreadAlong = (x: Value, axis: number, rows: readonly number[], size: number): Value => {
  const [first = 0] = rows;
  const margin = (at: number, n: number): number[] => x.shape.map((_, i) => (i === at ? n : 0));
  if (rows.every((row, i) => row === first + i))
    return pad(x, [...margin(axis, first), ...margin(axis, size - first - rows.length)]);
  const sources = Array.from({ length: size }, (): number[] => []);
  rows.forEach((row, i) => sources[row]!.push(i));
  const most = Math.max(0, ...sources.map((list) => list.length));
  if (most > MAX_TAKEN && most * size > MAX_TAKEN * rows.length) return spreadByScatter(x, axis, rows, size);
  const hole = rows.length;
  const table = sources.flatMap((list) => Array.from({ length: most }, (_, i) => list[i] ?? hole));
  const filled = table.includes(hole) ? pad(x, [...margin(-1, 0), ...margin(axis, 1)]) : x;
  if (most === 1) return gather(filled, constant(i64(table)), axis);
  return reduceSum(gather(filled, constant(i64(table, [size, most])), axis), [axis + 1]);
};

const spreadByScatter = (x: Value, axis: number, rows: readonly number[], size: number): Value => {
  // Zeros of the right shape, batch axis included: one row of x, repeated.
  const row = zerosLike(gather(x, constant(i64([0])), axis));
  const base = gather(row, constant(i64(new Array<number>(size).fill(0))), axis);
  return scatterAlong(base, axis, constant(i64(rows)), x);
};
