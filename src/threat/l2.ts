import { clipRow, HALF_ULP, type Norm, type Region, repair, SLACK, TINY } from "./norm.ts";

const squaredDistance = (x: Float32Array, adv: Float32Array, at: number, d: number): number => {
  let sum = 0;
  for (let i = at; i < at + d; i++) {
    const v = adv[i]! - x[i]!;
    sum += v * v;
  }
  return sum;
};

/**
 * Euclidean length of the change.
 *
 * The point of ball and box nearest to x + v is x + clip(s v) with one s in (0, 1] for all elements (the multiplier of
 * the ball constraint is 1/s - 1). The squared length of clip(s v) is, in rho = s², concave and piecewise linear:
 * Newton's method from the left reaches its root exactly, in as many passes as the set of clipped elements changes.
 */
export const l2: Norm = {
  name: "l2",
  summary: "the Euclidean length of the change is at most epsilon",
  source: "classical; joint projection from the optimality conditions",
  distance: (x, adv, at, d) => Math.sqrt(squaredDistance(x, adv, at, d)),
  project: (x, adv, at, d, region) => {
    const { epsilon, low, high } = region,
      radius = epsilon * epsilon;
    let whole = squaredDistance(x, adv, at, d);
    if (!Number.isFinite(whole)) {
      repair(x, adv, at, d, region);
      whole = squaredDistance(x, adv, at, d);
    }
    let rho = radius / whole; // no element clipped: a lower bound of the root
    if (!(rho * (1 + SLACK) < 1)) return clipRow(adv, at, d, low, high);
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      const next = refine(x, adv, at, d, region, rho);
      if (!(next > rho * (1 + SLACK))) break;
      rho = next;
    }
    if (rho * (1 + SLACK) >= 1) return clipRow(adv, at, d, low, high);
    scaleRow(x, adv, at, d, Math.sqrt(rho), low, high);
  },
  ascend: (adv, g, at, d, step) => {
    let sum = 0;
    for (let i = at; i < at + d; i++) sum += g[i]! * g[i]!;
    if (sum === 0) return;
    const factor = step / Math.sqrt(sum);
    for (let i = at; i < at + d; i++) adv[i]! += factor * g[i]!;
  },
  /** A Gaussian direction with a length uniform in [0, epsilon]. */
  noise: (x, adv, at, d, { epsilon }, rng) => {
    let sum = 0;
    for (let i = at; i < at + d; i++) {
      const v = rng.normal();
      adv[i] = v;
      sum += v * v;
    }
    const factor = sum > 0 ? (epsilon * rng.uniform()) / Math.sqrt(sum) : 0;
    for (let i = at; i < at + d; i++) adv[i] = x[i]! + factor * adv[i]!;
  },
};

/** Each pass fixes the set of clipped elements or ends the search; more than ten were never seen. */
const MAX_PASSES = 100;

/** One Newton pass: the rho at which the elements that are free at the given one use up what the clipped ones leave. */
const refine = (
  x: Float32Array,
  adv: Float32Array,
  at: number,
  d: number,
  { epsilon, low, high }: Region,
  rho: number,
): number => {
  const s = Math.sqrt(rho),
    middle = (low + high) / 2,
    half = (high - low) / 2;
  let clipped = 0,
    free = 0;
  for (let i = at; i < at + d; i++) {
    const center = x[i]!,
      v = adv[i]! - center;
    const beyond = Math.abs(center + s * v - middle) - half;
    const excess = 0.5 * (beyond + Math.abs(beyond)),
      isClipped = excess / (excess + TINY); // 1 or 0
    const cap = Math.abs(s * v) - excess;
    clipped += isClipped * cap * cap;
    free += (1 - isClipped) * v * v;
  }
  return free > 0 ? Math.min((epsilon * epsilon - clipped) / free, 1) : 1;
};

/** adv = x + clip(s (adv - x)), pulled towards x by what rounding to float32 may add. */
const scaleRow = (
  x: Float32Array,
  adv: Float32Array,
  at: number,
  d: number,
  s: number,
  low: number,
  high: number,
): void => {
  const both = low + high;
  for (let i = at; i < at + d; i++) {
    const center = x[i]!,
      w = s * (adv[i]! - center);
    const margin = (Math.abs(center) + Math.abs(w)) * HALF_ULP;
    const t = center + w - 0.5 * (Math.abs(w + margin) - Math.abs(w - margin));
    adv[i] = 0.5 * (both + Math.abs(t - low) - Math.abs(t - high));
  }
};
