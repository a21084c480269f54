/// <reference lib="esnext.disposable" preserve="true" />
import { type AnyAttack, attacks, type AttackResult, type Target } from "../attack/index.ts";
import { lookup } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import { cpuOptions, createEngine, inNode, type JobContext } from "../runtime/index.ts";
import { type BatchRequest, fittingLanes } from "./batch.ts";
import { attackPart, type LaneModel, type Part, type PartResult } from "./part.ts";
import type { AttackSpec } from "./protocol.ts";

/**
 * What attacks batches: this thread, or several beside it, each with sessions of its own and its share of the threads.
 * A session of few threads wastes less of them, and what an attack does between two gradients in one lane goes on while
 * the others compute. Batches are the same, and so are the results, bit for bit.
 */
export interface Lanes extends AsyncDisposable {
  readonly count: number;
  /** @param lane  0 to count - 1; one part at a time each */
  readonly attack: (part: Part, lane: number) => Promise<AttackResult>;
  /** Time inside of the sessions of further threads: the mean, as they run at the same time. */
  readonly busySeconds: () => number;
}

export interface LaneRequest extends LaneModel, BatchRequest {
  /** Asked for; 0: as many as pay. */
  readonly lanes: number;
  /** Examples to attack, and the time that one forward pass of one of them took. */
  readonly count: number;
  readonly forwardSeconds: number;
}

/** Attacks of fewer seconds are over before further threads have gained what their start costs. */
const MIN_SECONDS = 2;
/** A gradient costs about as much as so many forward passes. */
const GRADIENT = 3;

export const openLanes = async (
  target: Target,
  graph: Graph,
  request: LaneRequest,
  { cancelled, cancel }: Pick<JobContext, "cancelled" | "cancel">,
): Promise<Lanes> => {
  const count = await countOf(graph, request);
  if (count === 1)
    return {
      count,
      attack: (part) => attackPart(target, part, cancelled),
      busySeconds: () => 0,
      [Symbol.asyncDispose]: async () => undefined,
    };
  const engines = Array.from({ length: count }, createEngine),
    busy = engines.map(() => 0),
    module = new URL("./part.js", import.meta.url);
  const close = async (): Promise<void> => void (await Promise.all(engines.map((e) => e[Symbol.asyncDispose]())));
  const model: LaneModel = {
    model: request.model,
    device: request.device,
    threads: Math.floor(request.threads / count),
    // Decided here, for all: lanes would measure it at the same time, each disturbed by the others.
    winograd: (await cpuOptions(graph, request.winograd)).winograd ?? false,
  };
  try {
    await Promise.all(engines.map((engine) => engine.job<LaneModel, void, never>(module, "openLane", model)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    count,
    attack: async (part, lane) => {
      const { result, busySeconds } = await engines[lane]!.job<Part, PartResult, never>(module, "partJob", part, {
        cancel,
      });
      busy[lane] = busySeconds;
      return result;
    },
    busySeconds: () => busy.reduce((sum, seconds) => sum + seconds, 0) / count,
    [Symbol.asyncDispose]: close,
  };
};

/** One a thread, where there are batches enough and memory for it; one in all where the attacks are soon over. */
const countOf = async (graph: Graph, request: LaneRequest): Promise<number> => {
  const { lanes, count, batch, threads, device, specs, forwardSeconds } = request;
  if (lanes > 0) return inNode ? Math.min(lanes, threads) : 1;
  const seconds = count * forwardSeconds * GRADIENT * gradientsOf(specs);
  const most = Math.min(threads, Math.ceil(count / batch));
  // A GPU is one: several sessions would share it. So is the thread of a page.
  if (device === "cuda" || device === "webgpu" || !inNode || most < 2 || seconds < MIN_SECONDS) return 1;
  return fittingLanes(graph, request, most);
};

/** Gradients that an example takes if nothing breaks it. */
const gradientsOf = (specs: readonly AttackSpec[]): number =>
  specs.reduce((sum, { name, options = {} }) => {
    const attack: AnyAttack = lookup(attacks, name, "attack");
    return sum + attack.steps(options) * attack.restarts(options);
  }, 0);
