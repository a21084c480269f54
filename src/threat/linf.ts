import { type Norm, roundTowards } from "./norm.ts";

/** Largest absolute change of an element. Projection clamps, the steepest direction is the sign of the gradient. */
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
  project: (x, adv, at, d, { epsilon, low, high }) => {
    for (let i = at; i < at + d; i++) {
      const center = x[i]!,
        v = adv[i]!;
      const least = center - epsilon,
        most = center + epsilon;
      if (v <= low || v < least) adv[i] = least < low ? low : roundTowards(least, center);
      else if (v >= high || v > most) adv[i] = most > high ? high : roundTowards(most, center);
      else if (v !== v) adv[i] = center;
    }
  },
  ascend: (adv, g, at, d, step) => {
    for (let i = at; i < at + d; i++) {
      const v = g[i]!;
      if (v > 0) adv[i]! += step;
      else if (v < 0) adv[i]! -= step;
    }
  },
  noise: (x, adv, at, d, { epsilon }, rng) => {
    for (let i = at; i < at + d; i++) adv[i] = x[i]! + epsilon * (2 * rng.uniform() - 1);
  },
};
