import { formatShape } from "../core/index.ts";
import { Constant, type Graph, graphNodes, Input } from "../graph/index.ts";

/** An input or output, as documents show it. */
export interface Described {
  readonly name: string;
  readonly dtype: string;
  /** -1 stands for the batch. */
  readonly shape: readonly number[];
}

/** Inputs and outputs of a graph. */
export const describeEnds = (graph: Graph): { readonly inputs: Described[]; readonly outputs: Described[] } => ({
  inputs: graph.inputs.map(({ node, dtype, shape }) => ({ name: node.name, dtype, shape })),
  outputs: Object.entries(graph.outputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
});

/** `x: float32[-1, 3, 32, 32], labels: int64[-1]`. */
export const typesText = (values: readonly Described[]): string =>
  values.map(({ name, dtype, shape }) => `${name}: ${dtype}${formatShape(shape)}`).join(", ");

/** Nodes by operator. */
export type Counts = Readonly<Record<string, number>>;

/** Most frequent first; operators of other domains as `nchwc.Conv`. Inputs, constants and sub-graphs do not count. */
export const countOperators = (graph: Graph): Counts => {
  const counts = new Map<string, number>();
  for (const { op } of graphNodes(graph)) {
    if (op === Input || op === Constant) continue;
    const name = op.domain ? `${op.domain.split(".").at(-1)}.${op.name}` : op.name;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
};

export const countNodes = (operators: Counts): number => Object.values(operators).reduce((sum, n) => sum + n, 0);
