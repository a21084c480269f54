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

/** Attribute under which a node keeps which of its last inputs are read by its sub-graphs, and by which names. */
export const CAPTURES = "(captured)";

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
  /** Types of the outputs; nothing else says what they are. */
  readonly types: readonly ValueType[];
}

/** Gives the outputs of an operator that is run and written back but not understood: it has no gradient rule. */
export const emitOpaque = (node: OpaqueNode): readonly Value[] => {
  const op: AnyOp = defineOp({
    name: node.opType,
    domain: node.domain,
    arity: [0, Infinity],
    attributes: { ...node.spec, [CAPTURES]: attr.opaque() },
    infer: () => node.types,
  });
  const names = [...node.captured.keys()];
  return emitAll(op, [...node.inputs, ...node.captured.values()], { ...node.attributes, [CAPTURES]: names }, node.name);
};

/** Names under which the last inputs of a node are read by its sub-graphs; undefined for operators that Temper knows. */
export const capturesOf = (node: Node): readonly string[] | undefined =>
  node.attributes[CAPTURES] as readonly string[] | undefined;
