import { type AnyAttack, attacks, targetGraphs } from "../attack/index.ts";
import { lookup, sizeOf } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import type { LossName } from "../loss/index.ts";
import { batchWithin, type Winograd } from "../runtime/index.ts";
import type { AttackSpec } from "./protocol.ts";

/** Examples a batch: about a quarter million input elements, the measured sweet spot of small and of larger networks. */
export const defaultBatch = (shape: readonly number[]): number =>
  Math.min(256, Math.max(16, 2 ** Math.floor(Math.log2(262144 / sizeOf(shape)))));

/** Arrays as large as the examples that an evaluation holds in both threads: measured. */
const COPIES_OF_EXAMPLES = 6;

/**
 * The largest batch up to `batch` with which an evaluation stays within `memory` bytes (0: no limit). Verdicts do not
 * depend on it; the last digits of examples may.
 *
 * @throws TemperError `bad-option` where one example at a time takes more
 */
export const fittingBatch = async (
  model: Graph,
  {
    memory,
    batch,
    x,
    specs,
    winograd,
  }: {
    readonly memory: number;
    readonly batch: number;
    readonly x: Float32Array;
    readonly specs: readonly AttackSpec[];
    readonly winograd: Winograd;
  },
): Promise<number> => {
  if (memory === 0) return batch;
  const followed = specs.flatMap(({ name, options }): LossName[] => {
    const attack: AnyAttack = lookup(attacks, name, "attack");
    return attack.access === "gradient" ? [attack.loss(options ?? {})] : [];
  });
  const graphs = await targetGraphs(model, [...new Set(followed)], { winograd });
  return batchWithin(graphs, {
    memory,
    heldBytes: COPIES_OF_EXAMPLES * x.byteLength,
    most: batch,
    remedy: winograd ? " --no-winograd needs less." : "",
  });
};
