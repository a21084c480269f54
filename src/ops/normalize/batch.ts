import { formatShape, TemperError } from "../../core/index.ts";
import {
  BATCH,
  describeNode,
  elements,
  emit,
  type Graph,
  graphNodes,
  ints,
  intsOf,
  normalizeAxis,
  type Node,
  type Value,
} from "../../graph/index.ts";
import { Expand, Shape_ } from "../broadcast.ts";
import { reshape } from "../reshape.ts";
import { attributeOf, inputAt, type Normalize } from "./node.ts";

/*
 * A file exported for a batch of one, read as if it took any batch. Two things are baked into such files: constant
 * targets of Reshape, and constants that are joined to activations. Everything else is left to the shape rules, which
 * refuse what no longer fits; checkBatch refuses what fits but mixes examples.
 */

/** The axis that grows with the batch, -1 without one. */
const batchAxis = (x: Value): number => x.shape.findIndex((d) => d < 0);

/** [1, 256] on [N, 256] means [N, 256]; [17, 4, 8] on [17, N, 32] means [17, 4N, 8]. */
const openReshape: Normalize = (node) => {
  const x = inputAt(node, 0),
    target = intsOf(node.inputs[1]);
  const at = batchAxis(x);
  if (at < 0 || !target || target.length <= at) return node;
  const allowZero = attributeOf(node, "allowzero", "int") === 1;
  const asked = target.map((d, i) => (d === 0 && !allowZero ? (x.shape[i] ?? 0) : d));
  if (asked[at]! < 0 || asked.some((d, i) => i < at && d !== x.shape[i])) return node;
  const perExample = -elements(x.shape),
    fixed = elements(asked.filter((d) => d > 0));
  const shape = asked.map((d) => (d === -1 ? perExample / fixed : d));
  if (!shape.every(Number.isInteger) || elements(shape) !== perExample) return node;
  return [
    reshape(
      x,
      shape.map((d, i) => (i === at ? -d : d)),
    ),
  ];
};

/** A constant of one example joined to activations (a class token) is repeated for each example. */
const openConcat: Normalize = (node, { emit: emitNode }) => {
  const like = node.inputs.find((v) => v && v.shape[0] === BATCH);
  const axis = attributeOf(node, "axis", "int") ?? 0;
  if (!like || normalizeAxis(axis, like.shape.length) === 0) return node;
  const repeated = (v: Value): Value => {
    const size = emit(Shape_, [like], { start: 0, end: 1 });
    const rest = ints(like.shape.slice(1).map(() => 1));
    const [target] = emitNode({
      ...node,
      name: "",
      inputs: [size, rest],
      attributes: { axis: { kind: "int", value: 0 } },
    });
    return emit(Expand, [v, target]);
  };
  return { ...node, inputs: node.inputs.map((v) => (v && v.shape[0] === 1 ? repeated(v) : v)) };
};

/** Rules for a file with a baked batch of one, applied after {@link normalizations}. */
export const batchOpenings: Readonly<Record<string, Normalize>> = { Concat: openConcat, Reshape: openReshape };

const isActivation = (v: Value | undefined): v is Value =>
  v !== undefined && v.dtype.includes("float") && v.shape.some((d) => d < 0);

/** Operators of one input whose `axis` says where to cut, not over what to compute. */
const CUTTING: ReadonlySet<string> = new Set(["Flatten", "Split"]);
/** Operators that keep the order of the elements and only move the borders of axes. */
const REGROUPING: ReadonlySet<string> = new Set(["Flatten", "Reshape", "Squeeze", "Unsqueeze"]);

/**
 * Whether the examples of a batch still go through the graph one beside the other: no node computes over them, and in
 * an axis that holds the batch and more the batch is outermost, as the opened targets of Reshape take for granted.
 *
 * @throws TemperError `unsupported`, naming the node or output that joins them
 */
export const checkBatch = (graph: Graph): void => {
  for (const node of graphNodes(graph)) {
    const from = node.inputs.filter(isActivation),
      to = node.outputs.filter((v) => v.dtype.includes("float"));
    if (from.length === 0) continue;
    const kept = to.every((y) => isActivation(y) && from.every((x) => sameExamples(node, x, y)));
    if (!kept || (isActivation(node.inputs[0]) && overBatch(node, node.inputs[0])))
      throw new TemperError("unsupported", `${describeNode(node)} computes over the batch axis.`);
  }
  for (const [name, { shape }] of Object.entries(graph.outputs))
    if (shape[0] !== BATCH)
      throw new TemperError(
        "unsupported",
        `output "${name}" would be ${formatShape(shape)}, without the batch in front.`,
      );
};

/** As many rows an example as before; or, where axes are regrouped, as many elements before the batch. */
const sameExamples = ({ op }: Node, x: Value, y: Value): boolean => {
  const before = ({ shape }: Value): number =>
    elements(
      shape.slice(
        0,
        shape.findIndex((d) => d < 0),
      ),
    );
  const rows = ({ shape }: Value): number => shape.find((d) => d < 0)!;
  return REGROUPING.has(op.name) ? before(x) === before(y) : rows(x) === rows(y);
};

const overBatch = (node: Node, x: Value): boolean => {
  const axis = node.attributes["axis"];
  return (
    typeof axis === "number" &&
    !CUTTING.has(node.op.name) &&
    x.shape.length > 0 &&
    x.shape[normalizeAxis(axis, x.shape.length)]! < 0
  );
};
