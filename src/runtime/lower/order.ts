import { Constant, createGraph, emitAll, type Graph, graphNodes, Input, type Node, type Value } from "../../graph/index.ts";

/**
 * The same nodes, made in an order from which the runtime's own follows well (`executionOrder` in `memory.ts`: depth
 * first, later nodes first). Of a node's inputs the one that needs most comes first, and what is there soon or made again
 * waits until it is needed; of the outputs the one that needs least: a weight takes its step when its gradient is there.
 */
export const order = (graph: Graph): Graph => {
  const nodes = graphNodes(graph),
    depth = ancestorCounts(nodes),
    read = new Set(nodes.flatMap(({ inputs }) => inputs.map((v) => v?.node)));
  const byDepth = (a: Node, b: Node): number => depth.get(a)! - depth.get(b)! || a.id - b.id;
  const inner = nodes.filter((node) => read.has(node)).toSorted(byDepth),
    ends = nodes.filter((node) => !read.has(node)).toSorted((a, b) => byDepth(b, a));
  const made = new Map<Value, Value>();
  for (const { op, inputs, attributes, name, outputs } of [...inner, ...ends]) {
    if (op === Input || op === Constant) continue;
    const again = emitAll(op, inputs.map((v) => v && (made.get(v) ?? v)), attributes, name); // prettier-ignore
    outputs.forEach((v, i) => made.set(v, again[i]!));
  }
  return createGraph(
    graph.name,
    graph.inputs,
    Object.fromEntries(Object.entries(graph.outputs).map(([key, v]) => [key, made.get(v) ?? v])),
  );
};

/** On how many nodes each depends. */
const ancestorCounts = (nodes: readonly Node[]): ReadonlyMap<Node, number> => {
  const sets = new Map<Node, Uint32Array>(),
    counts = new Map<Node, number>();
  nodes.forEach((node, i) => {
    const set = new Uint32Array(Math.ceil(nodes.length / 32));
    for (const v of node.inputs) sets.get(v?.node as Node)?.forEach((word, at) => (set[at]! |= word));
    counts.set(node, set.reduce((sum, word) => sum + bitsOf(word), 0)); // prettier-ignore
    set[i >> 5]! |= 1 << (i & 31);
    sets.set(node, set);
  });
  return counts;
};

const bitsOf = (word: number): number => {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
};
