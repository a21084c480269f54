import type { Rng } from "../core/index.ts";

/** The set that one row may move in: a ball of radius `epsilon` around x, cut by the pixel box. */
export interface Region {
  readonly epsilon: number;
  readonly low: number;
  readonly high: number;
}

/** What sparse directions need: how many elements move, and the bounds that stop an element from moving. */
export interface Direction {
  readonly keep: number;
  readonly low: number;
  readonly high: number;
}

/** Writes the ends of the range that each element of a row may take to `low` and `high`, from `to` on. */
export type Bounds = (
  x: Float32Array,
  at: number,
  d: number,
  region: Region,
  low: Float32Array,
  high: Float32Array,
  to: number,
) => void;

/**
 * A way to measure changes. All functions work on one row: elements `at` to `at + d` of flat arrays; sums are float64.
 * Adding a norm: its file, and one line in `index.ts`.
 */
export interface Norm {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  /** Length of `adv - x`. */
  readonly distance: (x: Float32Array, adv: Float32Array, at: number, d: number) => number;
  /** Moves `adv` to the nearest point (Euclidean) of the region around x. NaN elements become those of x. */
  readonly project: (x: Float32Array, adv: Float32Array, at: number, d: number, region: Region) => void;
  /**
   * For norms whose region is a range an element. Kept, the ranges spare work where one projects again and again around
   * one x.
   */
  readonly bounds?: Bounds;
  /**
   * Adds `step` times the steepest direction of unit length; a zero gradient moves nothing.
   * Finite gradients only.
   */
  readonly ascend: (
    adv: Float32Array,
    g: Float32Array,
    at: number,
    d: number,
    step: number,
    direction: Direction,
  ) => void;
  /** Writes x plus noise to `adv`; the caller projects. */
  readonly noise: (x: Float32Array, adv: Float32Array, at: number, d: number, region: Region, rng: Rng) => void;
}

/** Sums of float64 rounding errors: a point this much (relative) outside of a ball counts as inside. */
export const SLACK = 1e-12;

/**
 * Signs and clamps are random from element to element, and a mispredicted branch costs more than the arithmetic of a
 * whole element. So the loops that run at every step have none: sign(v) = v / (|v| + TINY), clamp(u, -e, e) =
 * (|u + e| - |u - e|) / 2. TINY vanishes beside any float32 but zero.
 */
export const TINY = 1e-300;

/** Half the distance between float32 neighbours is at most this share of a number. */
export const HALF_ULP = 2 ** -24;

/**
 * Whether elements `from` to `from + d` are all finite. Float32 values cannot overflow a float64 sum; four sums, because
 * one would wait for each addition before the next.
 */
export const finiteRow = (values: Float32Array, from: number, d: number): boolean => {
  let a = 0,
    b = 0,
    c = 0,
    e = 0,
    i = from;
  for (const end = from + d - 3; i < end; i += 4) {
    a += values[i]!;
    b += values[i + 1]!;
    c += values[i + 2]!;
    e += values[i + 3]!;
  }
  for (; i < from + d; i++) a += values[i]!;
  return Number.isFinite(a + b + c + e);
};

const word = new Float32Array(1);
const bits = new Int32Array(word.buffer);

/**
 * The float32 number nearest to `t` that does not lie beyond it, seen from x. Rounding to nearest would push half of
 * the stored coordinates out of the ball.
 */
export const roundTowards = (t: number, x: number): number => {
  const near = Math.fround(t);
  if (t > x ? near <= t : near >= t) return near;
  if (near === 0) return t > x ? -1.401298464324817e-45 : 1.401298464324817e-45;
  word[0] = near;
  bits[0]! += near > 0 === t > x ? -1 : 1; // neighbours of a float have neighbouring bits
  return word[0];
};

/** NaN becomes x; infinities and the rest stay. Projections call it where they already know that a row holds NaN. */
export const repair = (x: Float32Array, adv: Float32Array, at: number, d: number, { low, high }: Region): void => {
  for (let i = at; i < at + d; i++) {
    const v = adv[i]!;
    if (!Number.isFinite(v)) adv[i] = v === Infinity ? high : v === -Infinity ? low : x[i]!;
  }
};

/** Cuts a row to the box. */
export const clipRow = (adv: Float32Array, at: number, d: number, low: number, high: number): void => {
  for (let i = at; i < at + d; i++) {
    const v = adv[i]!;
    if (v < low) adv[i] = low;
    else if (v > high) adv[i] = high;
  }
};

let clamped = new Float32Array(0);

/**
 * Elements `at` to `at + d` of `adv` cut to the ranges that `low` and `high` hold from `from` on; NaN becomes x. Below
 * `low` the sums cancel exactly, above `high` to a share of 1e-16, which float32 does not see.
 */
export const clampRow = (
  x: Float32Array,
  adv: Float32Array,
  at: number,
  d: number,
  low: Float32Array,
  high: Float32Array,
  from: number,
): void => {
  if (clamped.length < d) clamped = new Float32Array(d);
  let sum = 0;
  for (let i = 0; i < d; i++) {
    const least = low[from + i]!,
      room = high[from + i]! - least,
      above = adv[at + i]! - least;
    const kept = 0.5 * (Math.abs(above) + room - Math.abs(above - room));
    sum += kept;
    clamped[i] = least + kept;
  }
  if (sum === sum) return adv.set(clamped.length === d ? clamped : clamped.subarray(0, d), at);
  for (let i = 0; i < d; i++) {
    const v = adv[at + i]!;
    adv[at + i] = v !== v ? x[at + i]! : Math.min(high[from + i]!, Math.max(low[from + i]!, v));
  }
};
