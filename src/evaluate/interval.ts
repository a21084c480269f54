import { TemperError } from "../core/index.ts";
import type { Fraction } from "./result.ts";

/**
 * `log n! - (n log n - n + log(2πn)/2)`, the error of Stirling's formula, n >= 1. Differences of such small numbers keep
 * the digits that differences of `log n!` would lose (Loader 2000, "Fast and accurate computation of binomial
 * probabilities").
 */
const stirlingError = (n: number): number => {
  if (n < 16) {
    let factorial = 1;
    for (let i = 2; i <= n; i++) factorial *= i;
    return Math.log(factorial) - (n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2);
  }
  const s = 1 / (n * n);
  return (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / n;
};

/** `x log(x/m) + m - x` for x, m > 0, also where x is near m and the terms cancel. */
const deviance = (x: number, m: number): number => {
  const v = (x - m) / (x + m);
  if (Math.abs(v) >= 0.1) return x * Math.log(x / m) + m - x;
  let sum = (x - m) * v;
  for (let j = 1, term = 2 * x * v; j < 100; j++) {
    term *= v * v;
    const next = sum + term / (2 * j + 1);
    if (next === sum) break;
    sum = next;
  }
  return sum;
};

/** Logarithm of the chance of exactly k successes, 0 < k < n. */
const logBinomial = (k: number, n: number, p: number): number =>
  stirlingError(n) -
  stirlingError(k) -
  stirlingError(n - k) -
  deviance(k, n * p) -
  deviance(n - k, n * (1 - p)) +
  Math.log(n / (2 * Math.PI * k * (n - k))) / 2;

/** P(k or more) / P(exactly k). For p <= k/n every term is smaller than the one before it, and all are positive. */
const tailRatio = (k: number, n: number, p: number): number => {
  const odds = p / (1 - p);
  let sum = 1;
  for (let j = k + 1, term = 1; j <= n; j++) {
    term *= ((n - j + 1) / j) * odds;
    const next = sum + term;
    if (next === sum) break;
    sum = next;
  }
  return sum;
};

const checkCounts = (k: number, n: number): void => {
  if (!Number.isSafeInteger(k) || !Number.isSafeInteger(n) || k < 0 || n < k)
    throw new TemperError(
      "bad-data",
      `interval: wants whole numbers, 0 <= successes <= count, got ${k} successes of ${n}. Count every example once.`,
    );
};

/**
 * The exact one-sided lower bound of a probability after k successes in n trials: the p at which k or more successes
 * have probability `alpha`; 0 where k is 0.
 *
 * Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial".
 * The tail I_p(k, n-k+1) is summed as `P(k) · (1 + r₁ + r₁r₂ + …)`, all terms positive; p is found by Newton's method on
 * the logarithms, with bisection as the net.
 *
 * @throws TemperError `bad-data`: counts that are not whole numbers with k <= n; `bad-option`: alpha outside (0, 0.5]
 */
export const clopperPearsonLower = (k: number, n: number, alpha: number): number => {
  checkCounts(k, n);
  if (!(alpha > 0 && alpha <= 0.5))
    throw new TemperError("bad-option", `interval: alpha must be above 0 and at most 0.5, got ${alpha}.`);
  if (k === 0) return 0;
  if (k === n) return Math.exp(Math.log(alpha) / n);
  const goal = Math.log(alpha);
  let low = 0,
    high = k / n; // the median of Binomial(n, k/n) is k, so that the tail there is at least 1/2
  let p = high - Math.min(high / 2, Math.sqrt((high * (1 - high)) / n));
  for (let i = 0; i < 200; i++) {
    const ratio = tailRatio(k, n, p);
    const error = logBinomial(k, n, p) + Math.log(ratio) - goal;
    if (error > 0) high = p;
    else low = p;
    const newton = p * Math.exp((-error * ratio) / k); // d log(tail) / d log(p) = k / ratio
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - p) <= 2e-16 * p) return next;
    p = next;
  }
  return p;
};

/**
 * A share with its exact two-sided 95 % interval (2.5 % in either tail). With no examples nothing is known: value 0,
 * interval [0, 1].
 *
 * @throws TemperError `bad-data`: counts that are not whole numbers with successes <= count
 */
export const fraction = (successes: number, count: number): Fraction => {
  checkCounts(successes, count);
  if (count === 0) return { value: 0, low: 0, high: 1, count };
  return {
    value: successes / count,
    low: clopperPearsonLower(successes, count, 0.025),
    high: 1 - clopperPearsonLower(count - successes, count, 0.025),
    count,
  };
};

/** P(|T| <= t) of Student's distribution, by the angle atan(t / √df). Source: Abramowitz and Stegun 26.7.3 and 26.7.4. */
const studentWithin = (angle: number, df: number): number => {
  const odd = df % 2 === 1,
    cos = Math.cos(angle);
  let sum = 0;
  for (let k = odd ? 1 : 0, term = odd ? cos : 1; k <= df - 2; term *= (cos * cos * (k + 1)) / (k + 2), k += 2)
    sum += term;
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
};

/** A mean, and the 95 % interval of what it estimates. */
export interface MeanInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The mean of independent values, such as one a seed, with Student's 95 % interval.
 * @returns an interval of NaN for fewer than two values
 */
export const meanInterval = (values: readonly number[]): MeanInterval => {
  const n = values.length,
    mean = values.reduce((a, b) => a + b, 0) / n,
    variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
  let low = 0,
    high = Math.PI / 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (studentWithin(middle, n - 1) < 0.95) low = middle;
    else high = middle;
  }
  const half = Math.tan(low) * Math.sqrt(n - 1) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
};
