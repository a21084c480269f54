import { scalar, type Tensor, TemperError } from "../../core/index.ts";
import {
  type Attribute,
  type AttributeKind,
  type AttributeKinds,
  constant,
  extentsOf,
  ints,
  type Value,
} from "../../graph/index.ts";
import type { FileAttribute } from "./attributes.ts";

/** A node of the file with its inputs resolved; normalisation turns it into the form that the records declare. */
export interface FileNode {
  /** The node's name, else that of its first output. */
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Version of the domain's operators that the node was written for. */
  readonly version: number;
  readonly inputs: readonly (Value | undefined)[];
  /** Values that sub-graphs of the node read, by name. */
  readonly captured: ReadonlyMap<string, Value>;
  readonly attributes: Readonly<Record<string, FileAttribute>>;
  /** Names of the outputs; empty where one is not wanted, and only names that something reads. */
  readonly outputs: readonly string[];
}

export interface NormalizeContext {
  /** Applies the operator of a node that is in its final form. */
  readonly emit: (node: FileNode) => readonly (Value | undefined)[];
  /** The network is to be trained: what only training does is kept. */
  readonly training: boolean;
  /** Adds a sentence for the user. */
  readonly note: (text: string) => void;
}

/** Another form of the node, or the values of its outputs where it became something else. */
export type Normalized = FileNode | readonly (Value | undefined)[];
export type Normalize = (node: FileNode, context: NormalizeContext) => Normalized;

/** `Conv "layer1/conv"`, for messages. */
export const describeFileNode = ({ opType, domain, name }: Pick<FileNode, "opType" | "domain" | "name">): string =>
  `${domain ? `${domain}.` : ""}${opType}${name ? ` "${name}"` : ""}`;

/** An attribute of a given kind, undefined where the node has none. @throws TemperError `bad-file` for another kind */
export const attributeOf = <K extends AttributeKind>(
  node: FileNode,
  name: string,
  kind: K,
): AttributeKinds[K] | undefined => {
  const found = node.attributes[name];
  if (!found) return undefined;
  if (found.kind !== kind)
    throw new TemperError(
      "bad-file",
      `${describeFileNode(node)}: attribute ${name} must be of kind ${kind}, the file has ${found.kind}.`,
    );
  return found.value as AttributeKinds[K];
};

/** The node without some attributes. */
export const without = (node: FileNode, ...names: readonly string[]): FileNode => ({
  ...node,
  attributes: Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name))),
});

/** The node with an attribute set. */
export const withAttribute = (node: FileNode, name: string, kind: AttributeKind, value: Attribute): FileNode => ({
  ...node,
  attributes: { ...node.attributes, [name]: { kind, value } },
});

/** The node with input `at` set; inputs between are absent. */
export const withInput = (node: FileNode, at: number, value: Value | undefined): FileNode => {
  if (value === undefined && at >= node.inputs.length) return node;
  const length = Math.max(node.inputs.length, at + 1);
  return { ...node, inputs: Array.from({ length }, (_, i) => (i === at ? value : node.inputs[i])) };
};

/** The first input. @throws TemperError `bad-file` where it is absent */
export const inputAt = (node: FileNode, at: number): Value => {
  const value = node.inputs[at];
  if (value) return value;
  throw new TemperError("bad-file", `${describeFileNode(node)}: input ${at} is missing.`);
};

/** A list attribute that became an int64 vector as input `at`. */
export const intsToInput = (node: FileNode, name: string, at: number): FileNode => {
  const values = attributeOf(node, name, "ints");
  return values ? withInput(without(node, name), at, ints(values)) : node;
};

/** A constant scalar of x's element type. */
export const scalarOf = (x: Value, value: number): Value => {
  if (x.dtype === "float32" || x.dtype === "float64" || x.dtype === "int64") return constant(scalar(value, x.dtype));
  throw new TemperError("unsupported", `a scalar bound on ${x.dtype} values cannot be written; convert to float32.`);
};

/** Whether a tensor holds whole numbers or truth values, so that it can say shapes but not be trained. */
export const isFloat = ({ dtype }: Pick<Tensor, "dtype">): boolean => dtype.includes("float");

/** A constant integer or truth value of one element, or undefined. */
export const knownNumber = (value: Value | undefined): number | undefined => {
  const extents = extentsOf(value);
  return extents?.length === 1 && typeof extents[0] === "number" ? extents[0] : undefined;
};
