import { TemperError } from "../core/index.ts";
import { createGraph, type Graph } from "./graph.ts";
import { input, type Value, type ValueType } from "./value.ts";

export type Traced<K extends string> = (inputs: Readonly<Record<K, Value>>) => Value | Readonly<Record<string, Value>>;

/**
 * Builds a graph from a function of values.
 *
 * @param types  input types by name; {@link BATCH} marks the batch axis
 * @param fn     called once; one value becomes the output `output`
 */
export const trace = <K extends string>(name: string, types: Readonly<Record<K, ValueType>>, fn: Traced<K>): Graph => {
  const entries = Object.entries(types) as [K, ValueType][];
  const inputs = entries.map(([key, { dtype, shape }]) => [key, input(key, dtype, shape)] as const);
  const result = fn(Object.fromEntries(inputs) as Record<K, Value>);
  const outputs: Readonly<Record<string, Value>> = isValue(result) ? { output: result } : result;
  for (const [key, value] of Object.entries(outputs))
    if (!isValue(value)) throw new TemperError("bad-graph", `${name}: output "${key}" is not a Value.`);
  return createGraph(
    name,
    inputs.map(([, value]) => value),
    outputs,
  );
};

const isValue = (x: unknown): x is Value => typeof x === "object" && x !== null && "node" in x && "index" in x;

/** Float32 input type. */
export const float32 = (...shape: number[]): ValueType => ({ dtype: "float32", shape });
export const int64 = (...shape: number[]): ValueType => ({ dtype: "int64", shape });
