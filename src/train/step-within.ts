import { targetGraphs } from "../attack/index.ts";
import { toGraph } from "../models/index.ts";
import { cpuOptions, lowerForCpu, residentBytes, tooLittle } from "../runtime/index.ts";
import { type StepProgram, type StepSpec, trainStep } from "./step-graph.ts";

/** A step, and the memory that it is to fit into. */
export interface StepRequest extends StepSpec {
  /** Bytes that the run itself holds. */
  readonly heldBytes: number;
  /** Whether the network is also attacked from outside, after epochs. */
  readonly validated: boolean;
}

/** A step, and the examples of the batch that it, and validation, look at together. */
export interface FittingStep extends StepProgram {
  readonly rows: number;
}

/**
 * The training step in as few equal parts of the batch as the memory asks for.
 *
 * @throws TemperError `bad-option` where no part is small enough, or parts would train another network: those of a batch
 * have other statistics than the whole
 */
export const stepWithin = async (request: StepRequest): Promise<FittingStep> => {
  const { model, settings } = request,
    { batchSize, memory } = settings;
  if (memory === 0) return stepOf(request, 1);
  const whole = await needed(request, 1);
  if (whole <= memory) return stepOf(request, 1);
  if (Object.keys(model.buffers).length > 0)
    throw tooLittle(
      memory,
      whole,
      `a step of ${batchSize} examples takes`,
      ` ${model.name} normalizes over the batch, so that smaller parts of it would train another network: lower --batch-size where that is meant.`,
    );
  for (let parts = 2; parts <= batchSize; parts++)
    if (batchSize % parts === 0 && (await needed(request, parts)) <= memory) return stepOf(request, parts);
  throw tooLittle(memory, await needed(request, batchSize), "training on one example at a time takes");
};

const stepOf = (request: StepRequest, parts: number): FittingStep => ({
  ...trainStep({ ...request, parts }),
  rows: request.settings.batchSize / parts,
});

const needed = async (request: StepRequest, parts: number): Promise<number> => {
  const { model, settings, heldBytes, validated } = request,
    { winograd } = settings,
    { graph, rows } = stepOf(request, parts);
  const step = lowerForCpu(graph, await cpuOptions(graph, winograd));
  const attack = validated ? await targetGraphs(toGraph(model), ["cross-entropy"], { winograd, rows }) : [];
  return residentBytes([step, ...attack], rows, heldBytes);
};
