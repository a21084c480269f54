import { type DType, type Tensor, TemperError } from "../core/index.ts";
import { type AttributeSpec, type Attributes, type AttributeValues, resolveAttributes } from "./attribute.ts";

/**
 * One dimension: a size, or `-k` for k times the batch size N. The encoding makes the arithmetic of shape rules plain:
 * equality is `===`, a product of dimensions stays right with one symbolic factor, N + N is -2.
 */
export type Dim = number;
export type Shape = readonly Dim[];

/** The dimension N. */
export const BATCH: Dim = -1;

export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** An edge of the graph: output `index` of `node`. Immutable; graphs share values freely. */
export interface Value extends ValueType {
  readonly node: Node;
  readonly index: number;
}

/** An operator applied to values. `id` grows with creation, so ascending ids are a topological order. */
export interface Node {
  readonly id: number;
  /** Name in the file it came from, or empty. Messages and `customVjp` use it. */
  readonly name: string;
  readonly op: AnyOp;
  /** Absent optional inputs are undefined. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
}

/**
 * Inputs as a rule sees them. The first entries are typed as present so that rules can destructure them; the driver has
 * checked the operator's minimum arity, a rule tests optional ones itself.
 */
export type Inputs<T = Value> = readonly [T, T, T, T, T, T, ...T[]];

/** Numbers of a node while it is evaluated in float64; `dtype` says what they stand for (integers are whole numbers). */
export interface Array64 {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface VjpContext<A> {
  readonly node: Node;
  readonly inputs: Inputs;
  readonly outputs: Inputs;
  readonly attributes: A;
  /** Cotangent of output 0. Only valid where output 0 received one; rules of several outputs use `gs`. */
  readonly g: Value;
  /** Cotangent of every output, undefined where nothing flows back to it. */
  readonly gs: readonly (Value | undefined)[];
  /** Whether input i needs a cotangent. A rule may ignore this: unused nodes vanish. */
  readonly needs: readonly boolean[];
  /**
   * Cotangents of all inputs, for operators whose rule is that of other operators.
   * @param written  the outputs in those, as a function of the inputs
   */
  readonly through: (written: (inputs: Inputs) => readonly Value[]) => readonly (Value | undefined)[];
}

/** An element of a small integer tensor known while the graph is built: a number, or so many batch sizes. */
export type Extent = number | { readonly batches: number };

/** An operator: everything that the layers above ask about it. Declared with {@link defineOp}. */
export interface OpType<A = Attributes> {
  readonly name: string;
  /** Operator domain; empty for standard ONNX, `temper` for internal ones that lowering removes. */
  readonly domain: string;
  /** Fewest and most inputs. */
  readonly arity: readonly [number, number];
  readonly attributes: AttributeSpec;
  /** Types of the outputs; the number of entries is the number of outputs. Throws `bad-shape` where inputs do not fit. */
  readonly infer: (inputs: Inputs, attributes: A) => readonly ValueType[];
  /** Cotangents of the inputs (undefined or missing: none), as graph nodes, so that the result is differentiable again. */
  readonly vjp?: (context: VjpContext<A>) => readonly (Value | undefined)[];
  /** Why the derivative is zero or undefined everywhere, in words. Excludes `vjp`: nothing flows through. */
  readonly zeroGradient?: string;
  /** The operator in float64: oracle of the tests, constant folder and reference device. */
  readonly reference?: (inputs: Inputs<Array64>, attributes: A) => readonly Array64[];
  /** Internal operators only: the same in standard ONNX operators. Runs after differentiation, before emission. */
  readonly decompose?: (node: Node, inputs: Inputs) => readonly Value[];
  /** First output that a file leaves out where nothing reads it (the positions of MaxPool). Absent: all are written. */
  readonly optionalFrom?: number;
  /** Operators with a body: how many of their last inputs it reads by name from the graph around it. */
  readonly captured?: (attributes: A) => number;
  /** Elements of the (small, integer) output where they follow from shapes; undefined where they do not. */
  readonly extents?: (inputs: Inputs, attributes: A) => readonly Extent[] | undefined;
}

/** Registries and nodes hold operators of any attribute type; attributes were checked against the spec at creation. */
// oxlint-disable-next-line no-explicit-any
export type AnyOp = OpType<any>;

/** Declares an operator; attribute types of the rules follow from `attributes`. */
export const defineOp = <const S extends AttributeSpec = Record<never, never>>(
  op: Omit<OpType<AttributeValues<S>>, "domain" | "attributes"> & { readonly domain?: string; readonly attributes?: S },
): OpType<AttributeValues<S>> & { readonly attributes: S } => ({
  ...op,
  domain: op.domain ?? "",
  attributes: op.attributes ?? ({} as S),
});

let nextId = 0;

let scope = "";
/**
 * Nodes that `build` emits without a name bear this one, after those of the scopes around it: `layer1.conv1`. Names are
 * for readers, in messages and profiles; no computation depends on them.
 */
export const named = <T>(name: string, build: () => T): T => {
  const outer = scope;
  scope = outer && name ? `${outer}.${name}` : outer || name;
  try {
    return build();
  } finally {
    scope = outer;
  }
};

/** `Conv "layer1/conv"`, for messages. */
export const describeNode = (node: Pick<Node, "op" | "name">): string =>
  node.name ? `${node.op.name} "${node.name}"` : node.op.name;

/**
 * Applies an operator and gives all its outputs.
 *
 * @param given  attributes; missing ones take the operator's defaults
 * @throws TemperError `bad-shape` or `bad-graph`, naming the node
 */
export const emitAll = (
  op: AnyOp,
  inputs: readonly (Value | undefined)[],
  given: Attributes = {},
  ownName = "",
): readonly Value[] => {
  const name = ownName || scope;
  const who = describeNode({ op, name });
  const [fewest, most] = op.arity;
  if (inputs.length > most || inputs.slice(0, fewest).includes(undefined) || inputs.length < fewest)
    throw new TemperError(
      "bad-graph",
      `${who}: wants ${fewest === most ? fewest : `${fewest} to ${most}`} inputs, got ${inputs.filter(Boolean).length}.`,
    );
  const attributes = resolveAttributes(who, op.attributes, given);
  const types = inferTypes(op, who, inputs, attributes);
  const outputs: Value[] = [];
  const node: Node = { id: nextId++, name, op, inputs, attributes, outputs };
  types.forEach(({ dtype, shape }, index) => outputs.push({ node, index, dtype, shape }));
  return outputs;
};

const inferTypes = (op: AnyOp, who: string, inputs: Node["inputs"], attributes: Attributes): readonly ValueType[] => {
  try {
    return op.infer(inputs as unknown as Inputs, attributes);
  } catch (error) {
    if (error instanceof TemperError && !error.message.startsWith(who))
      throw new TemperError(error.code, `${who}: ${error.message}`, { cause: error });
    throw error;
  }
};

/** Applies an operator and gives its first output. */
export const emit = <S extends AttributeSpec>(
  op: AnyOp & { readonly attributes: S },
  inputs: readonly (Value | undefined)[],
  attributes: Partial<AttributeValues<S>> = {},
  name = "",
): Value => emitAll(op, inputs, attributes as Attributes, name)[0]!;

/** A value fed at run time. */
export const Input = defineOp({
  name: "Input",
  domain: "temper",
  arity: [0, 0],
  attributes: { type: { kind: "type" } },
  infer: (_, { type }) => [type!],
});

/** A value known now. */
export const Constant = defineOp({
  name: "Constant",
  arity: [0, 0],
  attributes: { value: { kind: "tensor" } },
  infer: (_, { value }) => [{ dtype: value!.dtype, shape: value!.shape }],
});

/** A graph input. @param shape  dimensions; {@link BATCH} for the batch axis */
export const input = (name: string, dtype: DType, shape: Shape): Value =>
  emit(Input, [], { type: { dtype, shape } }, name);

export const constant = (value: Tensor, name = ""): Value => emit(Constant, [], { value }, name);

/** The tensor of a constant, else undefined. */
export const constantOf = (value: Value | undefined): Tensor | undefined =>
  value?.node.op === Constant ? (value.node.attributes["value"] as Tensor) : undefined;
