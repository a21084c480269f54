import { targetGraphs } from "../attack/index.ts";
import type { Graph } from "../graph/index.ts";
import { toGraph } from "../models/index.ts";
import { statisticsGraph } from "../optim/index.ts";
import { cpuOptions, lowerForCpu, peakWithin, planMemory, residentBytes, tooLittle } from "../runtime/index.ts";
import { renews } from "./averages.ts";
import { type StepProgram, type StepSpec, trainStep } from "./step-graph.ts";

/** A step, and the memory that it is to fit into. */
export interface StepRequest extends StepSpec {
  /** Bytes that the run itself holds. */
  readonly heldBytes: number;
  /** Whether the network is also attacked from outside, after epochs. */
  readonly validated: boolean;
}

/** A step, and how it stays within the memory. */
export interface FittingStep extends StepProgram {
  /** Examples of the batch that it, and validation, look at together. */
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
  const { model, settings } = request,
    { batchSize, memory } = settings,
    whole = stepOf(request, 1);
  if (memory === 0) return whole;
  const bytes = await needed(request, whole);
  if (bytes <= memory) return whole;
  const { peakBytes } = planMemory(await lowered(request, whole), batchSize),
    checkpointed = { ...whole, memory: peakWithin(memory, bytes, peakBytes) },
    least = await needed(request, checkpointed);
  if (least <= memory) return checkpointed;
  if (Object.keys(model.buffers).length > 0)
    throw tooLittle(
      memory,
      least,
      `a step of ${batchSize} examples takes`,
      ` ${model.name} normalizes over the batch, so that smaller parts of it would train another network: lower --batch-size where that is meant.`,
    );
  for (let parts = 2; parts <= batchSize; parts++) {
    if (batchSize % parts > 0) continue;
    const step = stepOf(request, parts);
    if ((await needed(request, step)) <= memory) return step;
  }
  throw tooLittle(memory, await needed(request, stepOf(request, batchSize)), "training on one example at a time takes");
};

const stepOf = (request: StepRequest, parts: number): FittingStep => ({
  ...trainStep({ ...request, parts }),
  rows: request.settings.batchSize / parts,
  memory: 0,
});

const lowered = async ({ settings }: StepRequest, { graph, memory }: FittingStep): Promise<Graph> =>
  lowerForCpu(graph, { ...(await cpuOptions(graph, settings.winograd)), memory });

const needed = async (request: StepRequest, step: FittingStep): Promise<number> => {
  const { model, settings, heldBytes, validated } = request,
    { rows } = step;
  const attack = validated
    ? await targetGraphs(toGraph(model), ["cross-entropy"], { winograd: settings.winograd, rows })
    : [];
  const statistics = renews(settings.average, model)
    ? [lowerForCpu(statisticsGraph(model), await cpuOptions(statisticsGraph(model), false))]
    : [];
  return residentBytes([await lowered(request, step), ...attack, ...statistics], rows, heldBytes);
};
