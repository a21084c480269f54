import { finiteRow, HALF_ULP, type Norm, type Region, roundTowards, TINY } from "./norm.ts";

/**
 * Largest absolute change of an element. Projection clamps, the steepest direction is the sign of the gradient.
 *
 * The loops that run at every step have no branches (see `TINY`).
 */
export const linf: Norm = {
  name: "linf",
  summary: "every element may change by up to epsilon",
  source: "Goodfellow, Shlens, Szegedy 2015; Madry et al. 2018",
  distance: (x, adv, at, d) => {
    let most = 0;
    for (let i = at; i < at + d; i++) {
      const a = Math.abs(adv[i]! - x[i]!);
      if (!(a <= most)) most = a; // also true for NaN, which then stays
      if (most !== most) return NaN;
    }
    return most;
  },
  project: (x, adv, at, d, region) => {
    const { epsilon, low, high } = region,
      both = low + high;
    // Radii near the resolution of float32 leave no room for the margin below.
    if (epsilon < 1e-5 * Math.max(1, Math.abs(low), Math.abs(high))) return projectBranching(x, adv, at, d, region);
    if (!finiteRow(adv, at, d)) return projectBranching(x, adv, at, d, region);
    for (let i = at; i < at + d; i++) {
      const center = x[i]!,
        u = adv[i]! - center;
      const e = epsilon - (Math.abs(center) + epsilon) * HALF_ULP; // the float32 result is inside, however it is rounded
      const t = center + 0.5 * (Math.abs(u + e) - Math.abs(u - e));
      adv[i] = 0.5 * (both + Math.abs(t - low) - Math.abs(t - high));
    }
  },
  ascend: (adv, g, at, d, step) => {
    for (let i = at; i < at + d; i++) {
      const v = g[i]!;
      adv[i]! += step * (v / (Math.abs(v) + TINY)); // 0 for 0, else 1 or -1
    }
  },
  noise: (x, adv, at, d, { epsilon }, rng) => {
    for (let i = at; i < at + d; i++) adv[i] = x[i]! + epsilon * (2 * rng.uniform() - 1);
  },
};

/** To the last bit, with NaN and infinity. */
const projectBranching = (
  x: Float32Array,
  adv: Float32Array,
  at: number,
  d: number,
  { epsilon, low, high }: Region,
): void => {
  for (let i = at; i < at + d; i++) {
    const center = x[i]!,
      v = adv[i]!;
    const least = center - epsilon,
      most = center + epsilon;
    if (v <= low || v < least) adv[i] = least < low ? low : roundTowards(least, center);
    else if (v >= high || v > most) adv[i] = most > high ? high : roundTowards(most, center);
    else if (v !== v) adv[i] = center;
  }
};
