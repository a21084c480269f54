import type { AttributeProto, GraphProto, NodeProto } from "../onnx/index.ts";

/** Sub-graphs of a node, from its raw attributes. */
const graphsOf = (attributes: readonly AttributeProto[]): GraphProto[] =>
  attributes.flatMap(({ g, graphs = [] }) => (g ? [g, ...graphs] : graphs));

const definedIn = (graph: GraphProto): Set<string> =>
  new Set([
    ...(graph.input ?? []).map(({ name = "" }) => name),
    ...(graph.initializer ?? []).map(({ name = "" }) => name),
    ...(graph.sparseInitializer ?? []).map(({ values }) => values?.name ?? ""),
    ...(graph.node ?? []).flatMap(({ output = [] }) => output),
  ]);

/** Names that the sub-graphs of a node read from the graphs around them, in order of appearance. */
export const capturedNames = (attributes: readonly AttributeProto[]): string[] => {
  const found = new Set<string>();
  for (const graph of graphsOf(attributes)) {
    const own = definedIn(graph);
    const used = [
      ...(graph.node ?? []).flatMap(({ input = [], attribute = [] }) => [...input, ...capturedNames(attribute)]),
      ...(graph.output ?? []).map(({ name = "" }) => name),
    ];
    for (const name of used) if (name !== "" && !own.has(name)) found.add(name);
  }
  return [...found];
};

/** Every name that the sub-graphs of a node define, at any depth: names that nothing around them may take. */
export const definedNames = (attributes: readonly AttributeProto[]): string[] =>
  graphsOf(attributes).flatMap((graph) => [
    ...definedIn(graph),
    ...(graph.node ?? []).flatMap(({ attribute = [] }) => definedNames(attribute)),
  ]);

/** The attribute with what its sub-graphs read from around them renamed. */
export const renameCaptured = (attribute: AttributeProto, names: ReadonlyMap<string, string>): AttributeProto => {
  const { g, graphs } = attribute;
  if (!g && !graphs) return attribute;
  return {
    ...attribute,
    ...(g && { g: renameGraph(g, names) }),
    ...(graphs && { graphs: graphs.map((graph) => renameGraph(graph, names)) }),
  };
};

const renameGraph = (graph: GraphProto, names: ReadonlyMap<string, string>): GraphProto => {
  const own = definedIn(graph);
  const outer = new Map([...names].filter(([name]) => !own.has(name)));
  const renamed = (name: string): string => outer.get(name) ?? name;
  const node = (graph.node ?? []).map((n): NodeProto => ({
    ...n,
    ...(n.input && { input: n.input.map(renamed) }),
    ...(n.attribute && { attribute: n.attribute.map((a) => renameCaptured(a, outer)) }),
  }));
  const output = (graph.output ?? []).map((info) => ({ ...info, name: renamed(info.name ?? "") }));
  return { ...graph, node, output };
};
