import { targetGraphs } from "../attack/index.ts";
import type { OptionSpec, OptionValues } from "../core/index.ts";
import { type Graph, withBatch } from "../graph/index.ts";
import { type ModelDefinition, toGraph } from "../models/index.ts";
import type { Optimizer } from "../optim/index.ts";
import { cpuOptions, lowerForCpu, residentBytes, tooLittle } from "../runtime/index.ts";
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

/** A step, and the examples of the batch that it, and the inner attack, look at together. */
export interface FittingStep {
  readonly graph: Graph;
  readonly rows: number;
}

/**
 * The training step in as few equal parts of the batch as the memory asks for.
 *
 * @throws TemperError `bad-option` where no part is small enough, or parts would train another network: those of a batch
 * have other statistics than the whole
 */
export const stepWithin = async (request: StepRequest): Promise<FittingStep> => {
  const { definition, batchSize, memory } = request;
  if (memory === 0) return stepOf(request, 1);
  const whole = await needed(request, 1);
  if (whole <= memory) return stepOf(request, 1);
  if (Object.keys(definition.buffers).length > 0)
    throw tooLittle(
      memory,
      whole,
      `a step of ${batchSize} examples takes`,
      ` ${definition.name} normalizes over the batch, so that smaller parts of it would train another network: lower --batch-size where that is meant.`,
    );
  for (let parts = 2; parts <= batchSize; parts++)
    if (batchSize % parts === 0 && (await needed(request, parts)) <= memory) return stepOf(request, parts);
  throw tooLittle(memory, await needed(request, batchSize), "training on one example at a time takes");
};

const stepOf = (request: StepRequest, parts: number): FittingStep => {
  const { definition, objective, objectiveOptions, optimizer, batchSize } = request;
  const graph =
    parts === 1
      ? trainStepGraph(definition, objective, optimizer, objectiveOptions)
      : stepGraphInParts(definition, objective, optimizer, objectiveOptions, { batchSize, parts });
  return { graph, rows: batchSize / parts };
};

const needed = async (request: StepRequest, parts: number): Promise<number> => {
  const { definition, objective, batchSize, winograd, heldBytes } = request,
    { graph, rows } = stepOf(request, parts);
  const whole = withBatch(graph, batchSize),
    step = lowerForCpu(whole, await cpuOptions(whole, winograd));
  const attack = objective.inner ? await targetGraphs(toGraph(definition), [objective.inner], { winograd, rows }) : [];
  return residentBytes([step, ...attack], rows, heldBytes);
};
