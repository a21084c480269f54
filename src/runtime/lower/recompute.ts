import { emit, emitAll, type Graph, Input, ints, type Node, rewrite, type Value } from "../../graph/index.ts";
import { Loop, Reshape, Scan } from "../../ops/index.ts";
import { bytesOf } from "../memory.ts";

/** Whether a node gives the same again. */
export const canRunAgain = ({ op }: Node): boolean =>
  op !== Input && op !== Scan && op !== Loop && !op.name.startsWith("Random");

/** Nodes that run again for values of which some are not there. */
export const nodesAgain = (values: Iterable<Value>, isThere: (v: Value) => boolean): ReadonlySet<Node> => {
  const nodes = new Set<Node>(),
    open = [...values];
  for (let v = open.pop(); v; v = open.pop()) {
    if (isThere(v) || nodes.has(v.node)) continue;
    nodes.add(v.node);
    for (const u of v.node.inputs) if (u) open.push(u);
  }
  return nodes;
};

/**
 * The graph in which late nodes read second makings of early values: the same operators on the same numbers.
 *
 * @param isThere  whether an early value is kept
 */
export const madeAgain = (graph: Graph, early: ReadonlySet<Node>, isThere: (v: Value) => boolean): Graph => {
  const copies = new Map<Node, readonly Value[]>(),
    views = new Map<Value, Value>();
  /** By a view through which the runtime cannot see: it makes one node of equal ones. */
  const unmerged = (v: Value): Value => {
    const view = views.get(v) ?? emit(Reshape, [v, ints(v.shape)], { allowzero: 0 });
    views.set(v, view);
    return view;
  };
  const again = (v: Value): Value => {
    if (isThere(v)) return v;
    const { op, attributes, inputs, name } = v.node,
      found = copies.get(v.node);
    if (found) return found[v.index]!;
    const given = inputs.map((u) => u && again(u)),
      apart = given.every((u, i) => u === inputs[i]) ? inputs.indexOf(widest(inputs)) : -1;
    const made = emitAll(op, given.map((u, i) => (i === apart ? unmerged(u!) : u)), attributes, name); // prettier-ignore
    copies.set(v.node, made);
    return made[v.index]!;
  };
  return rewrite(graph, (node, inputs) => {
    if (early.has(node) || node.op === Input) return undefined;
    const given = node.inputs.map((v, i) => (v && early.has(v.node) ? again(v) : inputs[i]));
    return given.some((v, i) => v !== inputs[i]) ? emitAll(node.op, given, node.attributes, node.name) : undefined;
  });
};

const widest = (inputs: Node["inputs"]): Value | undefined =>
  inputs.filter((v) => v !== undefined).toSorted((a, b) => bytesOf(b, 1) - bytesOf(a, 1))[0];
