import { nearest, type Tensor, TemperError } from "../core/index.ts";
import type { Graph } from "./graph.ts";
import type { ValueType } from "./value.ts";

/** Value of an attribute. `opaque` ones (functions of customVjp) never leave the process. */
export interface AttributeKinds {
  readonly int: number;
  readonly float: number;
  readonly string: string;
  readonly ints: readonly number[];
  readonly floats: readonly number[];
  readonly strings: readonly string[];
  readonly tensor: Tensor;
  readonly graph: Graph;
  readonly type: ValueType;
  readonly opaque: unknown;
}
export type AttributeKind = keyof AttributeKinds;
export type Attribute = AttributeKinds[AttributeKind];
export type Attributes = Readonly<Record<string, Attribute | undefined>>;

/** Kind and, where the operator has one, default. */
export interface AttributeDeclaration<K extends AttributeKind = AttributeKind> {
  readonly kind: K;
  readonly default?: AttributeKinds[K];
}
export type AttributeSpec = Readonly<Record<string, AttributeDeclaration>>;
export type AttributeValues<S extends AttributeSpec> = {
  readonly [K in keyof S]: S[K] extends { kind: infer T extends AttributeKind; default: unknown }
    ? AttributeKinds[T]
    : S[K] extends { kind: infer T extends AttributeKind }
      ? AttributeKinds[T] | undefined
      : never;
};

/** Declarations: `attr.int(1)` has a default, `attr.int()` may be absent. */
const declare =
  <K extends AttributeKind>(kind: K) =>
  <D extends AttributeKinds[K] | undefined = undefined>(
    fallback?: D,
  ): D extends undefined ? { kind: K } : { kind: K; default: AttributeKinds[K] } =>
    (fallback === undefined ? { kind } : { kind, default: fallback }) as never;

export const attr = {
  int: declare("int"),
  float: declare("float"),
  string: declare("string"),
  ints: declare("ints"),
  floats: declare("floats"),
  strings: declare("strings"),
  tensor: declare("tensor"),
  graph: declare("graph"),
  type: declare("type"),
  opaque: declare("opaque"),
};

/** Given attributes with defaults filled in. @throws TemperError `bad-graph`: a name that the operator does not have */
export const resolveAttributes = (who: string, spec: AttributeSpec, given: Attributes): Attributes => {
  for (const name of Object.keys(given))
    if (!Object.hasOwn(spec, name)) {
      const near = nearest(name, Object.keys(spec));
      throw new TemperError("bad-graph", `${who}: has no attribute ${name}.${near ? ` Did you mean ${near}?` : ""}`);
    }
  const values: Record<string, Attribute | undefined> = {};
  for (const [name, { default: fallback }] of Object.entries(spec)) {
    const value = given[name] ?? fallback;
    if (value !== undefined) values[name] = value;
  }
  return values;
};
