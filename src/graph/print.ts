import { createHasher, formatShape, type Tensor } from "../core/index.ts";
import type { Attribute } from "./attribute.ts";
import { type Graph, graphNodes } from "./graph.ts";
import { Constant, Input, type Node, type Value } from "./value.ts";

const tensorHashes = new WeakMap<object, string>();
/** Hash of dtype, shape and contents; computed once a tensor object. Tensors of a graph must not change afterwards. */
export const hashTensor = (tensor: Tensor): string => {
  let hash = tensorHashes.get(tensor);
  if (!hash) {
    hash = createHasher()
      .text(`${tensor.dtype}${formatShape(tensor.shape)}`)
      .bytes(tensor.data)
      .digest();
    tensorHashes.set(tensor, hash);
  }
  return hash;
};

const MAX_INLINE = 8;
const formatTensor = (tensor: Tensor): string =>
  tensor.data.length <= MAX_INLINE
    ? `${tensor.dtype}${formatShape(tensor.shape)}{${Array.from(tensor.data as ArrayLike<unknown>, String).join(", ")}}`
    : `${tensor.dtype}${formatShape(tensor.shape)}#${hashTensor(tensor).slice(0, 12)}`;

const opaqueIds = new WeakMap<object, number>();
let opaqueCount = 0;
const opaqueId = (value: object): number => {
  let id = opaqueIds.get(value);
  if (id === undefined) opaqueIds.set(value, (id = opaqueCount++));
  return id;
};

/** One attribute as text; equal texts mean equal attributes. */
export const formatAttribute = (value: Attribute, tensorText: (t: Tensor) => string = formatTensor): string => {
  if (typeof value === "function") return `function ${opaqueId(value)}`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.join(", ")}]`;
  if ("data" in value) return tensorText(value as Tensor);
  if ("outputs" in value) return `{\n${printGraph(value as Graph)}}`;
  if ("dtype" in value && "shape" in value) return `${String(value.dtype)}${formatShape(value.shape as number[])}`;
  return `object ${opaqueId(value)}`;
};

const attributesText = (node: Node, tensorText?: (t: Tensor) => string): string => {
  const parts = Object.entries(node.attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${formatAttribute(value!, tensorText)}`);
  return parts.length > 0 ? `{${parts.join(", ")}}` : "";
};

const lines = (graph: Graph, constantText: (node: Node) => string, tensorText?: (t: Tensor) => string): string[] => {
  const ids = new Map<Value, string>();
  const type = (v: Value): string => `${v.dtype}${formatShape(v.shape)}`;
  for (const v of graph.inputs) ids.set(v, `%${v.node.name}`);
  const out = graph.inputs.map((v) => `input ${ids.get(v)}: ${type(v)}`);
  let next = 0;
  for (const node of graphNodes(graph)) {
    if (node.op === Input) continue;
    if (node.op === Constant) {
      ids.set(node.outputs[0]!, constantText(node));
      continue;
    }
    for (const v of node.outputs) ids.set(v, `%${next++}`);
    const left = node.outputs.map((v) => `${ids.get(v)}: ${type(v)}`).join(", ");
    const domain = node.op.domain ? `${node.op.domain}.` : "";
    const args = node.inputs.map((v) => (v ? ids.get(v) : "-")).join(", ");
    out.push(`${left} = ${domain}${node.op.name}${attributesText(node, tensorText)}(${args})`);
  }
  for (const [name, v] of Object.entries(graph.outputs)) out.push(`output ${name}: ${ids.get(v)}`);
  return out;
};

/** The graph as text: one node a line, values numbered from zero, so that equal graphs print equal. */
export const printGraph = (graph: Graph): string =>
  `${lines(graph, (node) => formatTensor(node.attributes["value"] as Tensor)).join("\n")}\n`;

/** 128-bit key of the computation (names of nodes do not count, names of inputs and outputs do). */
export const hashGraph = (graph: Graph): string => {
  const text = (t: Tensor): string => `${t.dtype}${formatShape(t.shape)}#${hashTensor(t)}`;
  return createHasher()
    .text(lines(graph, (node) => text(node.attributes["value"] as Tensor), text).join("\n"))
    .digest();
};
