import { assert, asyncProperty } from "fast-check";
import { toFloat64 } from "temper/core";
import { type Array64, fromArray64, type Graph, printGraph, withBatch } from "temper/graph";
import { decomposeInternal, evaluateGraph } from "temper/ops";
import { compile, type LoweringStep, loweringSteps, type LowerOptions } from "temper/runtime";
import { feedsOf, graphOf, type Recipe, recipes } from "./random-graph.ts";
import { unblocked } from "./unblocked.ts";

type Arrays = Readonly<Record<string, Array64>>;

const largest = (data: Float64Array): number => data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/**
 * Largest difference of any output, relative to its largest number; of outputs that are next to nothing beside others
 * (sums that cancel) relative to a hundredth of these.
 */
export const worstDifference = (actual: Arrays, expected: Arrays): number => {
  const floor = Math.max(...Object.values(expected).map(({ data }) => largest(data))) / 100;
  const differences = Object.entries(expected).map(([name, { data, shape }]) => {
    const found = actual[name];
    if (found?.shape.join() !== shape.join()) return Infinity;
    if (data.length === 0) return 0;
    const most = data.reduce((m, v, i) => Math.max(m, Math.abs(v - found.data[i]!)), 0);
    return Number.isNaN(largest(found.data)) ? Infinity : most / Math.max(largest(data), floor, 1e-30);
  });
  return Math.max(...differences);
};

/** A lowered graph by the references, in float64. */
export const inFloat64 = (lowered: Graph, feeds: Arrays, batch: number, block = 0): Arrays => {
  const plain = decomposeInternal(withBatch(lowered, batch));
  return evaluateGraph(block > 0 ? unblocked(plain, block) : plain, feeds);
};

/** A graph on this machine, in float32. */
export const onCpu = async (graph: Graph, feeds: Arrays, winograd: LowerOptions["winograd"]): Promise<Arrays> => {
  using program = await compile(graph, { winograd: winograd! });
  const tensors = Object.fromEntries(Object.entries(feeds).map(([name, a]) => [name, fromArray64(a)]));
  const outputs = await program.run(tensors);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, { dtype: t.dtype, shape: [...t.shape], data: toFloat64(t) }]),
  );
};
