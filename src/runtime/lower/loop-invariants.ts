import {
  Constant,
  createGraph,
  emitAll,
  type Graph,
  graphNodes,
  input,
  type Node,
  rewrite,
  rewriteValues,
  type Value,
} from "../../graph/index.ts";
import { Loop } from "../../ops/index.ts";

/** What a loop makes anew each time of values that never change, made once, before it: transformed weights, masks of labels. */
export const loopInvariants = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => (node.op === Loop ? lighter(node, inputs) : undefined));

const lighter = ({ attributes, name, op }: Node, inputs: readonly (Value | undefined)[]): readonly Value[] => {
  const body = attributes["body"] as Graph,
    count = body.inputs.length - op.captured!(attributes),
    outside = new Map(body.inputs.slice(count).map((v, i) => [v, inputs[count + i]!]));
  const wanted = [...border(body, new Set(outside.keys()))],
    within = wanted.map((v, i) => input(outside.has(v) ? v.node.name : `fixed.${i}`, v.dtype, v.shape));
  const results = rewriteValues(
    Object.values(body.outputs),
    () => undefined,
    new Map(wanted.map((v, i) => [v, within[i]!])),
  );
  const smaller = createGraph(
    body.name,
    [...body.inputs.slice(0, count), ...within],
    Object.fromEntries(Object.keys(body.outputs).map((key, i) => [key, results[i]!])),
  );
  const moved = rewriteValues(wanted, () => undefined, outside);
  return emitAll(op, [...inputs.slice(0, count), ...moved], { body: smaller }, name);
};

/** Values that follow from `fixed` alone and that something else reads. */
const border = (body: Graph, fixed: ReadonlySet<Value>): Set<Value> => {
  const steady = new Set(fixed),
    found = new Set<Value>();
  const take = (v: Value | undefined): void => void (v && steady.has(v) && found.add(v));
  for (const node of graphNodes(body)) {
    const given = node.inputs.filter((v) => v !== undefined);
    if (given.some((v) => steady.has(v)) && given.every((v) => steady.has(v) || v.node.op === Constant))
      node.outputs.forEach((v) => steady.add(v));
    else given.forEach(take);
  }
  Object.values(body.outputs).forEach(take);
  return found;
};
