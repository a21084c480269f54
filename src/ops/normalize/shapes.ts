import {
  elements,
  emit,
  extentsOf,
  foldConstants,
  type Graph,
  ints,
  type Node,
  rewrite,
  type Value,
} from "../../graph/index.ts";
import { constantOf } from "../../graph/index.ts";
import { Expand } from "../broadcast.ts";
import { Reshape } from "../reshape.ts";

/**
 * Shape arithmetic of exporters, resolved: integers that follow from shapes become constants, and targets of Reshape and
 * Expand that hold the batch size are written so that they need not know it (-1, or 1 where x has the axis already).
 */
export const simplifyShapes = (graph: Graph): Graph =>
  rewrite(foldConstants(graph), (node, inputs) => {
    const [x, target] = inputs;
    if (!x || !target || constantOf(target) || !extentsOf(target)) return undefined;
    if (node.op === Reshape) return reshaped(node, x);
    if (node.op === Expand) return expanded(node, x, target);
    return undefined;
  });

const reshaped = (node: Node, x: Value): Value[] | undefined => {
  const { shape } = node.outputs[0]!;
  if (shape.includes(0) || shape.filter((d) => d < 0).length > 1 || elements(shape) !== elements(x.shape))
    return undefined;
  return [emit(Reshape, [x, ints(shape.map((d) => (d < 0 ? -1 : d)))], {}, node.name)];
};

const expanded = (node: Node, x: Value, target: Value): Value[] | undefined => {
  const extents = extentsOf(target)!;
  const shift = x.shape.length - extents.length;
  const fixed = extents.map((e, i) => (typeof e === "number" ? e : x.shape[i + shift] === -e.batches ? 1 : undefined));
  return fixed.every((d) => d !== undefined) ? [emit(Expand, [x, ints(fixed)], {}, node.name)] : undefined;
};
