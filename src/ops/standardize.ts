import type { Value } from "../graph/index.ts";
import { addScalar, mul, sub } from "./arithmetic.ts";
import { reduceMean } from "./reduce.ts";
import { reciprocal, sqrt, square } from "./unary.ts";

/** What the normalizing operators share: rows of numbers brought to mean 0 and variance 1, in graph and in float64. */
export interface Standardized {
  /** (x - mean) · inverse. */
  readonly unit: Value;
  readonly mean: Value;
  /** 1 / sqrt(variance + epsilon). */
  readonly inverse: Value;
}

/** Statistics of x over `axes`, which stay with size 1. */
export const standardize = (x: Value, axes: readonly number[], epsilon: number): Standardized => {
  const mean = reduceMean(x, axes, true),
    centred = sub(x, mean);
  const inverse = reciprocal(sqrt(addScalar(reduceMean(square(centred), axes, true), epsilon)));
  return { unit: mul(centred, inverse), mean, inverse };
};

/** Cotangent of x from that of the standardized rows: inverse (g - mean(g) - unit · mean(g unit)). */
export const standardizeVjp = (
  g: Value,
  { unit, inverse }: Omit<Standardized, "mean">,
  axes: readonly number[],
): Value => mul(inverse, sub(sub(g, reduceMean(g, axes, true)), mul(unit, reduceMean(mul(g, unit), axes, true))));

/** Mean and 1 / sqrt(variance + epsilon) of data[from, to). Two passes: no cancellation. */
export const moments = (data: Float64Array, from: number, to: number, epsilon: number): [number, number] => {
  let sum = 0,
    squares = 0;
  for (let i = from; i < to; i++) sum += data[i]!;
  const mean = sum / (to - from);
  for (let i = from; i < to; i++) squares += (data[i]! - mean) ** 2;
  return [mean, 1 / Math.sqrt(squares / (to - from) + epsilon)];
};
