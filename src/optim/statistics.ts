import { scalar, type Tensor, TemperError, zeros } from "../core/index.ts";
import { BATCH, createGraph, type Graph, input } from "../graph/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import type { CompileOptions, Runtime } from "../runtime/index.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/**
 * Batch statistics of a network as running ones: inputs `input` [N, C, H, W], `share` (that of this batch in the result,
 * 1/t of the t-th), parameters and buffers by name; outputs `next.<buffer>`.
 */
export const statisticsGraph = (definition: ModelDefinition): Graph => {
  const x = input("input", "float32", [BATCH, ...definition.inputShape]),
    share = input("share", "float32", []);
  const specs = Object.entries({ ...definition.parameters, ...definition.buffers });
  const weights = Object.fromEntries(specs.map(([name, { shape }]) => [name, input(name, "float32", shape)]));
  const { updates } = definition.apply(weights, x, { training: true, share });
  const next = Object.entries(updates).map(([name, value]) => [`next.${name}`, value] as const);
  return createGraph(`${definition.name}.statistics`, [x, share, ...Object.values(weights)], Object.fromEntries(next));
};

/**
 * Running statistics anew, as the mean over batches: what averaged or perturbed weights need before they are used.
 *
 * @param batches  inputs [N, C, H, W] of one size
 * @returns the buffers by name; none where the network keeps none
 * @throws TemperError `bad-data` where there is no batch
 * Source: Izmailov et al. 2018, section 3.2
 */
export const reestimate = async (
  runtime: Runtime,
  definition: ModelDefinition,
  parameters: Tensors,
  batches: Iterable<Tensor> | AsyncIterable<Tensor>,
  options: CompileOptions = {},
): Promise<Tensors> => {
  const specs = Object.entries(definition.buffers);
  if (specs.length === 0) return {};
  using program = await runtime.compile(statisticsGraph(definition), options);
  let buffers: Tensors = Object.fromEntries(specs.map(([name, { shape }]) => [name, zeros("float32", shape)]));
  let count = 0;
  for await (const batch of batches) {
    const next = await program.run({ ...parameters, ...buffers, input: batch, share: scalar(1 / ++count) });
    buffers = Object.fromEntries(specs.map(([name]) => [name, next[`next.${name}`]!]));
  }
  if (count === 0) throw new TemperError("bad-data", `${definition.name}: statistics need at least one batch.`);
  return buffers;
};
