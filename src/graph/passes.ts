import { fromFloat64, type Tensor, toFloat64 } from "../core/index.ts";
import { type Graph, graphNodes as graphNodesOf, rewrite } from "./graph.ts";
import { formatAttribute, hashTensor } from "./print.ts";
import { extentsOf, extentsTensor } from "./shape.ts";
import {
  type Array64,
  constant,
  Constant,
  constantOf,
  emitAll,
  Input,
  type Inputs,
  type Node,
  type Value,
} from "./value.ts";

export const toArray64 = (t: Tensor): Array64 => ({ dtype: t.dtype, shape: t.shape, data: toFloat64(t) });
export const fromArray64 = (a: Array64): Tensor => fromFloat64(a.data, a.dtype, a.shape);

/** Constants larger than this are folded only where that makes the graph smaller. */
const MAX_GROWTH = 1 << 16;

/** Evaluates nodes whose inputs are all constant (in float64, rounded once) and integers that follow from shapes. */
export const foldConstants = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => {
    if (node.op === Constant || node.op === Input) return undefined;
    const outputs = foldNode(node, inputs);
    return outputs?.map((tensor) => constant(tensor, node.name));
  });

const foldNode = (node: Node, inputs: readonly (Value | undefined)[]): readonly Tensor[] | undefined => {
  const [only] = node.outputs;
  if (node.outputs.length === 1 && only!.dtype === "int64" && only!.shape.every((d) => d >= 0)) {
    const extents = extentsOf(
      inputs.every((v, i) => v === node.inputs[i]) ? only : emitAll(node.op, inputs, node.attributes)[0],
    );
    const tensor = extents && extentsTensor(extents, only!.shape);
    if (tensor) return [tensor];
  }
  const tensors = inputs.map((v) => constantOf(v));
  if (!node.op.reference || inputs.length === 0 || inputs.some((v, i) => v && !tensors[i])) return undefined;
  const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const before = tensors.reduce((sum, t) => sum + (t?.data.length ?? 0), 0);
  const after = node.outputs.reduce((sum, v) => sum + size(v.shape), 0);
  if (after > Math.max(before, MAX_GROWTH) || node.outputs.some((v) => v.shape.some((d) => d < 0))) return undefined;
  const arrays = tensors.map((t) => t && toArray64(t)) as unknown as Inputs<Array64>;
  return node.op.reference(arrays, node.attributes).map(fromArray64);
};

/** Merges nodes that compute the same thing, constants included. */
export const mergeCommon = (graph: Graph): Graph => {
  const seen = new Map<string, readonly Value[]>();
  return rewrite(graph, (node, inputs) => {
    if (node.op === Input) return undefined;
    const key = nodeKey(node, inputs);
    const found = seen.get(key);
    if (found) return found;
    const unchanged = inputs.every((v, i) => v === node.inputs[i]);
    const outputs = unchanged ? node.outputs : emitAll(node.op, inputs, node.attributes, node.name);
    seen.set(key, outputs);
    return outputs;
  });
};
const nodeKey = (node: Node, inputs: readonly (Value | undefined)[]): string => {
  const attributes = Object.entries(node.attributes).map(
    ([name, value]) =>
      `${name}=${value === undefined ? "" : formatAttribute(value, (t) => `${t.dtype}${t.shape.join()}#${hashTensor(t)}`)}`,
  );
  return `${node.op.domain}.${node.op.name}(${inputs.map((v) => (v ? `${v.node.id}:${v.index}` : "-")).join()}){${attributes.join()}}`;
};

/** Batch normalization in evaluation mode right after a convolution with constant weights becomes part of them. */
export const foldBatchNorm = (graph: Graph): Graph => {
  const uses = useCounts(graph);
  return rewrite(graph, (node, inputs) => {
    const conv = inputs[0]?.node;
    if (node.op.name !== "BatchNormalization" || conv?.op.name !== "Conv") return undefined;
    if ((uses.get(node.inputs[0]!) ?? 0) !== 1) return undefined;
    const [w, scale, offset, mean, variance] = [conv.inputs[1], ...inputs.slice(1)].map(constantOf);
    const bias = conv.inputs[2] ? constantOf(conv.inputs[2]) : undefined;
    if (!w || !scale || !offset || !mean || !variance || (conv.inputs[2] && !bias)) return undefined;
    const epsilon = node.attributes["epsilon"] as number;
    const channels = w.shape[0]!,
      per = w.data.length / channels;
    const [w64, s, o, m, v] = [w, scale, offset, mean, variance].map(toFloat64) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const b = bias ? toFloat64(bias) : new Float64Array(channels);
    const factor = s.map((value, c) => value / Math.sqrt(v[c]! + epsilon));
    const weights = w64.map((value, i) => value * factor[Math.floor(i / per)]!);
    const shift = o.map((value, c) => value + (b[c]! - m[c]!) * factor[c]!);
    return emitAll(
      conv.op,
      [
        inputs[0]!.node.inputs[0],
        constant(fromFloat64(weights, w.dtype, w.shape)),
        constant(fromFloat64(shift, w.dtype, [channels])),
      ],
      conv.attributes,
      conv.name,
    );
  });
};

/** How often each value is read, by nodes or as an output. */
export const useCounts = (graph: Graph): Map<Value, number> => {
  const counts = new Map<Value, number>();
  const count = (v: Value): void => void counts.set(v, (counts.get(v) ?? 0) + 1);
  for (const node of graphNodesOf(graph)) for (const v of node.inputs) if (v) count(v);
  Object.values(graph.outputs).forEach(count);
  return counts;
};

/** The passes that every graph goes through before a device sees it. Dead code needs none: it is unreachable. */
export const simplify = (graph: Graph): Graph => mergeCommon(foldBatchNorm(foldConstants(graph)));
