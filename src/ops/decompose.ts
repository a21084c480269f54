import { TemperError } from "../core/index.ts";
import { allNodes, type Attributes, emitAll, type Graph, type Inputs, isGraph, rewrite } from "../graph/index.ts";

/** A decomposition may use internal operators itself; deeper than this it goes round in circles. */
const MAX_ROUNDS = 32;

const hasInternal = (graph: Graph): boolean => allNodes(graph).some(({ op }) => op.decompose !== undefined);

/**
 * The graph with internal operators written out in standard ones, in sub-graphs too.
 * @throws TemperError `bad-graph`: decompositions that lead back to themselves
 */
export const decomposeInternal = (graph: Graph): Graph => {
  let current = graph;
  for (let round = 0; hasInternal(current); round++) {
    if (round === MAX_ROUNDS)
      throw new TemperError("bad-graph", `${graph.name}: the decompositions of internal operators do not end.`);
    current = rewrite(current, (node, inputs) => {
      if (node.op.decompose) return node.op.decompose(node, inputs as unknown as Inputs);
      const attributes = withoutInternal(node.attributes);
      return attributes === node.attributes ? undefined : emitAll(node.op, inputs, attributes, node.name);
    });
  }
  return current;
};

const withoutInternal = (attributes: Attributes): Attributes => {
  const entries = Object.entries(attributes);
  if (!entries.some(([, value]) => isGraph(value) && hasInternal(value))) return attributes;
  return Object.fromEntries(entries.map(([key, value]) => [key, isGraph(value) ? decomposeInternal(value) : value]));
};
