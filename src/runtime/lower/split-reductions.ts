import { type Graph, intsOf, normalizeAxes, rewrite } from "../../graph/index.ts";
import { ReduceSum, reduceSum } from "../../ops/index.ts";

/**
 * Sums over the batch and further axes (gradients of biases) in two steps, the batch last: the runtime sums axis 0 and
 * others at once in one slow loop, but the trailing axes of many rows, and axis 0 alone, with both threads.
 */
export const splitReductions = (graph: Graph): Graph =>
  rewrite(graph, (node, [x, list]) => {
    const axes = x && list && node.op === ReduceSum ? normalizeAxes(intsOf(list) ?? [], x.shape.length) : [];
    const rest = axes.filter((axis) => axis > 0);
    if (!x || !axes.includes(0) || rest.length === 0) return undefined;
    const keep = node.attributes["keepdims"] === 1;
    return [reduceSum(reduceSum(x, rest, keep), [0], keep)];
  });
