import {
  Constant,
  createGraph,
  emitAll,
  type Graph,
  graphNodes,
  Input,
  type Node,
  type Value,
} from "../../graph/index.ts";

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
  const counts = new Map<Node, number>(),
    sets = new Map<Node, Uint32Array>(); // a bit for each node before
  nodes.forEach((node, i) => {
    const set = new Uint32Array((i >> 5) + 1);
    for (const v of new Set(node.inputs.map((input) => input?.node))) merge(set, v && sets.get(v));
    let count = 0;
    for (let at = 0; at < set.length; at++) count += bitsOf(set[at]!);
    counts.set(node, count);
    set[i >> 5]! |= 1 << (i & 31);
    sets.set(node, set);
  });
  return counts;
};

const merge = (into: Uint32Array, from: Uint32Array | undefined): void => {
  for (let at = 0; at < (from?.length ?? 0); at++) into[at]! |= from![at]!;
};

/** Source: Hacker's Delight, section 5-1. */
const bitsOf = (word: number): number => {
  const pairs = word - ((word >>> 1) & 0x55555555),
    fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};
