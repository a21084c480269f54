import { TemperError } from "../core/index.ts";
import { type Graph, hashGraph } from "../graph/index.ts";
import { decomposeInternal } from "../ops/index.ts";
import { blockSize } from "./block.ts";
import { physicalCores } from "./cores.ts";
import { encode } from "./encode.ts";
import { lowerForCpu, type LowerOptions } from "./lower/index.ts";
import {
  checkFeeds,
  type CompileOptions,
  type DeviceName,
  type Program,
  type Runtime,
  type Signature,
  signatureOf,
} from "./program.ts";
import { createSession, type Session } from "./session.ts";
import { writtenForWebgpu } from "./webgpu.ts";

/** Sessions of this thread by key, each with the number of programs that hold it. */
export interface SessionPool {
  /** The session of `key`, made from `model()` where there is none yet. Each call must be met by one `release`. */
  readonly acquire: (key: string, model: () => Uint8Array, device: DeviceName, threads: number) => Promise<Session>;
  readonly release: (key: string) => Promise<void>;
  readonly has: (key: string) => boolean;
  readonly size: () => number;
  /** Time that runs have taken so far, all sessions together. */
  readonly busySeconds: () => number;
}

export const createPool = (): SessionPool => {
  const entries = new Map<string, { readonly session: Promise<Session>; holders: number }>();
  let busy = 0;
  const timed = ({ run, release }: Session): Session => ({
    run: async (feeds, wanted) => {
      const began = performance.now();
      try {
        return await run(feeds, wanted);
      } finally {
        busy += (performance.now() - began) / 1000;
      }
    },
    release,
  });
  return {
    acquire: async (key, model, device, threads) => {
      let entry = entries.get(key);
      if (!entry) {
        const session = createSession(model(), device, threads).then(timed);
        entry = { session, holders: 0 };
        entries.set(key, entry);
        session.catch(() => entries.delete(key));
      }
      entry.holders++;
      return entry.session;
    },
    release: async (key) => {
      const entry = entries.get(key);
      if (!entry || --entry.holders > 0) return;
      entries.delete(key);
      await (await entry.session).release();
    },
    has: (key) => entries.has(key),
    size: () => entries.size,
    busySeconds: () => busy,
  };
};

/** From the portable graph to what a device runs. */
const lowerings: Readonly<
  Record<DeviceName, (graph: Graph, onCpu: () => Promise<LowerOptions>) => Graph | Promise<Graph>>
> = {
  cpu: async (graph, onCpu) => lowerForCpu(graph, await onCpu()),
  reference: decomposeInternal,
  cuda: (graph) => lowerForCpu(graph),
  webgpu: (graph) => writtenForWebgpu(lowerForCpu(graph)),
};

/** A graph as its device wants it: lowered, with the key of its session. */
export interface Lowered {
  readonly key: string;
  readonly graph: Graph;
  readonly device: DeviceName;
  readonly threads: number;
}
/** @param block  as {@link blockSize} gives it; asked for where the device is the CPU */
export const lower = async (
  graph: Graph,
  { device = "cpu", threads = physicalCores(), winograd = false }: CompileOptions,
  block: () => Promise<number>,
): Promise<Lowered> => {
  const lowered = await lowerings[device](graph, async () => ({ block: await block(), winograd }));
  return { key: `${hashGraph(lowered)}/${device}/${threads}`, graph: lowered, device, threads };
};

/** A program over whatever runs and releases: the two runtimes differ only in that. */
export const programOver = (
  signature: Signature,
  run: (feeds: Parameters<Program["run"]>[0], wanted: readonly string[]) => ReturnType<Program["run"]>,
  release: () => void,
): Program => {
  let disposed = false;
  const names = Object.keys(signature.outputs);
  const dispose = (): void => {
    if (disposed) return;
    disposed = true;
    release();
  };
  return {
    ...signature,
    run: async (feeds, wanted = names) => {
      if (disposed) throw new TemperError("disposed", "This program was disposed. Compile the graph again.");
      checkFeeds(signature, feeds);
      return run(feeds, wanted);
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
};

/** A runtime in the calling thread: no messages, but each run blocks it. Jobs in the engine's worker use it. */
export const createLocalRuntime = (pool: SessionPool = createPool()): Runtime => ({
  compile: async (graph, options = {}) => {
    const { key, graph: lowered, device, threads } = await lower(graph, options, blockSize);
    const session = await pool.acquire(key, () => encode(lowered), device, threads);
    return programOver(
      signatureOf(graph),
      (feeds, wanted) => session.run(feeds, wanted),
      () => void pool.release(key),
    );
  },
});
