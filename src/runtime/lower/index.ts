import { foldConstants, type Graph, mergeCommon, simplify } from "../../graph/index.ts";
import { decomposeInternal } from "../../ops/index.ts";
import { flipStride1 } from "./flip-stride-1.ts";
import { lowerWeightGrads } from "./weight-grad.ts";

/**
 * The portable lowering for ONNX Runtime on CPUs: simplification, weight gradients as products over patches, internal
 * operators written out, data gradients of stride-1 convolutions as convolutions. Standard operators only, any batch
 * size; changes nothing but time (and rounding).
 */
export const lowerForCpu = (graph: Graph): Graph =>
  mergeCommon(foldConstants(decomposeInternal(flipStride1(lowerWeightGrads(simplify(graph))))));
