import { withoutRules } from "../../autodiff/index.ts";
import {
  emitAll,
  foldConstants,
  type Graph,
  mergeCommon,
  rewrite,
  simplify,
  simplifyAlgebra,
} from "../../graph/index.ts";
import { decomposeInternal, Loop, Scan } from "../../ops/index.ts";
import { blockedConvs } from "./blocked-convs.ts";
import { blockedLayout } from "./blocked-layout.ts";
import { blockedWeightGrad } from "./blocked-weight-grad.ts";
import { channelTransposes } from "./channel-transposes.ts";
import { checkpoints } from "./checkpoints.ts";
import { flipStride1 } from "./flip-stride-1.ts";
import { loopInvariants } from "./loop-invariants.ts";
import { packedWeights } from "./packed.ts";
import { padPools } from "./pad-pools.ts";
import { phaseDataGrad } from "./phase-data-grad.ts";
import { recurrentGradients } from "./recurrent.ts";
import { rowMoves } from "./row-moves.ts";
import { smallBatch } from "./small-batch.ts";
import { splitReductions } from "./split-reductions.ts";
import { stridedDataGrad } from "./strided-data-grad.ts";
import { trailingOnes } from "./trailing-ones.ts";
import { lowerWeightGrads } from "./weight-grad.ts";
import { MIN_CHANNELS, winogradConvs } from "./winograd.ts";

export { BLOCKED_DOMAIN } from "./blocked.ts";
export { MIN_CHANNELS } from "./winograd.ts";
export { isPackable, packEnds, packTensor, unpackTensor } from "./packed.ts";

/** Winograd's convolutions where they pay, or from so many channels on. True: the default of most machines, 64. */
export type Winograd = boolean | { readonly minChannels: number };

/** What a lowering may use. */
export interface LowerOptions {
  /**
   * Channels in a block of the runtime's own layout ({@link blockSize}); the graph then belongs to this kind of machine.
   * Default 0: portable, standard operators only.
   */
  readonly block?: number;
  /** Winograd's convolutions where they pay: faster, for large batches, at ten times the rounding error. Default off. */
  readonly winograd?: Winograd;
  /** Bytes that the values of a run may take at their peak, by making some of them twice. Default 0: no limit. */
  readonly memory?: number;
}

/** A step of the lowering: the same numbers, to rounding, in less time. */
export interface Pass {
  readonly name: string;
  readonly summary: string;
  /** Whether it runs under these options. Default: always. */
  readonly when?: (options: Required<LowerOptions>) => boolean;
  readonly run: (graph: Graph, options: Required<LowerOptions>) => Graph;
}

/** A pass that needs to know the runtime's block. */
const blockedPass = (name: string, summary: string, pass: (block: number) => (graph: Graph) => Graph): Pass => ({
  name,
  summary,
  when: ({ block }) => block > 0,
  run: (graph, { block }) => pass(block)(graph),
});

const minChannelsOf = (winograd: Winograd): number =>
  typeof winograd === "boolean" ? MIN_CHANNELS : winograd.minChannels;

/** The lowering for ONNX Runtime on CPUs, in order. `temper inspect --passes` shows what each does to a graph. */
export const cpuPasses: readonly Pass[] = [
  {
    name: "bodies",
    summary: "the graphs inside of loops, by all passes",
    run: (graph, options) => bodies(graph, options),
  },
  {
    name: "loop-invariants",
    summary: "what loops make of values that never change, made before them",
    run: loopInvariants,
  },
  {
    name: "simplify",
    summary: "constants folded, batch norms folded into convolutions, equal nodes merged",
    run: (graph) => simplify(withoutRules(graph)),
  },
  {
    name: "recurrent-gradients",
    summary: "gradients of recurrent networks as loops, one forward and one back",
    run: recurrentGradients,
  },
  {
    name: "winograd",
    summary:
      "wide 3x3 convolutions of stride 1, and their gradients, by Winograd's F(4x4, 3x3), in a layout with the batch innermost",
    when: ({ block, winograd }) => block > 0 && winograd !== false,
    run: (graph, { block, winograd }) => winogradConvs(block, minChannelsOf(winograd))(graph),
  },
  blockedPass(
    "small-batches",
    "gradients of convolutions whose weights are larger than their images, in the order of the weights",
    smallBatch,
  ),
  blockedPass(
    "blocked-weight-gradients",
    "weight gradients of convolutions as one blocked convolution each, where the batch size is known",
    blockedWeightGrad,
  ),
  {
    name: "weight-gradients",
    summary: "weight gradients of convolutions as matrix products over gathered patches",
    run: (graph, { block }) => lowerWeightGrads(block)(graph),
  },
  blockedPass(
    "blocked-convolutions",
    "convolutions with fed weights, and their data gradients of stride 1, in the runtime's blocked layout",
    blockedConvs,
  ),
  {
    name: "flip-stride-1",
    summary: "data gradients of stride-1 convolutions as convolutions with flipped weights",
    run: flipStride1,
  },
  blockedPass(
    "strided-data-gradients",
    "data gradients of strided convolutions as one blocked convolution for all phases",
    stridedDataGrad,
  ),
  blockedPass(
    "phase-data-gradients",
    "the other data gradients of strided convolutions as one blocked convolution a phase",
    phaseDataGrad,
  ),
  blockedPass(
    "packed-weights",
    "weights and optimizer states that are fed in the order of blocks stay in it",
    packedWeights,
  ),
  { name: "decompose", summary: "internal operators written out in standard ones", run: decomposeInternal },
  { name: "algebra", summary: "products with ones, broadcasts and chains of reshapes removed", run: simplifyAlgebra },
  {
    name: "split-reductions",
    summary: "sums over the batch and further axes in two steps, the batch last; those of many rows in parts",
    run: splitReductions,
  },
  blockedPass(
    "channel-transposes",
    "transpositions that move channels, by way of the runtime's blocked layout",
    channelTransposes,
  ),
  { name: "fold", summary: "constants folded", run: foldConstants },
  { name: "merge", summary: "equal nodes merged", run: mergeCommon },
  blockedPass(
    "blocked-layout",
    "the runtime's blocked layout for all that lies between blocked convolutions",
    blockedLayout,
  ),
  {
    name: "trailing-ones",
    summary: "last axes of size 1 taken off operands that are broadcast",
    run: trailingOnes,
  },
  {
    name: "tidy",
    summary: "chains of reshapes and equal nodes that the layouts left",
    when: ({ block }) => block > 0,
    run: (graph) => mergeCommon(simplifyAlgebra(graph)),
  },
  {
    name: "row-moves",
    summary: "transpositions that leave rows whole, as gathers of the rows",
    run: rowMoves,
  },
  {
    name: "pad-pools",
    summary: "margins before pools in a form that the runtime does not join with them",
    run: padPools,
  },
  {
    name: "checkpoints",
    summary:
      "values of the forward pass made once more for the way back: cheap ones, and what a limit of memory asks for",
    run: (graph, { memory }) => checkpoints(memory)(graph),
  },
];

const bodies = (graph: Graph, options: Required<LowerOptions>): Graph =>
  rewrite(graph, ({ op, attributes, name }, inputs) =>
    op === Scan || op === Loop
      ? emitAll(op, inputs, { ...attributes, body: lowerForCpu(attributes["body"] as Graph, options) }, name)
      : undefined,
  );

export interface LoweringStep {
  readonly pass: Pass;
  /** The graph after the pass. */
  readonly graph: Graph;
  readonly seconds: number;
}

/** Every pass that runs under the options, with the graph that it leaves. */
export const loweringSteps = (
  graph: Graph,
  { block = 0, winograd = false, memory = 0 }: LowerOptions = {},
): LoweringStep[] => {
  const options = { block, winograd, memory };
  let current = graph;
  return cpuPasses
    .filter(({ when }) => when?.(options) ?? true)
    .map((pass) => {
      const began = performance.now();
      current = pass.run(current, options);
      return { pass, graph: current, seconds: (performance.now() - began) / 1000 };
    });
};

/** The graph after all passes: any batch size; changes nothing but time (and rounding). */
export const lowerForCpu = (graph: Graph, options?: LowerOptions): Graph => loweringSteps(graph, options).at(-1)!.graph;
