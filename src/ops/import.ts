import { isTemperError, type Tensor, TemperError } from "../core/index.ts";
import {
  BATCH,
  constant,
  createGraph,
  type Graph,
  graphNodes,
  Input,
  input,
  type Value,
  type ValueType,
} from "../graph/index.ts";
import { type ExternalData, type ModelProto, validateModel, type ValueInfoProto } from "../onnx/index.ts";
import type { Model } from "./model.ts";
import { checkBatch } from "./normalize/batch.ts";
import { buildNodes, type Scope } from "./normalize/build.ts";
import { functionExpander, type PlacedNode, versionsOf } from "./normalize/functions.ts";
import { type Initializer, readInitializers } from "./normalize/initializers.ts";
import { findSymbols, inputType, type Symbols } from "./normalize/inputs.ts";
import { simplifyShapes } from "./normalize/shapes.ts";

export interface ImportOptions {
  /** Where the values of tensors in other files are (`readModelFile` gives it). */
  readonly external?: ExternalData | undefined;
  /**
   * What to do with a file whose inputs have a fixed batch of one. `symbolic`: read it as a network for any batch size
   * where that keeps its meaning, else leave it and say so in the notes. Default `fixed`: as the file says.
   */
  readonly batch?: "symbolic" | "fixed" | undefined;
  /**
   * Read as a network that is to be trained: Dropout nodes stay (with their ratio as input 1), and nodes that were
   * exported in training mode are read as in evaluation mode. Default false: Dropout is the identity.
   */
  readonly training?: boolean | undefined;
  /** Sizes of symbolic axes, by the name in the file; `x[2]` for an unnamed axis 2 of input x. */
  readonly dims?: Readonly<Record<string, number>> | undefined;
}

/** A file taken apart, before its nodes become graph nodes. */
interface File {
  readonly name: string;
  readonly proto: ModelProto;
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly string[];
  readonly initializers: readonly Initializer[];
  readonly nodes: readonly PlacedNode[];
  readonly symbols: Symbols;
}

/**
 * A network from an ONNX file, in opset-20 forms.
 *
 * Float tensors of the file are parameters: inputs of the graph, after the data inputs. A symbolic first axis is the
 * batch. Operators without a record are kept and run, without a gradient rule, where the file declares what they give.
 *
 * @throws TemperError `bad-file`, `bad-graph`: a file that contradicts itself or its operators; `bad-shape`: shapes that
 *   do not fit, naming the node; `unsupported`: a second symbolic axis, types or operators that cannot be kept;
 *   `bad-option`: dims that do not fit the file
 */
export const importModel = (proto: ModelProto, options: ImportOptions = {}): Model => {
  validateModel(proto);
  const { batch = "fixed" } = options;
  if (batch !== "fixed" && batch !== "symbolic")
    throw new TemperError("bad-option", `importModel: batch must be fixed or symbolic, got ${String(batch)}.`);
  const versions = versionsOf(proto.opsetImport ?? []);
  const opset = versions.get("") ?? 1;
  const notes = new Set<string>();
  const { graph, parameters } = readGraph(takeApart(proto, options), options, batch === "symbolic", notes);
  const { producerName = "", producerVersion = "" } = proto;
  return {
    graph,
    parameters,
    metadata: Object.fromEntries((proto.metadataProps ?? []).map(({ key = "", value = "" }) => [key, value])),
    opset,
    domains: Object.fromEntries([...versions].filter(([domain]) => domain !== "")),
    producer: `${producerName} ${producerVersion}`.trim(),
    notes: [...notes],
  };
};

const takeApart = (proto: ModelProto, { external, dims = {} }: ImportOptions): File => {
  const graph = proto.graph!;
  const nodes = functionExpander(proto)(graph.node ?? [], versionsOf(proto.opsetImport ?? []));
  const initializers = readInitializers(
    graph,
    nodes.map(({ node }) => node),
    external,
  );
  const stored = new Set(initializers.map(({ name }) => name));
  const inputs = (graph.input ?? []).filter(({ name = "" }) => !stored.has(name));
  return {
    name: graph.name || "model",
    proto,
    inputs,
    outputs: (graph.output ?? []).map(({ name = "" }) => name),
    initializers,
    nodes,
    symbols: findSymbols(inputs, dims),
  };
};

/** One reading of the file; with a batch of one opened up first, where that is wanted and works. */
const readGraph = (file: File, options: ImportOptions, open: boolean, notes: Set<string>): Built => {
  const types = file.inputs.map((info) => inputType(info, file.symbols));
  const opened = open ? openTypes(types) : undefined;
  if (opened) {
    try {
      const found = new Set<string>();
      const built = buildGraph(file, options, opened, true, found);
      checkBatch(built.graph);
      found.forEach((text) => notes.add(text));
      return built;
    } catch (error) {
      if (!isTemperError(error)) throw error;
      notes.add(`The batch size stays 1, as the file says. It could not be made variable: ${error.message}`);
    }
  }
  return buildGraph(file, options, types, false, notes);
};

/** Input types with the batch of one made symbolic, or undefined where the file has another batch. */
const openTypes = (types: readonly ValueType[]): ValueType[] | undefined => {
  if (types.some(({ shape }) => shape.some((d) => d < 0))) return undefined;
  const opened = types.map(({ dtype, shape }) => ({
    dtype,
    shape: shape.length > 1 && shape[0] === 1 ? [BATCH, ...shape.slice(1)] : shape,
  }));
  return opened.some(({ shape }) => shape[0] === BATCH) ? opened : undefined;
};

interface Built {
  readonly graph: Graph;
  readonly parameters: Readonly<Record<string, Tensor>>;
}

const buildGraph = (
  file: File,
  { external, training = false }: ImportOptions,
  types: readonly ValueType[],
  openBatch: boolean,
  notes: Set<string>,
): Built => {
  const { proto, symbols, initializers } = file;
  const scope: Scope = { values: new Map() };
  const data = file.inputs.map(({ name = "" }, i) => input(name, types[i]!.dtype, types[i]!.shape));
  const weights = new Map<Value, Tensor>();
  for (const v of data) scope.values.set(v.node.name, v);
  for (const { name, tensor, parameter } of initializers) {
    const value = parameter ? input(name, tensor.dtype, tensor.shape) : constant(tensor, name);
    if (parameter) weights.set(value, tensor);
    scope.values.set(name, value);
  }
  const infos = [...(proto.graph!.valueInfo ?? []), ...(proto.graph!.output ?? [])];
  const build = {
    symbols,
    types: new Map(infos.map((info) => [info.name ?? "", info])),
    expand: functionExpander(proto),
    external,
    openBatch,
    training,
    note: (text: string): void => void notes.add(text),
  };
  buildNodes(build, scope, file.nodes, file.outputs);
  const outputs = Object.fromEntries(file.outputs.map((name) => [name, scope.values.get(name)!]));
  const graph = simplifyShapes(createGraph(file.name, [...data, ...weights.keys()], outputs));
  return withReached(graph, data, weights);
};

/** Weights that no output needs are left out. */
const withReached = (graph: Graph, data: readonly Value[], weights: ReadonlyMap<Value, Tensor>): Built => {
  const reached = new Set(graphNodes(graph).filter(({ op }) => op === Input));
  const kept = [...weights].filter(([{ node }]) => reached.has(node));
  return {
    graph: createGraph(graph.name, [...data, ...kept.map(([value]) => value)], graph.outputs),
    parameters: Object.fromEntries(kept.map(([{ node }, tensor]) => [node.name, tensor])),
  };
};
