import { formatShape, sameShape, TemperError } from "../core/index.ts";
import {
  describeNode,
  elements,
  input,
  type Inputs,
  named,
  type Node,
  nodesOf,
  rewriteValues,
  type Value,
  type VjpContext,
} from "../graph/index.ts";
import { add, expandTo, scalarLike } from "../ops/index.ts";

const isFloat = (v: Value): boolean => v.dtype.startsWith("float");

/** A tensor of zeros (or another number) shaped like a value, batch axis included. */
export const filledLike = (like: Value, value: number): Value => expandTo(scalarLike(like, value), like);

/** Nodes among `order` that depend on one of `xs`. */
const dependents = (order: readonly Node[], xs: ReadonlySet<Value>): Set<Node> => {
  const found = new Set<Node>();
  const active = (v: Value | undefined): boolean => v !== undefined && (xs.has(v) || found.has(v.node));
  for (const node of order) if (node.inputs.some(active)) found.add(node);
  return found;
};

/**
 * Product of cotangents with the Jacobian of `ys` with respect to each of `xs`, as graph nodes.
 *
 * @param ys     values to differentiate
 * @param seeds  cotangent of each of `ys`, of its shape; undefined: none
 * @param xs     values to differentiate by: inputs, weights or inner values of the graph
 * @returns one value per entry of `xs`, of its shape; undefined where nothing flows back to it. Their nodes are named
 *   after those that they differentiate: `conv1.grad`
 * @throws TemperError `no-rule`: an operator on the way has no VJP rule; raised only if a gradient reaches it
 * Source: reverse accumulation, Linnainmaa 1970. Differs: cotangents are graph nodes, so it can be applied again.
 */
export const vjp = (
  ys: readonly Value[],
  seeds: readonly (Value | undefined)[],
  xs: readonly Value[],
): (Value | undefined)[] => {
  const cotangents = new Map<Value, Value>();
  const accumulate = (v: Value, g: Value): void => {
    const before = cotangents.get(v);
    cotangents.set(v, before ? add(before, g) : g);
  };
  ys.forEach((y, i) => {
    const seed = seeds[i];
    if (!seed) return;
    if (!sameShape(seed.shape, y.shape))
      throw new TemperError(
        "bad-shape",
        `vjp: the seed of ${describeNode(y.node)} must be ${formatShape(y.shape)}, got ${formatShape(seed.shape)}.`,
      );
    accumulate(y, seed);
  });
  const wanted = new Set(xs);
  const order = nodesOf(ys);
  const active = dependents(order, wanted);
  for (const node of order.reverse()) {
    if (!active.has(node)) continue;
    const gs = node.outputs.map((v) => cotangents.get(v));
    if (!gs.some(Boolean)) continue;
    const needs = node.inputs.map((v) => v !== undefined && isFloat(v) && (wanted.has(v) || active.has(v.node)));
    if (!needs.some(Boolean)) continue;
    named(node.name && `${node.name}.grad`, () =>
      pullBack(node, gs, needs).forEach((g, i) => {
        if (g && needs[i]) accumulate(node.inputs[i]!, g);
      }),
    );
  }
  return xs.map((x) => cotangents.get(x));
};

const pullBack = (
  node: Node,
  gs: readonly (Value | undefined)[],
  needs: readonly boolean[],
): readonly (Value | undefined)[] => {
  const { op } = node;
  if (op.zeroGradient !== undefined) return [];
  if (!op.vjp)
    throw new TemperError(
      "no-rule",
      `${describeNode(node)} has no gradient rule, and a gradient flows through it. Give it one with customVjp, or cut the path with stopGradient.`,
    );
  const context = {
    node,
    inputs: node.inputs,
    outputs: node.outputs,
    attributes: node.attributes,
    g: gs[0],
    gs,
    needs,
    through: (written: (inputs: Inputs) => readonly Value[]) => pullThrough(node, gs, written),
  };
  const result = op.vjp(context as unknown as VjpContext<unknown>);
  result.forEach((g, i) => {
    const x = node.inputs[i];
    if (g && x && needs[i] && !sameShape(g.shape, x.shape))
      throw new TemperError(
        "bad-graph",
        `${describeNode(node)}: its gradient rule gives ${formatShape(g.shape)} for input ${i} of ${formatShape(x.shape)}.`,
      );
  });
  return result;
};

/** On inputs of its own, then put in the place of those: what they have in common is no part of the operator. */
const pullThrough = (
  { inputs }: Node,
  gs: readonly (Value | undefined)[],
  written: (inputs: Inputs) => readonly Value[],
): readonly (Value | undefined)[] => {
  const own = inputs.map((v, i) => v && input(`input${i}`, v.dtype, v.shape)),
    given = own.flatMap((v) => v ?? []);
  const pulled = vjp(written(own as unknown as Inputs), gs, given),
    places = new Map(given.map((v) => [v, inputs[own.indexOf(v)]!]));
  const [known, values] = [given.filter((_, i) => pulled[i]), pulled.filter((v) => v !== undefined)],
    replaced = rewriteValues(values, () => undefined, places);
  return own.map((v) => v && replaced[known.indexOf(v)]);
};

/**
 * Gradient of a scalar with respect to each of `xs`; zeros where it does not depend on one.
 * @throws TemperError `bad-shape` where `y` has more than one element
 */
export const grad = (y: Value, xs: readonly Value[]): Value[] => {
  if (elements(y.shape) !== 1)
    throw new TemperError(
      "bad-shape",
      `grad: wants a scalar, got ${formatShape(y.shape)}. Sum it, or use vjp with a seed.`,
    );
  return vjp([y], [filledLike(y, 1)], xs).map((g, i) => g ?? filledLike(xs[i]!, 0));
};

/**
 * Product of the Jacobian of `ys` with the tangents of `xs`: derivative of `ys` along a direction.
 *
 * @returns one value per entry of `ys`; zeros where it does not depend on `xs`
 * Source: the VJP is linear in its seed; its own VJP with respect to the seed is the JVP (Townsend 2017).
 */
export const jvp = (ys: readonly Value[], xs: readonly Value[], tangents: readonly Value[]): Value[] => {
  const seeds = ys.map((y, i) => input(`seed${i}`, y.dtype, y.shape));
  const pulled = vjp(ys, seeds, xs);
  const linear = pulled.map((g) => g && ([g] as const));
  const products = vjp(
    linear.flatMap((g) => g ?? []),
    tangents.filter((_, i) => linear[i]),
    seeds,
  );
  // The derivative of a function linear in the seed cannot hold the seed: what is left of it is multiplied by zero.
  const zero = new Map(seeds.map((s, i) => [s, filledLike(ys[i]!, 0)]));
  return products.map((v, i) => (v ? rewriteValues([v], () => undefined, zero)[0]! : filledLike(ys[i]!, 0)));
};

/** Hessian of the scalar `y` times the direction `vs` (one value an entry of `xs`). */
export const hvp = (y: Value, xs: readonly Value[], vs: readonly Value[]): Value[] => {
  const first = grad(y, xs);
  return vjp(first, vs, xs).map((g, i) => g ?? filledLike(xs[i]!, 0));
};
