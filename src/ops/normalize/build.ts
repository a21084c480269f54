import { fromFloat64, isTemperError, TemperError } from "../../core/index.ts";
import {
  type AnyOp,
  type Attributes,
  type AttributeSpec,
  constant,
  emitAll,
  extentsOf,
  type Value,
  type ValueType,
} from "../../graph/index.ts";
import { domainOf, type ExternalData, type GraphProto, type NodeProto, type ValueInfoProto } from "../../onnx/index.ts";
import { emitOpaque } from "../opaque.ts";
import { ops } from "../registry.ts";
import { capturedNames } from "../subgraph.ts";
import { type FileAttribute, readAttribute } from "./attributes.ts";
import { batchOpenings } from "./batch.ts";
import type { Expand, PlacedNode, Versions } from "./functions.ts";
import { readInitializers } from "./initializers.ts";
import { declaredType, type Symbols } from "./inputs.ts";
import { legacyForms } from "./legacy.ts";
import { describeFileNode, type FileNode, knownNumber, type Normalize, type NormalizeContext } from "./node.ts";
import { outputRules } from "./outputs.ts";
import { normalizations } from "./table.ts";

/** What the nodes of a file are read with. */
export interface Build {
  readonly symbols: Symbols;
  /** Declared types of inner values and outputs. */
  readonly types: ReadonlyMap<string, ValueInfoProto>;
  readonly expand: Expand;
  readonly external: ExternalData | undefined;
  /** The file says a batch of one, and is read as if it took any. */
  readonly openBatch: boolean;
  /** Dropout nodes are kept, and nodes in training mode are read as in evaluation mode. */
  readonly training: boolean;
  readonly note: (text: string) => void;
}

/** Values by the names of the file; a branch of an If sees those around it. */
export interface Scope {
  readonly values: Map<string, Value>;
  readonly outer?: Scope;
}
const find = (scope: Scope, name: string): Value => {
  for (let s: Scope | undefined = scope; s; s = s.outer) {
    const value = s.values.get(name);
    if (value) return value;
  }
  throw new TemperError("bad-file", `the value "${name}" is read, but nothing that is kept makes it.`);
};

/** Reads nodes in their order and adds the values that something reads to the scope. */
export const buildNodes = (
  build: Build,
  scope: Scope,
  nodes: readonly PlacedNode[],
  wanted: Iterable<string>,
): void => {
  const read = new Set(wanted);
  for (const { node } of nodes) for (const name of namesRead(node)) read.add(name);
  for (const { node, versions } of nodes) {
    const outputs = (node.output ?? []).map((name) => (read.has(name) ? name : ""));
    if (!outputs.some(Boolean)) continue;
    const values = buildNode(build, scope, node, versions, outputs);
    outputs.forEach((name, i) => {
      if (name === "") return;
      const value = values[i];
      if (!value)
        throw new TemperError("unsupported", `${labelOf(node)}: its output ${i}, "${name}", cannot be computed.`);
      scope.values.set(name, value);
    });
  }
};
const namesRead = ({ input = [], attribute = [] }: NodeProto): string[] => [...input, ...capturedNames(attribute)];
const nameOf = (node: NodeProto): string => node.name || (node.output ?? []).find(Boolean) || "";
const labelOf = (node: NodeProto): string =>
  describeFileNode({ opType: node.opType ?? "", domain: domainOf(node), name: nameOf(node) });

const buildNode = (
  build: Build,
  scope: Scope,
  node: NodeProto,
  versions: Versions,
  outputs: readonly string[],
): readonly (Value | undefined)[] => {
  try {
    const file = fileNode(build, scope, node, versions, outputs);
    return branchOf(build, scope, file, node, versions) ?? normalized(build, file);
  } catch (error) {
    const who = labelOf(node);
    if (!isTemperError(error) || error.message.startsWith(who)) throw error;
    throw new TemperError(error.code, `${who}: ${error.message}`, { cause: error });
  }
};

const fileNode = (
  { external }: Build,
  scope: Scope,
  node: NodeProto,
  versions: Versions,
  outputs: readonly string[],
): FileNode => {
  const { attribute = [], input = [], opType = "" } = node;
  // Before version 6 many operators could say which inputs they overwrite.
  const attributes = attribute
    .filter(({ name }) => name !== "consumed_inputs")
    .map((a) => [a.name ?? "", readAttribute(a, `attribute ${a.name}`, external)] as const);
  return {
    name: nameOf(node),
    opType,
    domain: domainOf(node),
    version: versions.get(domainOf(node)) ?? 1,
    inputs: input.map((name) => (name === "" ? undefined : find(scope, name))),
    captured: new Map(capturedNames(attribute).map((name) => [name, find(scope, name)])),
    attributes: Object.fromEntries(attributes),
    outputs,
  };
};

/** Exporters guard shape arithmetic with If; where the condition is known, only one branch exists. */
const branchOf = (
  build: Build,
  scope: Scope,
  file: FileNode,
  node: NodeProto,
  versions: Versions,
): readonly (Value | undefined)[] | undefined => {
  const condition = file.opType === "If" && file.domain === "" ? knownNumber(file.inputs[0]) : undefined;
  if (condition === undefined) return undefined;
  const wanted = condition === 0 ? "else_branch" : "then_branch";
  const branch: GraphProto = node.attribute?.find(({ name }) => name === wanted)?.g ?? {};
  const inner: Scope = { values: new Map(), outer: scope };
  const nodes = build.expand(branch.node ?? [], versions);
  for (const { name, tensor } of readInitializers(branch, [], build.external))
    inner.values.set(name, constant(tensor, name));
  const names = (branch.output ?? []).map(({ name = "" }) => name);
  buildNodes(build, inner, nodes, names);
  return names.map((name) => find(inner, name));
};

const normalized = (build: Build, file: FileNode): readonly (Value | undefined)[] => {
  const context: NormalizeContext = {
    emit: (node) => emitNode(build, node),
    training: build.training,
    note: build.note,
  };
  let node = file;
  for (const rule of rulesFor(build, file)) {
    const result = rule(node, context);
    if (!("opType" in result)) return result;
    node = result;
  }
  return emitNode(build, node);
};
const rulesFor = ({ openBatch }: Build, { opType, domain, version }: FileNode): Normalize[] => {
  if (domain !== "") return [];
  const tables = [...(version < 7 ? [legacyForms] : []), normalizations, ...(openBatch ? [batchOpenings] : [])];
  return tables.flatMap((table) => (Object.hasOwn(table, opType) ? [table[opType]!] : []));
};

const registry: Readonly<Record<string, AnyOp>> = ops;

/** Applies a node in its final form: by its record, or as an operator of which only the declared output types count. */
const emitNode = (build: Build, node: FileNode): readonly (Value | undefined)[] => {
  const op = node.domain === "" && Object.hasOwn(registry, node.opType) ? registry[node.opType] : undefined;
  if (!op) return opaqueNode(build, node);
  if (op.arity[1] === Infinity && node.inputs.includes(undefined))
    throw new TemperError("bad-file", "every one of its inputs must be given.");
  try {
    return emitAll(op, trimmed(node.inputs), checkedAttributes(node, op.attributes), node.name).map(resolved);
  } catch (error) {
    // A shape that depends on data, or a form without a rule: the file may still say what comes out.
    if (isTemperError(error) && error.code === "unsupported" && outputTypes(build, node))
      return opaqueNode(build, node, error.message);
    throw error;
  }
};

/** Small results that are known now become constants at once: the next operator may want a constant there. */
const resolved = (value: Value): Value => {
  const extents = value.dtype.endsWith("float16") ? undefined : extentsOf(value);
  if (!extents?.every((e) => typeof e === "number")) return value;
  return constant(fromFloat64(Float64Array.from(extents), value.dtype, value.shape), value.node.name);
};
const trimmed = (inputs: FileNode["inputs"]): FileNode["inputs"] =>
  inputs.slice(0, inputs.findLastIndex((v) => v !== undefined) + 1);

/** @throws TemperError `bad-file`: an attribute that the operator does not have, or of another kind */
const checkedAttributes = (node: FileNode, spec: AttributeSpec): Attributes =>
  Object.fromEntries(
    Object.entries(node.attributes).map(([name, { kind, value }]) => {
      const declared = Object.hasOwn(spec, name) ? spec[name] : undefined;
      if (!declared)
        throw new TemperError(
          "bad-file",
          `has no attribute ${name}. Known: ${Object.keys(spec).join(", ") || "none"}.`,
        );
      if (declared.kind !== kind)
        throw new TemperError("bad-file", `attribute ${name} must be of kind ${declared.kind}, the file has ${kind}.`);
      return [name, value];
    }),
  );

/** Types of a node's outputs: declared, or by rule; undefined where one that is read has neither. */
const outputTypes = ({ symbols, types }: Build, node: FileNode): ValueType[] | undefined => {
  const unread: ValueType = { dtype: "float32", shape: [] };
  const byRule = outputRules[`${node.domain}.${node.opType}`]?.(node);
  const found = node.outputs.map((name, i) =>
    name === "" ? unread : (byRule?.[i] ?? declaredType(types.get(name), symbols)),
  );
  return found.every((type) => type !== undefined) ? found : undefined;
};

/** @param why  an operator that is known is kept all the same */
const opaqueNode = (build: Build, node: FileNode, why = ""): readonly Value[] => {
  const known = node.domain === "" && Object.hasOwn(registry, node.opType);
  const types = outputTypes(build, node);
  if (!types)
    throw new TemperError(
      "unsupported",
      known
        ? "the shape of its output depends on data."
        : "Temper does not know this operator, and the file does not say the type and shape of its output. Run ONNX shape inference on the file, or export the model without this operator.",
    );
  if (build.openBatch) throw new TemperError("unsupported", "the file says what it gives for a batch of one only.");
  build.note(
    known
      ? `${why} ${describeFileNode(node)} is run as it is, without gradients.`
      : `Operator ${describeFileNode({ ...node, name: "" })} is unknown to Temper; it is run as it is, without gradients.`,
  );
  const entries = Object.entries(node.attributes);
  return emitOpaque({
    ...node,
    opset: node.domain === "" ? node.version : 0,
    attributes: Object.fromEntries(entries.map(([name, { value }]: [string, FileAttribute]) => [name, value])),
    spec: Object.fromEntries(entries.map(([name, { kind }]) => [name, { kind }])),
    types,
  });
};
