import { targetGraphs } from "../attack/index.ts";
import type { OptionSpec, OptionValues } from "../core/index.ts";
import { type Graph, withBatch } from "../graph/index.ts";
import { type ModelDefinition, toGraph } from "../models/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { cpuOptions, lowerForCpu, peakWithin, planMemory, residentBytes, tooLittle } from "../runtime/index.ts";
import type { AnyObjective } from "./objective.ts";
import { stepGraphInParts, trainStepGraph } from "./step-graph.ts";

/** What a step is made of. */
export interface StepRequest {
  readonly definition: ModelDefinition;
  readonly objective: AnyObjective;
  readonly objectiveOptions: OptionValues<OptionSpec>;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
  readonly winograd: boolean;
  /** Bytes of resident memory to stay within, 0: no limit; and what the run itself holds of them. */
  readonly memory: number;
  readonly heldBytes: number;
}

/** A step, and how it stays within the memory. */
export interface FittingStep {
  readonly graph: Graph;
  /** Examples of the batch that it, and the inner attack, look at together. */
  readonly rows: number;
  /** For `compile`: bytes that the values of a step may take. */
  readonly memory: number;
}

/**
 * The training step within the memory: with the same bits by gradient checkpointing, where that is enough; else in as few
 * equal parts of the batch as it takes.
 *
 * @throws TemperError `bad-option` where no part is small enough, or parts would train another network: those of a batch
 * have other statistics than the whole
 */
export const stepWithin = async (request: StepRequest): Promise<FittingStep> => {
  const { definition, batchSize, memory } = request,
    whole = stepOf(request, 1);
  if (memory === 0) return whole;
  const bytes = await needed(request, whole);
  if (bytes <= memory) return whole;
  const { peakBytes } = planMemory(await lowered(request, whole), batchSize),
    checkpointed = { ...whole, memory: peakWithin(memory, bytes, peakBytes) },
    least = await needed(request, checkpointed);
  if (least <= memory) return checkpointed;
  if (Object.keys(definition.buffers).length > 0)
    throw tooLittle(
      memory,
      least,
      `a step of ${batchSize} examples takes`,
      ` ${definition.name} normalizes over the batch, so that smaller parts of it would train another network: lower --batch-size where that is meant.`,
    );
  for (let parts = 2; parts <= batchSize; parts++) {
    if (batchSize % parts > 0) continue;
    const step = stepOf(request, parts);
    if ((await needed(request, step)) <= memory) return step;
  }
  throw tooLittle(memory, await needed(request, stepOf(request, batchSize)), "training on one example at a time takes");
};

const stepOf = (request: StepRequest, parts: number): FittingStep => {
  const { definition, objective, objectiveOptions, optimizer, batchSize } = request;
  const graph =
    parts === 1
      ? trainStepGraph(definition, objective, optimizer, objectiveOptions)
      : stepGraphInParts(definition, objective, optimizer, objectiveOptions, { batchSize, parts });
  return { graph, rows: batchSize / parts, memory: 0 };
};

const lowered = async ({ batchSize, winograd }: StepRequest, { graph, memory }: FittingStep): Promise<Graph> => {
  const whole = withBatch(graph, batchSize);
  return lowerForCpu(whole, { ...(await cpuOptions(whole, winograd)), memory });
};

const needed = async (request: StepRequest, step: FittingStep): Promise<number> => {
  const { definition, objective, winograd, heldBytes } = request,
    { rows } = step;
  const attack = objective.inner ? await targetGraphs(toGraph(definition), [objective.inner], { winograd, rows }) : [];
  return residentBytes([await lowered(request, step), ...attack], rows, heldBytes);
};
