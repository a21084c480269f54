import { type AnyAttack, attacks, targetGraphs } from "../attack/index.ts";
import { lookup, sizeOf } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import type { LossName } from "../loss/index.ts";
import { batchWithin, type DeviceName, residentBytes, type Winograd } from "../runtime/index.ts";
import type { AttackSpec } from "./protocol.ts";

/** A GPU wants large batches; on the CPU, what lies between two layers is to stay in a core's cache. */
const MOST: Readonly<Record<DeviceName, number>> = { cpu: 64, reference: 64, cuda: 256, webgpu: 256 };

/**
 * Examples a batch: about a quarter million input elements, and no more than {@link MOST}. Measured on the CPU with 16 to
 * 256 on six networks of 30 k to 11 M parameters: 64 is within 11 % of each one's best, 256 within 32 %.
 */
export const defaultBatch = (shape: readonly number[], device: DeviceName): number =>
  Math.min(MOST[device], Math.max(16, 2 ** Math.floor(Math.log2(262144 / sizeOf(shape)))));

/** Arrays as large as the examples that an evaluation holds in both threads: measured. */
const COPIES_OF_EXAMPLES = 6;

/** What a batch is to be found for. */
export interface BatchRequest {
  /** Bytes; 0: no limit. */
  readonly memory: number;
  readonly batch: number;
  readonly x: Float32Array;
  readonly specs: readonly AttackSpec[];
  readonly winograd: Winograd;
}

/**
 * The largest batch up to `batch` with which an evaluation stays within `memory` bytes (0: no limit). Verdicts do not
 * depend on it; the last digits of examples may.
 *
 * @throws TemperError `bad-option` where one example at a time takes more
 */
export const fittingBatch = async (model: Graph, request: BatchRequest): Promise<number> => {
  const { memory, batch, x, winograd } = request;
  if (memory === 0) return batch;
  return batchWithin(await attackedGraphs(model, request), {
    memory,
    heldBytes: COPIES_OF_EXAMPLES * x.byteLength,
    most: batch,
    remedy: winograd ? " --no-winograd needs less." : "",
  });
};

/** Where nothing is said, further sessions may take this share of the memory that is free. */
const SHARE_OF_FREE = 0.5;

/** The largest number of lanes up to `most` whose sessions stay within the memory. */
export const fittingLanes = async (model: Graph, request: BatchRequest, most: number): Promise<number> => {
  const limit = request.memory || SHARE_OF_FREE * process.availableMemory(),
    graphs = await attackedGraphs(model, request),
    held = COPIES_OF_EXAMPLES * request.x.byteLength;
  let lanes = most;
  while (lanes > 1 && residentBytes(graphs, request.batch, held, lanes) > limit) lanes--;
  return lanes;
};

const attackedGraphs = (model: Graph, { specs, winograd }: BatchRequest): Promise<readonly Graph[]> => {
  const followed = specs.flatMap(({ name, options }): LossName[] => {
    const attack: AnyAttack = lookup(attacks, name, "attack");
    return attack.access === "gradient" ? [attack.loss(options ?? {})] : [];
  });
  return targetGraphs(model, [...new Set(followed)], { winograd });
};
