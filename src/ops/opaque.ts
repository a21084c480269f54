import {
  attr,
  type AnyOp,
  type AttributeDeclaration,
  type Attributes,
  defineOp,
  emitAll,
  type Node,
  type Value,
  type ValueType,
} from "../graph/index.ts";

/** Attribute under which a node without a record keeps what its file said about it besides its attributes. */
export const ORIGIN = "(origin)";

export interface Origin {
  /** Names under which the last inputs are read by the node's sub-graphs. */
  readonly captured: readonly string[];
  /** Version of the standard operators that the node was written for; 0 for other domains. */
  readonly opset: number;
}

/** A node of an operator that Temper does not know. */
export interface OpaqueNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Value | undefined)[];
  /** Values that the node's sub-graphs read, by the name that they have there. */
  readonly captured: ReadonlyMap<string, Value>;
  readonly attributes: Attributes;
  /** Kind of each attribute; `opaque` ones are `AttributeProto` messages. */
  readonly spec: Readonly<Record<string, AttributeDeclaration>>;
  readonly opset: number;
  /** Types of the outputs; nothing else says what they are. */
  readonly types: readonly ValueType[];
}

/** Gives the outputs of an operator that is run and written back but not understood: it has no gradient rule. */
export const emitOpaque = (node: OpaqueNode): readonly Value[] => {
  const op: AnyOp = defineOp({
    name: node.opType,
    domain: node.domain,
    arity: [0, Infinity],
    attributes: { ...node.spec, [ORIGIN]: attr.opaque() },
    infer: () => node.types,
  });
  const origin: Origin = { captured: [...node.captured.keys()], opset: node.opset };
  return emitAll(op, [...node.inputs, ...node.captured.values()], { ...node.attributes, [ORIGIN]: origin }, node.name);
};

/** What the file said about a node without a record; undefined for operators that Temper knows. */
export const originOf = (node: Node): Origin | undefined => node.attributes[ORIGIN] as Origin | undefined;
