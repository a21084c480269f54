import { toFloat64 } from "temper/core";
import { type Array64, fromArray64, type Graph, withBatch } from "temper/graph";
import { decomposeInternal, evaluateGraph } from "temper/ops";
import { compile, type CompileOptions } from "temper/runtime";
import { unblocked } from "./unblocked.ts";

export type Arrays = Readonly<Record<string, Array64>>;

const largest = (data: Float64Array): number => data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/**
 * Largest difference of any output, relative to its largest number, or to a hundredth of that of all outputs; of outputs
 * that are zero but for rounding, to that of all. Infinity where shapes differ.
 */
export const worstDifference = (actual: Arrays, expected: Arrays): number => {
  const all = Math.max(...Object.values(expected).map(({ data }) => largest(data)), 1e-30);
  const differences = Object.entries(expected).map(([name, { data, shape }]) => {
    const found = actual[name];
    if (found?.shape.join() !== shape.join() || found.data.some(Number.isNaN)) return Infinity;
    const most = data.reduce((m, v, i) => Math.max(m, Math.abs(v - found.data[i]!)), 0);
    const own = largest(data);
    return most / (own < 1e-9 * all ? all : Math.max(own, all / 100));
  });
  return Math.max(...differences);
};

/** A lowered graph by the references, in float64. */
export const inFloat64 = (lowered: Graph, feeds: Arrays, batch: number, block: number): Arrays => {
  const plain = decomposeInternal(withBatch(lowered, batch));
  return evaluateGraph(block > 0 ? unblocked(plain, block) : plain, feeds);
};

/** A graph on this machine, in float32. */
export const onCpu = async (graph: Graph, feeds: Arrays, options?: CompileOptions): Promise<Arrays> => {
  using program = await compile(graph, options);
  const tensors = Object.fromEntries(Object.entries(feeds).map(([name, array]) => [name, fromArray64(array)]));
  const outputs = await program.run(tensors);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, { dtype: t.dtype, shape: [...t.shape], data: toFloat64(t) }]),
  );
};
