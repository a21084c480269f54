import { type Bounds, clampRow, HALF_ULP, type Norm, roundTowards, TINY } from "./norm.ts";

let scratch = new Float32Array(0);

/** The float32 numbers that lie in the ball and in the box, from `low` to `high`, for every element. */
const bounds: Bounds = (x, at, d, region, low, high, to) => {
  const { epsilon, low: least, high: most } = region;
  // Radii near the resolution of float32 leave no room for the margin below.
  if (epsilon < 1e-5 * Math.max(1, Math.abs(least), Math.abs(most))) {
    for (let i = 0; i < d; i++) {
      const center = x[at + i]!;
      low[to + i] = Math.max(least, roundTowards(center - epsilon, center));
      high[to + i] = Math.min(most, roundTowards(center + epsilon, center));
    }
    return;
  }
  for (let i = 0; i < d; i++) {
    const center = x[at + i]!,
      e = epsilon - (Math.abs(center) + epsilon) * HALF_ULP; // the float32 result is inside, however it is rounded
    const l = center - e,
      h = center + e;
    low[to + i] = 0.5 * (l + least + Math.abs(l - least));
    high[to + i] = 0.5 * (h + most - Math.abs(h - most));
  }
};

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
    if (scratch.length < 2 * d) scratch = new Float32Array(2 * d);
    const low = scratch.subarray(0, d),
      high = scratch.subarray(d, 2 * d);
    bounds(x, at, d, region, low, high, 0);
    clampRow(x, adv, at, d, low, high, 0);
  },
  bounds,
  ascend: (adv, g, at, d, step) => {
    for (let i = at; i < at + d; i++) {
      const v = g[i]!;
      adv[i]! += step * (v / (Math.abs(v) + TINY)); // 0 for 0, else 1 or -1
    }
  },
  noise: (x, adv, at, d, { epsilon }, rng) => {
    const row = adv.subarray(at, at + d);
    rng.fillUniform(row, -epsilon, epsilon);
    for (let i = 0; i < d; i++) row[i]! += x[at + i]!;
  },
};
