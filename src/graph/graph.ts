import { TemperError } from "../core/index.ts";
import type { Attribute } from "./attribute.ts";
import { concretize } from "./shape.ts";
import { emitAll, Input, input, named, type Node, type Value, type ValueType } from "./value.ts";

/**
 * A computation: named inputs to named outputs. The nodes are those that the outputs reach, so dead code does not
 * exist and a pass is a function from graph to graph.
 */
export interface Graph {
  readonly name: string;
  /** Values of {@link input}; a graph may list inputs that no output uses. */
  readonly inputs: readonly Value[];
  readonly outputs: Readonly<Record<string, Value>>;
}

/** @throws TemperError `bad-graph`: an input twice, or one that an output needs and `inputs` lacks */
export const createGraph = (
  name: string,
  inputs: readonly Value[],
  outputs: Readonly<Record<string, Value>>,
): Graph => {
  const graph = { name, inputs, outputs };
  verify(graph);
  return graph;
};

/** Nodes that `values` reach, in topological order, stopping at (but including) the nodes in `stop`. */
export const nodesOf = (values: Iterable<Value>, stop?: ReadonlySet<Node>): Node[] => {
  const seen = new Set<Node>();
  const stack = Array.from(values, (v) => v.node);
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (stop?.has(node)) continue;
    for (const input of node.inputs) if (input && !seen.has(input.node)) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
};

const orders = new WeakMap<Graph, readonly Node[]>();
/** All nodes of a graph, inputs included, in topological order. */
export const graphNodes = (graph: Graph): readonly Node[] => {
  const order = orders.get(graph) ?? nodesOf(Object.values(graph.outputs));
  orders.set(graph, order);
  return order;
};

/** Whether an attribute is a sub-graph. */
export const isGraph = (value: Attribute | undefined): value is Graph =>
  typeof value === "object" && value !== null && "outputs" in value && "inputs" in value;

/** Nodes of a graph, and of the graphs inside of them. */
export const allNodes = (graph: Graph): readonly Node[] =>
  graphNodes(graph).flatMap((node) => {
    const bodies = Object.values(node.attributes).filter(isGraph);
    return bodies.length > 0 ? [node, ...bodies.flatMap(allNodes)] : node;
  });

/** Checks the invariants that types do not hold. @throws TemperError `bad-graph` */
export const verify = (graph: Graph): void => {
  const names = new Set<string>();
  for (const { node } of graph.inputs) {
    if (node.op !== Input) throw new TemperError("bad-graph", `${graph.name}: ${node.op.name} is listed as an input.`);
    if (names.has(node.name))
      throw new TemperError("bad-graph", `${graph.name}: two inputs are called "${node.name}".`);
    names.add(node.name);
  }
  const listed = new Set(graph.inputs.map((v) => v.node));
  for (const node of graphNodes(graph))
    if (node.op === Input && !listed.has(node))
      throw new TemperError("bad-graph", `${graph.name}: an output needs input "${node.name}", which is not listed.`);
};

/** Input by name. @throws TemperError `not-found`, listing the names */
export const inputOf = (graph: Graph, name: string): Value => {
  const found = graph.inputs.find((v) => v.node.name === name);
  if (found) return found;
  const names = graph.inputs.map((v) => v.node.name).join(", ");
  throw new TemperError("not-found", `${graph.name} has no input "${name}". Known: ${names}.`);
};

/**
 * Replacement of one node: outputs to use instead, or undefined to rebuild it on the new inputs. New nodes without a
 * name bear that of the node.
 */
export type Visit = (node: Node, inputs: readonly (Value | undefined)[]) => readonly Value[] | undefined;

/**
 * Copies what `values` reach, node by node in topological order. Nodes that nothing changes are kept as they are.
 *
 * @param replaced  values to start from (bound inputs, cut points)
 */
export const rewriteValues = (
  values: readonly Value[],
  visit: Visit,
  replaced: ReadonlyMap<Value, Value> = new Map(),
): Value[] => rewriteNodes(nodesOf(values), values, visit, replaced);

const rewriteNodes = (
  order: readonly Node[],
  values: readonly Value[],
  visit: Visit,
  replaced: ReadonlyMap<Value, Value>,
): Value[] => {
  const done = new Map<Value, Value>(replaced);
  for (const node of order) {
    const inputs = node.inputs.map((v) => v && (done.get(v) ?? v));
    const changed = inputs.some((v, i) => v !== node.inputs[i]);
    const outputs =
      named(node.name, () => visit(node, inputs)) ??
      (changed ? emitAll(node.op, inputs, node.attributes, node.name) : node.outputs);
    node.outputs.forEach((v, i) => {
      if (!replaced.has(v) && outputs[i] && outputs[i] !== v) done.set(v, outputs[i]);
    });
  }
  return values.map((v) => done.get(v) ?? v);
};

/** {@link rewriteValues} on all outputs. Inputs keep their order; those that `replaced` binds are dropped. */
export const rewrite = (graph: Graph, visit: Visit, replaced: ReadonlyMap<Value, Value> = new Map()): Graph => {
  const names = Object.keys(graph.outputs);
  const values = rewriteNodes(graphNodes(graph), Object.values(graph.outputs), visit, replaced);
  return createGraph(
    graph.name,
    graph.inputs.filter((v) => !replaced.has(v)),
    Object.fromEntries(names.map((name, i) => [name, values[i]!])),
  );
};

/** The graph with some inputs replaced by other values (constants, or outputs of another graph). */
export const bind = (graph: Graph, values: Readonly<Record<string, Value>>): Graph => {
  const replaced = new Map(Object.entries(values).map(([name, value]) => [checkedInput(graph, name, value), value]));
  return rewrite(graph, () => undefined, replaced);
};

/** The inputs of a graph for one batch size. */
export const inputsOf = (graph: Graph, batch: number): readonly Value[] =>
  graph.inputs.map(({ node, dtype, shape }) => input(node.name, dtype, concretize(shape, batch)));

/** The graph for one batch size, which lowerings may then rely on. */
export const withBatch = (graph: Graph, batch: number): Graph => {
  const inputs = inputsOf(graph, batch);
  return createGraph(graph.name, inputs, apply(graph, Object.fromEntries(inputs.map((v) => [v.node.name, v]))));
};

/** Calls a graph as a function: one value an input name, outputs by name. */
export const apply = (graph: Graph, values: Readonly<Record<string, Value>>): Record<string, Value> => {
  const replaced = new Map(graph.inputs.map((v) => [v, argument(graph, v, values)]));
  const outputs = rewriteValues(Object.values(graph.outputs), () => undefined, replaced);
  return Object.fromEntries(Object.keys(graph.outputs).map((name, i) => [name, outputs[i]!]));
};
const argument = (graph: Graph, expected: Value, values: Readonly<Record<string, Value>>): Value => {
  const value = values[expected.node.name];
  if (value) return value;
  throw new TemperError("bad-graph", `${graph.name}: no value given for input "${expected.node.name}".`);
};
const checkedInput = (graph: Graph, name: string, value: ValueType): Value => {
  const expected = inputOf(graph, name);
  if (expected.dtype !== value.dtype)
    throw new TemperError("bad-graph", `${graph.name}: input "${name}" is ${expected.dtype}, got ${value.dtype}.`);
  return expected;
};
