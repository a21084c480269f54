import { TemperError } from "../core/index.ts";
import { type Graph, graphNodes } from "../graph/index.ts";
import type { ModelProto } from "../onnx/index.ts";
import { decomposeInternal } from "./decompose.ts";
import { createNames, emitGraph } from "./emit-graph.ts";
import { originOf } from "./opaque.ts";

export interface EmitOptions {
  /**
   * Version of the standard operators. Graphs hold opset-20 forms, which 18 to 25 read as well. Default 20, or what an
   * operator without a record needs.
   */
  readonly opset?: number | undefined;
  /** Version of the file format. Default 9, which came with opset 20; 10 for later ones. */
  readonly irVersion?: number | undefined;
  /** Operator domains besides the standard one that may appear, and their versions. Default none. */
  readonly domains?: Readonly<Record<string, number>> | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly producer?: string | undefined;
}

const MIN_OPSET = 18;
const MAX_OPSET = 25;
const DEFAULT_OPSET = 20;

/**
 * A graph as an ONNX model. Inputs and outputs keep their names, nodes theirs where they are unique; constants become
 * initializers, one for each tensor object, whose data is shared, not copied. The batch axis is the dimension `N`.
 *
 * @throws TemperError `unsupported`, naming the node: an operator of a domain that `domains` does not list, or an
 *   internal one that cannot be written out; `bad-option`: an opset whose operators have other forms; `bad-graph`: an
 *   output that bears the name of an input
 */
export const toOnnx = (graph: Graph, options: EmitOptions = {}): ModelProto => {
  const plain = decomposeInternal(graph);
  const needed = Math.max(DEFAULT_OPSET, ...graphNodes(plain).map((node) => originOf(node)?.opset ?? 0));
  const { opset = needed, domains = {}, metadata = {}, producer = "temper" } = options;
  const irVersion = options.irVersion ?? (opset > DEFAULT_OPSET ? 10 : 9);
  if (!Number.isInteger(opset) || opset < MIN_OPSET || opset > MAX_OPSET)
    throw new TemperError("bad-option", `toOnnx: opset must be from ${MIN_OPSET} to ${MAX_OPSET}, got ${opset}.`);
  const names = createNames([...plain.inputs.map((v) => v.node.name), ...Object.keys(plain.outputs)]);
  const used = new Set<string>();
  const proto = emitGraph(plain, names, { domains, used, body: false });
  const custom = [...used].sort().map((domain) => ({ domain, version: domains[domain]! }));
  return {
    irVersion,
    producerName: producer,
    graph: proto,
    opsetImport: [{ domain: "", version: opset }, ...custom],
    metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  };
};
