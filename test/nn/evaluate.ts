import { createRng } from "temper/core";
import { type Array64, createGraph, input, type Value } from "temper/graph";
import { evaluateGraph } from "temper/ops";

/** Float64 arrays of shapes, as inputs of a graph. */
export const values = (shapes: Readonly<Record<string, readonly number[]>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, "float64", shape)]));

export const array = (shape: readonly number[], data: ArrayLike<number>): Array64 => ({
  dtype: "float64",
  shape,
  data: Float64Array.from(data),
});

export const randomArray = (seed: number, shape: readonly number[], mean = 0, deviation = 1): Array64 => {
  const rng = createRng(seed);
  return array(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => mean + deviation * rng.normal()),
  );
};

/** Runs outputs that depend on inputs of {@link values}. */
export const evaluate = (
  inputs: Readonly<Record<string, Value>>,
  outputs: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, Array64>>,
): Record<string, Array64> => evaluateGraph(createGraph("test", Object.values(inputs), outputs), feeds);
