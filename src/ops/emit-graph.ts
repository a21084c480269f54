import { type Tensor, TemperError } from "../core/index.ts";
import {
  type Attribute,
  Constant,
  constantOf,
  describeNode,
  type Graph,
  graphNodes,
  Input,
  type Node,
  type Value,
  type ValueType,
} from "../graph/index.ts";
import {
  ATTRIBUTE_TYPES,
  type AttributeProto,
  dataTypeOf,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  tensorToProto,
  type ValueInfoProto,
} from "../onnx/index.ts";
import { writeAttribute } from "./normalize/attributes.ts";
import { ORIGIN, originOf } from "./opaque.ts";
import { SHARED } from "./scan.ts";
import { definedNames, renameCaptured } from "./subgraph.ts";

/** Names that are taken; gives fresh ones made from a wish. */
export interface Names {
  readonly take: (wish: string) => string;
  readonly reserve: (names: Iterable<string>) => void;
}

export const createNames = (taken: Iterable<string>): Names => {
  const used = new Set(taken);
  const next = new Map<string, number>();
  const take = (wish: string): string => {
    let name = wish;
    for (let i = next.get(wish) ?? 1; used.has(name); i++) {
      name = `${wish}_${i}`;
      next.set(wish, i + 1);
    }
    used.add(name);
    return name;
  };
  return { take, reserve: (names) => [...names].forEach((name) => used.add(name)) };
};

export interface EmitScope {
  /** Domains besides the standard one that may appear. */
  readonly domains: Readonly<Record<string, number>>;
  /** Those of them that were met. */
  readonly used: Set<string>;
  /** A sub-graph: its inputs and outputs are matched by position, so that their names are free. */
  readonly body: boolean;
}

/** What is put together while one graph is written. */
interface Writing {
  readonly scope: EmitScope;
  readonly names: Names;
  /** Names of nodes are apart from those of values. */
  readonly nodeNames: Names;
  readonly valueNames: Map<Value, string>;
  readonly tensorNames: Map<Tensor, string>;
  readonly read: ReadonlySet<Value>;
  readonly nodes: NodeProto[];
  readonly initializers: TensorProto[];
  /** Types that only the file can tell a reader: those of operators without a record. */
  readonly infos: ValueInfoProto[];
}

/**
 * A graph without internal operators as a message. `names` is shared with the graphs around it.
 *
 * @param outer  names that its last inputs have there: it reads them, and is not given them
 */
export const emitGraph = (graph: Graph, names: Names, scope: EmitScope, outer: readonly string[] = []): GraphProto => {
  const nodes = graphNodes(graph),
    own = graph.inputs.slice(0, graph.inputs.length - outer.length);
  for (const node of nodes) names.reserve(definedNames(rawAttributes(node)));
  const writing: Writing = {
    scope,
    names,
    nodeNames: createNames([]),
    valueNames: new Map(
      graph.inputs.map((v, i) => [v, outer[i - own.length] ?? (scope.body ? names.take(v.node.name) : v.node.name)]),
    ),
    tensorNames: new Map(),
    read: new Set(
      [...nodes.flatMap((node) => node.inputs), ...Object.values(graph.outputs)].filter((v) => v !== undefined),
    ),
    nodes: [],
    initializers: [],
    infos: [],
  };
  const outputs = nameOutputs(graph, writing);
  for (const node of nodes) writeNode(writing, node);
  for (const { name, value } of outputs)
    if (writing.valueNames.get(value) !== name)
      writing.nodes.push({ opType: "Identity", input: [writing.valueNames.get(value)!], output: [name] });
  return {
    name: graph.name || "graph",
    node: writing.nodes,
    initializer: writing.initializers,
    input: own.map((v) => valueInfo(writing.valueNames.get(v)!, v)),
    output: outputs.map(({ name, value }) => valueInfo(name, value)),
    valueInfo: writing.infos,
  };
};

/** Gives values that are outputs the outputs' names; inputs, constants and second outputs need a copy. */
const nameOutputs = (graph: Graph, { names, scope, valueNames }: Writing): { name: string; value: Value }[] =>
  Object.entries(graph.outputs).map(([key, value]) => {
    const namesake = scope.body ? undefined : graph.inputs.find((v) => v.node.name === key);
    if (namesake && namesake !== value)
      throw new TemperError("bad-graph", `${graph.name}: output "${key}" bears the name of an input. Rename it.`);
    const name = scope.body ? names.take(key) : key;
    if (value.node.op !== Input && value.node.op !== Constant && !valueNames.has(value)) valueNames.set(value, name);
    return { name, value };
  });

const writeNode = (writing: Writing, node: Node): void => {
  const { names, valueNames, read, scope, nodes, infos } = writing;
  if (node.op === Input) return;
  const [only] = node.outputs;
  const tensor = constantOf(only);
  if (tensor) return void valueNames.set(only!, tensorName(writing, tensor, node.name));
  checkDomain(node, scope);
  const captures = originOf(node)?.captured ?? [];
  const explicit = node.inputs.length - (node.op.captured?.(node.attributes) ?? captures.length);
  const input = node.inputs.slice(0, explicit).map((v) => (v ? valueNames.get(v)! : ""));
  const outer = node.inputs.slice(explicit).map((v) => valueNames.get(v!)!),
    inner = new Map(captures.map((name, i) => [name, outer[i]!]));
  const wish = node.name || node.op.name;
  const output = node.outputs.map((v, i) => {
    if (!read.has(v) && i >= (node.op.optionalFrom ?? Infinity)) return "";
    const name = valueNames.get(v) ?? names.take(`${wish}_output_${i}`);
    valueNames.set(v, name);
    if (originOf(node) && read.has(v)) infos.push(valueInfo(name, v));
    return name;
  });
  const attribute = attributesOf(writing, node, inner, outer);
  nodes.push({
    opType: node.op.name,
    ...(node.name && { name: writing.nodeNames.take(node.name) }),
    ...(node.op.domain && { domain: node.op.domain }),
    input: trimmed(input),
    output: trimmed(output),
    ...(attribute.length > 0 && { attribute }),
  });
};
const trimmed = (names: readonly string[]): string[] => names.slice(0, names.findLastIndex((name) => name !== "") + 1);

const tensorName = ({ names, tensorNames, initializers }: Writing, tensor: Tensor, wish: string): string => {
  const known = tensorNames.get(tensor);
  if (known !== undefined) return known;
  const name = names.take(wish || "constant");
  tensorNames.set(tensor, name);
  initializers.push(tensorToProto(name, tensor));
  return name;
};

const checkDomain = (node: Node, { domains, used }: EmitScope): void => {
  const { domain } = node.op;
  if (domain === "") return;
  if (domain === "temper")
    throw new TemperError("unsupported", `${describeNode(node)} is internal and has no form in ONNX operators.`);
  if (!Object.hasOwn(domains, domain))
    throw new TemperError(
      "unsupported",
      `${describeNode(node)} is of operator domain ${domain}, which not every runtime has. Allow it: domains: { ${JSON.stringify(domain)}: 1 }.`,
    );
  used.add(domain);
};

/** Attributes that an operator without a record keeps as they were in the file. */
const rawAttributes = (node: Node): AttributeProto[] =>
  originOf(node)
    ? Object.entries(node.op.attributes).flatMap(([key, { kind }]) =>
        kind === "opaque" && key !== ORIGIN ? [node.attributes[key] as AttributeProto] : [],
      )
    : [];

const attributesOf = (
  writing: Writing,
  node: Node,
  captured: ReadonlyMap<string, string>,
  outer: readonly string[],
): AttributeProto[] => {
  const written: AttributeProto[] = rawAttributes(node).map((raw) => renameCaptured(raw, captured));
  for (const [name, { kind, default: fallback }] of Object.entries(node.op.attributes)) {
    const value = node.attributes[name];
    if (value === undefined || sameAttribute(value, fallback) || name === SHARED) continue;
    if (kind === "opaque" && originOf(node)) continue;
    if (kind === "graph") {
      const g = emitGraph(value as Graph, writing.names, { ...writing.scope, body: true }, outer);
      written.push({ name, type: ATTRIBUTE_TYPES.g, g });
    } else written.push(writeAttribute(name, kind, value, describeNode(node)));
  }
  return written;
};
const sameAttribute = (a: Attribute, b: Attribute | undefined): boolean =>
  a === b || (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((x, i) => x === b[i]));

const valueInfo = (name: string, { dtype, shape }: ValueType): ValueInfoProto => {
  const dim = shape.map((d) => (d >= 0 ? { dimValue: d } : { dimParam: d === -1 ? "N" : `${-d}N` }));
  return { name, type: { tensorType: { elemType: dataTypeOf(dtype), shape: { dim } } } };
};
