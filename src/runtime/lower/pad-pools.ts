import { emitAll, type Graph, ints, rewrite, useCounts, type Value } from "../../graph/index.ts";
import { AveragePool, MaxPool, Pad } from "../../ops/index.ts";

/**
 * Margins that a pool reads name their axes. ONNX Runtime makes others a part of the pool, where a maximum does not see
 * their zeros, and where it refuses margins as large as the kernel.
 */
export const padPools = (graph: Graph): Graph => {
  const uses = useCounts(graph);
  return rewrite(graph, (node, [x, ...rest]) => {
    if ((node.op !== MaxPool && node.op !== AveragePool) || x?.node.op !== Pad || uses.get(node.inputs[0]!) !== 1)
      return undefined;
    const [image, margins, value, axes] = x.node.inputs as readonly [Value, Value, Value?, Value?];
    if (axes) return undefined;
    const all = ints(image.shape.map((_, axis) => axis));
    const padded = emitAll(Pad, [image, margins, value, all], x.node.attributes, x.node.name)[0]!;
    return emitAll(node.op, [padded, ...rest], node.attributes, node.name);
  });
};
