import { TemperError } from "../../core/index.ts";
import {
  type AttributeProto,
  domainOf,
  functionKey,
  type FunctionProto,
  type ModelProto,
  type NodeProto,
  type OperatorSetIdProto,
} from "../../onnx/index.ts";
import { capturedNames, renameCaptured } from "../subgraph.ts";

/** Version of each operator domain; `""` is the standard one. */
export type Versions = ReadonlyMap<string, number>;

/** A node with the operator versions that hold where it stands. */
export interface PlacedNode {
  readonly node: NodeProto;
  readonly versions: Versions;
}

/** Versions that a model or function imports; of two for one domain the higher. */
export const versionsOf = (imports: readonly OperatorSetIdProto[]): Versions => {
  const versions = new Map<string, number>();
  for (const entry of imports)
    versions.set(domainOf(entry), Math.max(versions.get(domainOf(entry)) ?? 0, entry.version ?? 0));
  return versions;
};

const keyOf = (node: NodeProto): string => functionKey(domainOf(node), node.opType ?? "", node.overload ?? "");

/** Replaces calls of a model's functions in a list of nodes. */
export type Expand = (nodes: readonly NodeProto[], versions: Versions) => PlacedNode[];

/**
 * How nodes of a model are written without calls of its own functions. Inner names start with the name of the calling
 * node. The model must be valid (`validateModel`): functions do not call themselves and do not explode.
 */
export const functionExpander = (model: ModelProto): Expand => {
  const functions = new Map(
    (model.functions ?? []).map((f) => [functionKey(domainOf(f), f.name ?? "", f.overload ?? ""), f]),
  );
  let calls = 0;
  const expand: Expand = (nodes, versions) =>
    nodes.flatMap((node) => {
      const body = functions.get(keyOf(node));
      return body ? expand(bodyOf(node, body, calls++), versionsOf(body.opsetImport ?? [])) : [{ node, versions }];
    });
  return expand;
};

const bodyOf = (call: NodeProto, body: FunctionProto, serial: number): NodeProto[] => {
  const prefix = `${call.name || call.opType}#${serial}/`;
  const names = new Map<string, string>();
  body.input?.forEach((name, i) => names.set(name, call.input?.[i] ?? ""));
  body.output?.forEach((name, i) => {
    if (call.output?.[i]) names.set(name, call.output[i]);
  });
  const renamed = (name: string): string => (name === "" ? "" : (names.get(name) ?? prefix + name));
  return (body.node ?? []).map((node) => {
    const attribute = (node.attribute ?? []).flatMap((a) => argument(a, call, body));
    const captured = new Map(capturedNames(attribute).map((name) => [name, renamed(name)]));
    return {
      ...node,
      name: prefix + (node.name || node.opType),
      input: (node.input ?? []).map(renamed),
      output: (node.output ?? []).map(renamed),
      attribute: attribute.map((a) => renameCaptured(a, captured)),
    };
  });
};

/** The attribute of an inner node: its own, the caller's, the function's default, or none. */
const argument = (attribute: AttributeProto, call: NodeProto, body: FunctionProto): AttributeProto[] => {
  if (!attribute.refAttrName) {
    const inner = [attribute.g, ...(attribute.graphs ?? [])].flatMap((graph) => graph?.node ?? []);
    if (inner.some((node) => node.attribute?.some((a) => a.refAttrName)))
      throw new TemperError(
        "unsupported",
        `function ${body.name}: a sub-graph takes an attribute of the call. Export the model with its functions inlined.`,
      );
    return [attribute];
  }
  const given = [...(call.attribute ?? []), ...(body.attributeProto ?? [])].find(
    ({ name }) => name === attribute.refAttrName,
  );
  return given ? [{ ...given, name: attribute.name ?? "" }] : [];
};
