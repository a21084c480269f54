import { foldConstants, type Graph, mergeCommon, simplify, simplifyAlgebra } from "../../graph/index.ts";
import { decomposeInternal } from "../../ops/index.ts";
import { flipStride1 } from "./flip-stride-1.ts";
import { splitReductions } from "./split-reductions.ts";
import { lowerWeightGrads } from "./weight-grad.ts";

/**
 * The portable lowering for ONNX Runtime on CPUs: simplification, weight gradients as products over patches, data
 * gradients of stride-1 convolutions as convolutions, internal operators written out, sums over the batch first.
 * Standard operators only, any batch size; changes nothing but time (and rounding).
 */
export const lowerForCpu = (graph: Graph): Graph => {
  const plain = decomposeInternal(flipStride1(lowerWeightGrads(simplify(graph))));
  return mergeCommon(foldConstants(splitReductions(simplifyAlgebra(plain))));
};
