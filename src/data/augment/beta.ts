import type { Rng } from "../../core/index.ts";

/**
 * Logarithm of a number that is Gamma(shape, 1) distributed. Source: Marsaglia and Tsang 2000, A Simple Method for
 * Generating Gamma Variables; shapes below 1 by the power of a uniform number, in logarithms, which small shapes need.
 */
const logGamma = (rng: Rng, shape: number): number => {
  if (shape < 1) return logGamma(rng, shape + 1) + Math.log(1 - rng.uniform()) / shape;
  const d = shape - 1 / 3,
    c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal(),
      v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - rng.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
};

/** One Beta(a, b) distributed number; a and b above 0. */
export const betaOf = (rng: Rng, a: number, b: number): number => {
  const of = logGamma(rng, a),
    rest = logGamma(rng, b);
  return 1 / (1 + Math.exp(rest - of));
};
