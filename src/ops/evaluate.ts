import { formatShape, TemperError } from "../core/index.ts";
import {
  type AnyOp,
  type Array64,
  concretize,
  Constant,
  describeNode,
  type Graph,
  graphNodes,
  Input,
  type Inputs,
  type Node,
  rewrite,
  toArray64,
  type Value,
} from "../graph/index.ts";

const isInternal = (op: AnyOp): boolean => op.reference === undefined && op.decompose !== undefined;

/** The graph with internal operators that have no reference of their own written out in standard ones. */
const expandInternal = (graph: Graph): Graph => {
  let current = graph;
  // A decomposition may itself use internal operators; each round removes one level.
  while (graphNodes(current).some((node) => isInternal(node.op)))
    current = rewrite(current, (node, inputs) =>
      isInternal(node.op) ? node.op.decompose!(node, inputs as unknown as Inputs) : undefined,
    );
  return current;
};

/** Batch size that makes an input's declared shape the one that was fed. */
const batchOf = (node: Node, fed: Array64, known: number | undefined): number | undefined => {
  const { shape } = node.outputs[0]!;
  const axis = shape.findIndex((d) => d < 0);
  const batch = axis < 0 ? known : (known ?? fed.shape[axis]! / -shape[axis]!);
  const wanted = concretize(shape, batch ?? 1);
  if (wanted.length === fed.shape.length && wanted.every((d, i) => d === fed.shape[i])) return batch;
  const sized = known === undefined ? "" : ` (batch size ${known})`;
  throw new TemperError(
    "bad-shape",
    `evaluateGraph: input "${node.name}" wants ${formatShape(shape)}${sized}, got ${formatShape(fed.shape)}.`,
  );
};

const checkFeeds = (graph: Graph, feeds: Readonly<Record<string, Array64>>): void => {
  let batch: number | undefined;
  for (const { node } of graph.inputs) {
    const fed = feeds[node.name];
    if (!fed) throw new TemperError("not-found", `evaluateGraph: ${graph.name} needs input "${node.name}".`);
    batch = batchOf(node, fed, batch);
  }
};

const compute = (node: Node, inputs: readonly (Array64 | undefined)[]): readonly Array64[] => {
  const { reference } = node.op;
  if (!reference)
    throw new TemperError("no-rule", `${describeNode(node)} has no float64 reference and cannot be evaluated.`);
  return reference(inputs as unknown as Inputs<Array64>, node.attributes);
};

/**
 * Runs a graph in float64 with the operators' references: the oracle of the tests and the reference device.
 *
 * @param feeds  one array an input name; inputs that share the batch axis must agree on its size
 * @returns one array an output name. An array may be shared with a feed or another output: treat them as read-only
 * @throws TemperError `not-found`: an input is not fed; `bad-shape`: one of another shape; `no-rule`: an operator that
 *   has neither a reference nor a decomposition
 */
export const evaluateGraph = (graph: Graph, feeds: Readonly<Record<string, Array64>>): Record<string, Array64> => {
  checkFeeds(graph, feeds);
  const plain = expandInternal(graph);
  const nodes = graphNodes(plain);
  const uses = new Map<Value, number>();
  const use = (v: Value, by: number): number => {
    const left = (uses.get(v) ?? 0) + by;
    uses.set(v, left);
    return left;
  };
  for (const node of nodes) for (const v of node.inputs) if (v) use(v, 1);
  for (const v of Object.values(plain.outputs)) use(v, 1);
  const arrays = new Map<Value, Array64>();
  for (const node of nodes) {
    const results =
      node.op === Input
        ? [feeds[node.name]!]
        : node.op === Constant
          ? [toArray64(node.attributes["value"] as never)]
          : compute(
              node,
              node.inputs.map((v) => v && arrays.get(v)!),
            );
    // Arrays are let go after their last use, so that a deep network fits in memory.
    for (const v of node.inputs) if (v && use(v, -1) === 0) arrays.delete(v);
    node.outputs.forEach((v, i) => {
      if (uses.has(v)) arrays.set(v, results[i]!);
    });
  }
  return Object.fromEntries(Object.entries(plain.outputs).map(([name, v]) => [name, arrays.get(v)!]));
};
