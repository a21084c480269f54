import { clipRow, type Norm, type Region, repair, roundTowards, SLACK } from "./norm.ts";
import { kthLargest } from "./select.ts";

let size = new Float32Array(0); // gradient sizes of the row at hand

/**
 * Sum of absolute changes.
 *
 * The point of ball and box nearest to x + v is x + u with u_i = sign(v_i) min(max(|v_i| - lambda, 0), cap_i), where
 * cap_i is the room to the box; lambda is 0 where that fits, else the root of sum |u_i| = epsilon.
 */
export const l1: Norm = {
  name: "l1",
  summary: "the absolute changes of all elements sum to at most epsilon",
  source: "Croce and Hein 2021, Mind the Box",
  distance: (x, adv, at, d) => {
    let sum = 0;
    for (let i = at; i < at + d; i++) sum += Math.abs(adv[i]! - x[i]!);
    return sum;
  },
  project: (x, adv, at, d, region) => {
    const { low, high } = region;
    let largest = largestChange(x, adv, at, d);
    if (!Number.isFinite(largest)) {
      repair(x, adv, at, d, region);
      largest = largestChange(x, adv, at, d);
    }
    const lambda = threshold(x, adv, at, d, region, largest);
    if (lambda === 0) return clipRow(adv, at, d, low, high);
    for (let i = at; i < at + d; i++) {
      const center = x[i]!,
        v = adv[i]! - center;
      const t = v > lambda ? center + (v - lambda) : v < -lambda ? center + (v + lambda) : center;
      adv[i] = t >= high ? high : t <= low ? low : roundTowards(t, center);
    }
  },
  /** Moves the `keep` elements of largest gradient by step / keep each, along its sign. */
  ascend: (adv, g, at, d, step, { keep, low, high }) => {
    if (size.length < d) size = new Float32Array(d);
    for (let i = 0; i < d; i++) {
      const v = g[at + i]!,
        stopped = v > 0 ? adv[at + i]! >= high : adv[at + i]! <= low;
      size[i] = stopped ? 0 : Math.abs(v);
    }
    const bound = kthLargest(size, d, keep);
    let above = 0,
      equal = 0; // elements equal to the bound share what is left, first come first served
    for (let i = 0; i < d; i++) {
      if (size[i]! > bound) above++;
      else if (size[i] === bound && bound > 0) equal++;
    }
    let left = Math.min(equal, keep - above);
    const each = step / (above + left);
    for (let i = 0; i < d; i++) {
      if (size[i] === 0 || size[i]! < bound) continue;
      if (size[i] === bound && left-- <= 0) continue;
      adv[at + i]! += g[at + i]! > 0 ? each : -each;
    }
  },
  /** Gaussian noise of the box's width: its projection lies on the ball, as in the reference code of AutoAttack. */
  noise: (x, adv, at, d, { epsilon, low, high }, rng) => {
    const width = Math.min(high - low, Math.max(epsilon, 1)); // an unbounded box has no width
    for (let i = at; i < at + d; i++) adv[i] = x[i]! + width * rng.normal();
  },
};

const largestChange = (x: Float32Array, adv: Float32Array, at: number, d: number): number => {
  let most = 0;
  for (let i = at; i < at + d; i++) {
    const a = Math.abs(adv[i]! - x[i]!);
    if (!(a <= most)) most = a;
    if (most !== most) return most;
  }
  return most;
};

/** Root of sum min(max(|v| - lambda, 0), cap) = epsilon, or 0 where lambda = 0 fits: Newton, guarded by bisection. */
const threshold = (
  x: Float32Array,
  adv: Float32Array,
  at: number,
  d: number,
  { epsilon, low, high }: Region,
  largest: number,
): number => {
  let least = 0,
    most = largest,
    lambda = 0,
    before = Infinity;
  for (let pass = 0; pass < 200; pass++) {
    let sum = 0,
      free = 0; // elements whose change still shrinks with lambda
    for (let i = at; i < at + d; i++) {
      const center = x[i]!,
        v = adv[i]! - center;
      const cap = v > 0 ? high - center : center - low;
      const rest = (v > 0 ? v : -v) - lambda;
      if (rest <= 0) continue;
      if (rest < cap) free++;
      sum += rest < cap ? rest : cap;
    }
    const excess = sum - epsilon;
    if (pass === 0 && excess <= SLACK * epsilon) return 0;
    if (Math.abs(excess) <= 0.1 * SLACK * epsilon) return lambda;
    if (excess > 0) least = lambda;
    else most = lambda;
    const newton = free > 0 ? lambda + excess / free : NaN;
    const trusted = newton > least && newton < most && Math.abs(excess) < 0.5 * before;
    const next = trusted ? newton : (least + most) / 2;
    if (next <= least || next >= most) break; // neighbours in float64
    before = trusted ? Math.abs(excess) : Infinity;
    lambda = next;
  }
  return most; // the side on which the sum fits
};
