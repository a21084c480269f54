import { TemperError } from "../core/index.ts";
import {
  attr,
  defineOp,
  emitAll,
  emit,
  type Graph,
  graphNodes,
  type Inputs,
  isGraph,
  rewrite,
  type Value,
} from "../graph/index.ts";

/** Cotangents of the inputs, from the inputs, the output and the output's cotangent. */
export type CustomRule = (context: {
  readonly inputs: readonly Value[];
  readonly output: Value;
  readonly g: Value;
}) => readonly (Value | undefined)[];

/** First input passed through; gradients skip it and follow the rule to the others. Removed by lowering. */
const CustomVjp = defineOp({
  name: "CustomVjp",
  domain: "temper",
  arity: [1, Infinity],
  attributes: { rule: attr.opaque() },
  infer: ([y]) => [{ dtype: y.dtype, shape: y.shape }],
  vjp: ({ g, inputs: [y, ...xs], attributes: { rule } }) => [
    undefined,
    ...(rule as CustomRule)({ inputs: xs as Value[], output: y, g }),
  ],
  reference: ([y]) => [y],
  decompose: (_, [y]) => [y],
});

/**
 * A function with its own gradient rule: straight-through estimators, implicit layers, stabler formulas.
 *
 * @param f     builds the output from the inputs
 * @param rule  cotangents of the inputs; replaces whatever the operators inside `f` would give
 */
export const customVjp =
  (f: (...xs: Value[]) => Value, rule: CustomRule) =>
  (...xs: Value[]): Value =>
    emit(CustomVjp, [f(...xs), ...xs], { rule });

/**
 * Gives a named node of a graph (an imported model, for example) its own gradient rule.
 * @throws TemperError `not-found`, listing the nodes of nearby names; `unsupported` for nodes of several outputs
 */
export const overrideVjp = (graph: Graph, nodeName: string, rule: CustomRule): Graph => {
  const names = graphNodes(graph).map((n) => n.name);
  if (!names.includes(nodeName))
    throw new TemperError(
      "not-found",
      `${graph.name} has no node "${nodeName}". Known: ${names.filter(Boolean).slice(0, 20).join(", ")}.`,
    );
  return rewrite(graph, (node, inputs) => {
    if (node.name !== nodeName) return undefined;
    if (node.outputs.length !== 1)
      throw new TemperError(
        "unsupported",
        `customVjp on ${nodeName}: a node of ${node.outputs.length} outputs cannot take one rule.`,
      );
    const y = emitAll(node.op, inputs, node.attributes, node.name)[0]!;
    return [emit(CustomVjp, [y, ...inputs.filter((v) => v !== undefined)], { rule })];
  });
};

const StopGradient = defineOp({
  name: "StopGradient",
  domain: "temper",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  zeroGradient: "stopGradient cuts the path on purpose",
  reference: ([x]) => [x],
  decompose: (_, [x]: Inputs) => [x],
});

/** x, as a constant to differentiation. */
export const stopGradient = (x: Value): Value => emit(StopGradient, [x]);

/** The graph, and those inside, without what only differentiation reads: rules of its own, and paths that are cut. */
export const withoutRules = (graph: Graph): Graph =>
  rewrite(graph, ({ op, attributes, name }, inputs) => {
    if (op === CustomVjp || op === StopGradient) return [inputs[0]!];
    const bodies = Object.entries(attributes).flatMap(([key, body]) =>
      isGraph(body) ? [[key, withoutRules(body)] as const] : [],
    );
    return bodies.length > 0 ? emitAll(op, inputs, { ...attributes, ...Object.fromEntries(bodies) }, name) : undefined;
  });
