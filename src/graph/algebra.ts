import { sameShape, toFloat64 } from "../core/index.ts";
import { type Graph, rewrite } from "./graph.ts";
import { broadcastShapes, intsOf, ints } from "./shape.ts";
import { constantOf, emitAll, type Node, type Value } from "./value.ts";

type Given = readonly (Value | undefined)[];
type Rule = (node: Node, inputs: Given) => Value | undefined;

/**
 * Removes work that does nothing, bit for bit: products with ones, quotients by one, broadcasts that the next operator
 * does anyway, chains of reshapes and of transpositions. Gradients are full of them: every seed is an Expand of 1.
 */
export const simplifyAlgebra = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => {
    if (node.op.domain !== "" || !Object.hasOwn(rules, node.op.name)) return undefined;
    const found = apply(node, inputs);
    return found && [found];
  });

/** Applies rules until none fits: what one leaves may suit another. Each application shortens the chain below. */
const apply = (node: Node, inputs: Given): Value | undefined => {
  const found = rules[node.op.name]!(node, inputs);
  if (!found || !Object.hasOwn(rules, found.node.op.name) || found.node.op.domain !== "") return found;
  return apply(found.node, found.node.inputs) ?? found;
};

/** What an Expand widens, also where a reshape of one and the same number follows; else the value itself. */
const unexpanded = (v: Value): Value => {
  if (isStandard(v, "Expand")) return v.node.inputs[0]!;
  const [inner] = isStandard(v, "Reshape") ? v.node.inputs : [];
  const number = inner && isStandard(inner, "Expand") ? inner.node.inputs[0]! : undefined;
  return number && number.shape.length === 0 ? number : v;
};
const isStandard = ({ node }: Value, name: string): boolean => node.op.name === name && node.op.domain === "";

/** An elementwise operator broadcasts by itself, as long as some operand still has the full shape. */
const withoutExpand: Rule = (node, [a, b]) => {
  const pairs = [
    [unexpanded(a!), unexpanded(b!)],
    [unexpanded(a!), b!],
    [a!, unexpanded(b!)],
  ] as const;
  const fits = pairs.find(
    ([x, y]) =>
      (x !== a || y !== b) && sameShape(broadcastShapes(x.shape, y.shape), broadcastShapes(a!.shape, b!.shape)),
  );
  return fits && emitAll(node.op, fits, node.attributes, node.name)[0];
};

/** Constants with more elements are weights; their numbers are not looked at. */
const MAX_ONES = 4096;
const isOne = (v: Value): boolean => {
  const tensor = constantOf(v),
    count = tensor?.data.length ?? 0;
  return tensor !== undefined && count > 0 && count <= MAX_ONES && toFloat64(tensor).every((x) => x === 1);
};
/** x where the other operand is one and does not widen it. */
const unlessOne = (x: Value, one: Value): Value | undefined =>
  isOne(one) && sameShape(broadcastShapes(x.shape, one.shape), x.shape) ? x : undefined;

const rules: Readonly<Record<string, Rule>> = {
  Mul: (node, inputs) => {
    const [a, b] = inputs as [Value, Value];
    return unlessOne(a, b) ?? unlessOne(b, a) ?? withoutExpand(node, inputs);
  },
  Div: (node, inputs) => unlessOne(inputs[0]!, inputs[1]!) ?? withoutExpand(node, inputs),
  Add: withoutExpand,
  Sub: withoutExpand,
  Neg: (node, [x]) => {
    if (!isStandard(x!, "Expand")) return undefined;
    const [small, shape] = x!.node.inputs;
    return emitAll(x!.node.op, [emitAll(node.op, [small])[0], shape], x!.node.attributes, node.name)[0];
  },
  Reshape: (node, [x, shape]) => {
    if (sameShape(node.outputs[0]!.shape, x!.shape)) return x;
    const target = intsOf(shape);
    if (!isStandard(x!, "Reshape") || !target || target.includes(0)) return undefined;
    return emitAll(node.op, [x!.node.inputs[0], ints(target)], node.attributes, node.name)[0];
  },
  Transpose: (node, [x]) => {
    const order = orderOf(node);
    if (order.every((axis, i) => axis === i)) return x;
    if (!isStandard(x!, "Transpose")) return undefined;
    const inner = orderOf(x!.node);
    return emitAll(node.op, x!.node.inputs, { perm: order.map((axis) => inner[axis]!) }, node.name)[0];
  },
};
const orderOf = ({ attributes, outputs }: Node): readonly number[] =>
  (attributes["perm"] as readonly number[] | undefined) ?? outputs[0]!.shape.map((_, i, { length }) => length - 1 - i);
