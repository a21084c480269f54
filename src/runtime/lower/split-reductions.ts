import { elements, type Graph, intsOf, normalizeAxes, rewrite, type Value } from "../../graph/index.ts";
import { ReduceSum, reduceSum, reshape } from "../../ops/index.ts";

/** Fewer elements are summed before a second thread has begun. */
const MIN_ELEMENTS = 1 << 16;
/** Parts that the rows of a matrix are summed in. */
const MOST_PARTS = 16;

/**
 * Sums over the batch and further axes (gradients of biases) in two steps, the batch last: the runtime sums axis 0 and
 * others at once in one slow loop, but the trailing axes of many rows, and axis 0 alone, with both threads. Sums of the
 * rows of a large matrix likewise, in parts of neighbouring rows: half the time.
 */
export const splitReductions = (graph: Graph): Graph =>
  rewrite(graph, (node, [x, list]) => {
    const axes = x && list && node.op === ReduceSum ? normalizeAxes(intsOf(list) ?? [], x.shape.length) : [];
    if (!x || !axes.includes(0)) return undefined;
    const rest = axes.filter((axis) => axis > 0),
      keep = node.attributes["keepdims"] === 1;
    if (rest.length > 0) return [reduceSum(reduceSum(x, rest, keep), [0], keep)];
    const parts = x.shape.length === 2 ? inParts(x) : undefined;
    return parts && [reduceSum(reduceSum(parts, [1]), [0], keep)];
  });

/** The rows of a large matrix in equal parts [parts, rows, columns]; a batch of several rows each is parted by examples. */
const inParts = (x: Value): Value | undefined => {
  const [rows, columns] = x.shape as [number, number];
  if (rows < 0) return rows < -1 ? reshape(x, [-1, -rows, columns]) : undefined;
  const count = Array.from({ length: MOST_PARTS }, (_, i) => MOST_PARTS - i).find((parts) => rows % parts === 0)!;
  return count > 1 && elements(x.shape) >= MIN_ELEMENTS ? reshape(x, [count, rows / count, columns]) : undefined;
};
