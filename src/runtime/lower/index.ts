import { foldConstants, type Graph, mergeCommon, simplify, simplifyAlgebra } from "../../graph/index.ts";
import { decomposeInternal } from "../../ops/index.ts";
import { flipStride1 } from "./flip-stride-1.ts";
import { splitReductions } from "./split-reductions.ts";
import { stridedDataGrad } from "./strided-data-grad.ts";
import { lowerWeightGrads } from "./weight-grad.ts";
import { winogradConvs } from "./winograd.ts";

export { BLOCKED_DOMAIN } from "./blocked.ts";

/** What a lowering may use. */
export interface LowerOptions {
  /**
   * Channels in a block of the runtime's own layout ({@link blockSize}); the graph then belongs to this kind of machine.
   * Default 0: portable, standard operators only.
   */
  readonly block?: number;
  /** Winograd's convolutions where they pay: faster, for large batches, at ten times the rounding error. Default off. */
  readonly winograd?: boolean;
}

/**
 * The lowering for ONNX Runtime on CPUs: simplification, weight gradients as products over patches, data gradients of
 * stride-1 convolutions as convolutions, internal operators written out, sums over the batch first. Any batch size;
 * changes nothing but time (and rounding).
 */
export const lowerForCpu = (graph: Graph, { block = 0, winograd = false }: LowerOptions = {}): Graph => {
  const gradients = flipStride1(lowerWeightGrads(simplify(graph)));
  const fast = block > 0 ? stridedDataGrad(block)(gradients) : gradients;
  const lowered = mergeCommon(foldConstants(splitReductions(simplifyAlgebra(decomposeInternal(fast)))));
  return block > 0 && winograd ? winogradConvs(block)(lowered) : lowered;
};
