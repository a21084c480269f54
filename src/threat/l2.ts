import { clipRow, type Norm, repair, roundTowards, SLACK } from "./norm.ts";

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
    for (;;) {
      let clipped = 0,
        free = 0;
      for (let i = at; i < at + d; i++) {
        const center = x[i]!,
          v = adv[i]! - center;
        const cap = v > 0 ? high - center : center - low;
        if (rho * v * v >= cap * cap) clipped += cap * cap;
        else free += v * v;
      }
      const next = free > 0 ? Math.min((radius - clipped) / free, 1) : 1;
      if (!(next > rho)) break;
      rho = next;
      if (rho === 1) break;
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

/** adv = x + clip(s (adv - x)), stored on x's side of the exact value. */
const scaleRow = (
  x: Float32Array,
  adv: Float32Array,
  at: number,
  d: number,
  s: number,
  low: number,
  high: number,
): void => {
  for (let i = at; i < at + d; i++) {
    const center = x[i]!,
      t = center + s * (adv[i]! - center);
    adv[i] = t >= high ? high : t <= low ? low : roundTowards(t, center);
  }
};
