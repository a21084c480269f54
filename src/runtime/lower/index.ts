import { foldConstants, type Graph, mergeCommon, simplify, simplifyAlgebra } from "../../graph/index.ts";
import { decomposeInternal } from "../../ops/index.ts";
import { flipStride1 } from "./flip-stride-1.ts";
import { splitReductions } from "./split-reductions.ts";
import { stridedDataGrad } from "./strided-data-grad.ts";
import { lowerWeightGrads } from "./weight-grad.ts";

export { BLOCKED_DOMAIN } from "./blocked.ts";

/**
 * The lowering for ONNX Runtime on CPUs: simplification, weight gradients as products over patches, data gradients of
 * stride-1 convolutions as convolutions, internal operators written out, sums over the batch first. Any batch size;
 * changes nothing but time (and rounding).
 *
 * @param block  channels in a block of the runtime's own layout ({@link blockSize}): data gradients of strided
 *   convolutions use it too, and the graph belongs to this kind of machine. Default 0: portable, standard operators only.
 */
export const lowerForCpu = (graph: Graph, block = 0): Graph => {
  const gradients = flipStride1(lowerWeightGrads(simplify(graph)));
  const fast = block > 0 ? stridedDataGrad(block)(gradients) : gradients;
  return mergeCommon(foldConstants(splitReductions(simplifyAlgebra(decomposeInternal(fast)))));
};
