import { TemperError } from "../core/index.ts";
import { attributeField } from "./attribute.ts";
import { DATA_TYPES, dataTypeName } from "./data-type.ts";
import { externalRange, isExternal } from "./external-data.ts";
import { checkCalls, domainOf, functionLabel } from "./functions.ts";
import { quote } from "./quote.ts";
import { checkSparse } from "./sparse.ts";
import { storageOf } from "./storage.ts";
import type * as proto from "./types.ts";
import { MAX_DEPTH } from "./wire.ts";

/**
 * Checks what every ONNX graph must keep, whatever its operators: versions are there, each value is defined once and
 * before its use, graph outputs exist, tensors hold as many values as they say, attributes hold what their type says,
 * functions do not call themselves. Sub-graphs see the values around them and may hide their names by their own.
 * External data files are not opened (`readModelFile` did), operators not known.
 *
 * @throws TemperError `bad-graph` or `bad-file`, naming node and value; as `storageOf` and `checkCalls` do
 */
export const validateModel = (model: proto.ModelProto): void => {
  const { irVersion, graph } = model;
  if (irVersion === undefined || irVersion < 1)
    throw new TemperError("bad-file", `The model has IR version ${irVersion ?? "(none)"}. Is it an ONNX file?`);
  if (graph === undefined) throw new TemperError("bad-file", "The model has no graph.");
  const opsets = irVersion < 3 ? undefined : checkOpsets(model.opsetImport ?? [], "The model");
  checkCalls(model);
  for (const f of model.functions ?? []) checkFunction(f);
  for (const [i, input] of (graph.input ?? []).entries())
    if (input.type === undefined)
      throw new TemperError("bad-graph", `graph.input[${i}] ${quote(input.name)} has no type.`);
  checkGraph(graph, { place: "graph", opsets, inFunction: false, depth: 1, names: new Set() });
};

interface Scope {
  /** The way to what is checked. */
  readonly place: string;
  /** Imported domains; undefined where the file is older than operator sets. */
  readonly opsets: ReadonlySet<string> | undefined;
  readonly inFunction: boolean;
  readonly depth: number;
  /** Values defined so far. */
  readonly names: Set<string>;
  readonly outer?: Scope;
}

/** Some tools import a domain twice; only two versions of it contradict each other. */
const checkOpsets = (imports: readonly proto.OperatorSetIdProto[], who: string): ReadonlySet<string> => {
  const versions = new Map<string, number>();
  for (const entry of imports) {
    const domain = domainOf(entry),
      { version = 0 } = entry,
      earlier = versions.get(domain) ?? version;
    const what = `${who} imports operators of domain ${quote(domain)}`;
    if (version < 1) throw new TemperError("bad-file", `${what} in version ${version}.`);
    if (version !== earlier) throw new TemperError("bad-file", `${what} in versions ${earlier} and ${version}.`);
    versions.set(domain, version);
  }
  if (versions.size === 0) throw new TemperError("bad-file", `${who} imports no operator set.`);
  return new Set(versions.keys());
};

const define = (scope: Scope, name: string | undefined, what: string): void => {
  if (name === undefined || name === "") throw new TemperError("bad-graph", `${what} has no name.`);
  if (scope.names.has(name))
    throw new TemperError("bad-graph", `${what} ${quote(name)} has the name of an earlier value.`);
  scope.names.add(name);
};

const isDefined = (scope: Scope | undefined, name: string): boolean => {
  for (let s = scope; s !== undefined; s = s.outer) if (s.names.has(name)) return true;
  return false;
};

const checkGraph = (graph: proto.GraphProto, scope: Scope): void => {
  const { place } = scope;
  if (scope.depth > MAX_DEPTH) throw new TemperError("bad-graph", `${place} is nested deeper than ${MAX_DEPTH}.`);
  for (const [i, input] of (graph.input ?? []).entries()) define(scope, input.name, `${place}.input[${i}]`);
  checkInitializers(graph, scope);
  for (const list of ["input", "output", "valueInfo"] as const)
    for (const [i, info] of (graph[list] ?? []).entries())
      if (info.type) checkType(info.type, `${place}.${list}[${i}] ${quote(info.name)}`, 1);
  checkNodes(graph.node ?? [], scope);
  for (const [i, { name = "" }] of (graph.output ?? []).entries())
    if (!isDefined(scope, name))
      throw new TemperError("bad-graph", `${place}.output[${i}] ${quote(name)} is produced by nothing.`);
};

/** An initializer may share its name with a graph input, of which it is the default. */
const checkInitializers = (graph: proto.GraphProto, scope: Scope): void => {
  const own: Scope = { ...scope, names: new Set() };
  for (const [i, tensor] of (graph.initializer ?? []).entries()) {
    define(own, tensor.name, `${scope.place}.initializer[${i}]`);
    checkTensor(tensor, `${scope.place}.initializer[${i}]`);
  }
  for (const [i, sparse] of (graph.sparseInitializer ?? []).entries()) {
    define(own, sparse.values?.name, `${scope.place}.sparseInitializer[${i}]`);
    checkSparse(sparse, `${scope.place}.sparseInitializer[${i}]`);
  }
  for (const name of own.names) scope.names.add(name);
};

const checkTensor = (tensor: proto.TensorProto, place: string): void => {
  const { rawBytes } = storageOf(tensor, place);
  if (isExternal(tensor)) externalRange(tensor, rawBytes, place);
};

const TYPES = ["tensorType", "sequenceType", "mapType", "opaqueType", "sparseTensorType", "optionalType"] as const;

const checkType = (type: proto.TypeProto, what: string, depth: number): void => {
  if (depth > MAX_DEPTH) throw new TemperError("bad-graph", `The type of ${what} is nested deeper than ${MAX_DEPTH}.`);
  const set = TYPES.filter((name) => type[name] !== undefined);
  if (set.length !== 1) throw new TemperError("bad-graph", `${what} has ${set.length} types instead of one.`);
  for (const tensor of [type.tensorType, type.sparseTensorType]) if (tensor) checkTensorType(tensor, what);
  for (const inner of [type.sequenceType?.elemType, type.optionalType?.elemType, type.mapType?.valueType])
    if (inner) checkType(inner, what, depth + 1);
};

const checkTensorType = ({ elemType, shape }: proto.TensorTypeProto, what: string): void => {
  if (DATA_TYPES[elemType ?? 0] === undefined)
    throw new TemperError("bad-graph", `${what}: there is no ${dataTypeName(elemType)}.`);
  for (const { dimValue = 0 } of shape?.dim ?? [])
    if (dimValue < -1) throw new TemperError("bad-graph", `${what} has dimension ${dimValue}.`); // -1: some write N so
};

const checkNodes = (nodes: readonly proto.NodeProto[], scope: Scope): void => {
  for (const [i, node] of nodes.entries()) {
    const { opType = "", name = "", input = [], output = [] } = node;
    const what = `${scope.place}.node[${i}] (${opType === "" ? "no operator" : quote(opType).slice(1, -1)}${name === "" ? "" : ` ${quote(name)}`})`;
    const bad = (text: string): TemperError => new TemperError("bad-graph", `${what} ${text}.`);
    if (opType === "") throw bad("has no operator");
    if (scope.opsets && !scope.opsets.has(domainOf(node)))
      throw bad(`is of domain ${quote(node.domain)}, not imported`);
    if (input.length + output.length === 0) throw bad("has neither inputs nor outputs");
    for (const value of input)
      if (value !== "" && !isDefined(scope, value)) throw bad(`uses ${quote(value)}, which nothing before it defines`);
    checkAttributes(node, what, { ...scope, place: `${scope.place}.node[${i}]` });
    for (const value of output) if (value !== "") define(scope, value, `${what}: output`);
  }
};

const checkAttributes = (node: proto.NodeProto, what: string, scope: Scope): void => {
  const names = new Set<string>();
  for (const [i, attribute] of (node.attribute ?? []).entries()) {
    const { name = "" } = attribute;
    if (name === "") throw new TemperError("bad-graph", `${what}: attribute ${i} has no name.`);
    if (names.has(name)) throw new TemperError("bad-graph", `${what} has two attributes ${quote(name)}.`);
    names.add(name);
    checkAttribute(attribute, `${what}: attribute ${quote(name)}`, {
      ...scope,
      place: `${scope.place}.attribute[${i}]`,
    });
  }
};

const checkAttribute = (attribute: proto.AttributeProto, what: string, scope: Scope): void => {
  const field = attributeField(attribute, what);
  if (attribute.refAttrName) {
    if (!scope.inFunction) throw new TemperError("bad-graph", `${what} refers to a function's attribute, outside one.`);
    if (attribute[field] !== undefined)
      throw new TemperError("bad-graph", `${what} has a value and refers to another.`);
  }
  if (attribute.t) checkTensor(attribute.t, what);
  for (const tensor of attribute.tensors ?? []) checkTensor(tensor, what);
  if (attribute.sparseTensor) checkSparse(attribute.sparseTensor, what);
  for (const sparse of attribute.sparseTensors ?? []) checkSparse(sparse, what);
  if (attribute.g) checkGraph(attribute.g, inside(scope, "g"));
  for (const [i, graph] of (attribute.graphs ?? []).entries()) checkGraph(graph, inside(scope, `graphs[${i}]`));
};

const inside = (outer: Scope, step: string): Scope => ({
  ...outer,
  place: `${outer.place}.${step}`,
  depth: outer.depth + 1,
  names: new Set(),
  outer,
});

const checkFunction = (f: proto.FunctionProto): void => {
  const place = functionLabel(f);
  if (!f.name) throw new TemperError("bad-graph", `${place} has no name.`);
  const opsets = checkOpsets(f.opsetImport ?? [], place);
  const scope: Scope = { place, opsets, inFunction: true, depth: 1, names: new Set() };
  for (const [i, name] of (f.input ?? []).entries()) define(scope, name, `${place}: input ${i}`);
  const parameters: Scope = { ...scope, names: new Set() };
  for (const name of f.attribute ?? []) define(parameters, name, `${place}: attribute`);
  for (const attribute of f.attributeProto ?? []) {
    define(parameters, attribute.name, `${place}: attribute`);
    checkAttribute(attribute, `${place}: attribute ${quote(attribute.name)}`, scope);
  }
  checkNodes(f.node ?? [], scope);
  for (const name of f.output ?? [])
    if (!isDefined(scope, name))
      throw new TemperError("bad-graph", `${place}: output ${quote(name)} is produced by nothing.`);
};
