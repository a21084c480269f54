import { TemperError, toFloat64 } from "../core/index.ts";
import {
  constantOf,
  emitAll,
  type Graph,
  graphNodes,
  Input,
  type Node,
  rewriteValues,
  type Value,
} from "../graph/index.ts";
import { batchNorm, dropout, type Layer, type Mode } from "../nn/index.ts";
import type { GraphProto } from "../onnx/index.ts";
import type { Statistics } from "./file-weights.ts";

/** A network from a file as it is applied to images and weights. */
export interface FileNetwork {
  /** First the data, then one input a tensor of the file; output `scores`. */
  readonly graph: Graph;
  /** Inputs that are no weights, with their constants. */
  readonly fixed: ReadonlyMap<Value, Value>;
  /** Normalizations that use the statistics of the batch in training. */
  readonly statistics: ReadonlyMap<Node, Statistics>;
  /** What stands between images and the data input. */
  readonly feed?: ((images: Value) => Value) | undefined;
  /** As the file has it: its names of nodes are those of the taps. */
  readonly file: GraphProto;
}

/** Rewrites the graph of a file on the given values, nodes of training in their place. */
export const applyFile = ({ graph, fixed, statistics, feed, file }: FileNetwork): Layer["apply"] => {
  const [x, ...tensors] = graph.inputs as [Value, ...Value[]],
    scores = graph.outputs["scores"]!,
    taps = tapsOf(graph, file);
  return (values, images, mode) => {
    const bound = tensors.map((v) => [v, fixed.get(v) ?? valueOf(v, values)] as const),
      replaced = new Map([[x, feed?.(images) ?? images], ...bound]);
    const updates: Record<string, Value> = {};
    const [y] = rewriteValues(
      [scores],
      (node, inputs) => {
        const found = trainedForm(node, inputs, mode, statistics.get(node), updates);
        const name = mode.tap && taps.get(node);
        if (name === undefined) return found;
        const [first, ...more] = found ?? emitAll(node.op, inputs, node.attributes, node.name);
        return [mode.tap!(name, first!), ...more];
      },
      replaced,
    );
    return { y: y!, updates };
  };
};

const valueOf = ({ node: { name } }: Value, values: Readonly<Record<string, Value>>): Value => {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (!value) throw new TemperError("not-found", `No value was given for the weight "${name}".`);
  return value;
};

/** What stands in a node's place: nothing else, but for Dropout, and for batch normalization in training. */
const trainedForm = (
  node: Node,
  inputs: readonly (Value | undefined)[],
  mode: Mode,
  statistics: Statistics | undefined,
  updates: Record<string, Value>,
): readonly Value[] | undefined => {
  const [x, weight, bias, running_mean, running_var] = inputs as Value[];
  if (node.op.name === "Dropout" && node.op.domain === "") return [dropout(ratioOf(node)).apply({}, x!, mode).y];
  if (!mode.training || !statistics) return undefined;
  const { epsilon, momentum } = node.attributes as { readonly epsilon: number; readonly momentum: number };
  // ONNX counts the share of the old statistics, layers that of the new.
  const norm = batchNorm(x!.shape[1]!, { epsilon, momentum: 1 - momentum }),
    applied = norm.apply(
      { weight: weight!, bias: bias!, running_mean: running_mean!, running_var: running_var! },
      x!,
      mode,
    );
  updates[statistics.mean] = applied.updates["running_mean"]!;
  updates[statistics.variance] = applied.updates["running_var"]!;
  return [applied.y];
};

const ratioOf = ({ name, inputs: [, ratio] }: Node): number => {
  const known = constantOf(ratio);
  if (!ratio) return 0.5;
  if (!known) throw new TemperError("unsupported", `Dropout "${name}": its ratio is computed; it must be a constant.`);
  return toFloat64(known)[0]!;
};

/** Nodes whose first output is what the file's node of that name gives; of several graph nodes for one, none. */
const tapsOf = (graph: Graph, file: GraphProto): Map<Node, string> => {
  const types = new Map((file.node ?? []).map(({ name, output, opType }) => [name || (output?.[0] ?? ""), opType]));
  const found = new Map<string, Node>(),
    data = new Set<Value>(graph.inputs.slice(0, 1));
  for (const node of graphNodes(graph)) {
    if (node.op === Input || !node.inputs.some((v) => v && data.has(v))) continue;
    for (const v of node.outputs) if (v.dtype.includes("float")) data.add(v);
    if (node.name !== "" && data.has(node.outputs[0]!) && (types.get(node.name) ?? node.op.name) === node.op.name)
      found.set(node.name, node);
  }
  return new Map([...found].map(([name, node]) => [node, name]));
};
