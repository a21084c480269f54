import { withoutRules } from "../autodiff/index.ts";
import { release, type TensorData, TemperError } from "../core/index.ts";
import { allNodes, constantOf, type Graph, hashGraph } from "../graph/index.ts";
import { decomposeInternal } from "../ops/index.ts";
import { version } from "../version.ts";
import { blockSize } from "./block.ts";
import { physicalCores } from "./cores.ts";
import { encode } from "./encode.ts";
import { keptBytes, keptRoot } from "./kept.ts";
import { lowerForCpu, type LowerOptions, type Winograd } from "./lower/index.ts";
import { hasWideConvs, winogradChoice } from "./probe.ts";
import {
  checkFeeds,
  type CompileOptions,
  type DeviceName,
  type Program,
  type Runtime,
  type Signature,
  signatureOf,
} from "./program.ts";
import { onnxruntimeVersion } from "./ort.ts";
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
const lowerings: Readonly<Record<DeviceName, (graph: Graph, onCpu: LowerOptions) => Graph>> = {
  cpu: lowerForCpu,
  reference: decomposeInternal,
  cuda: (graph) => lowerForCpu(graph),
  webgpu: (graph) => writtenForWebgpu(lowerForCpu(graph)),
};

/** A graph as its device wants it: lowered when it is asked for, with the key of its session. */
export interface Lowered {
  readonly key: string;
  readonly graph: () => Graph;
  /** The same encoded, from the cache on disk where it is there. */
  readonly model: () => Uint8Array;
  readonly device: DeviceName;
  readonly threads: number;
}

/** What the lowering asks of the machine, where the device is the CPU. */
export interface Asked {
  /** As {@link blockSize} gives it. */
  readonly block: () => Promise<number>;
  /** As {@link winogradChoice} gives it; asked only where a graph depends on it. */
  readonly minChannels: () => Promise<number>;
}
/** Asked in this thread. */
export const askHere: Asked = {
  block: blockSize,
  minChannels: async () => (await winogradChoice()).minChannels,
};

/** What the lowering may use on this machine's CPU. */
export const cpuOptions = async (graph: Graph, winograd: Winograd, ask: Asked = askHere): Promise<LowerOptions> => {
  const block = await ask.block();
  const chosen = winograd === true && block > 0 && hasWideConvs(graph);
  return { block, winograd: chosen ? { minChannels: await ask.minChannels() } : winograd };
};

export const lower = async (
  given: Graph,
  { device = "cpu", threads = physicalCores(), winograd = false, memory = 0, cache = true }: CompileOptions,
  ask: Asked,
): Promise<Lowered> => {
  const source = withoutRules(given), // functions have no place in a key
    options = device === "cpu" ? { ...(await cpuOptions(source, winograd, ask)), ...(memory > 0 && { memory }) } : {},
    how = `${hashGraph(source)}/${JSON.stringify(options)}`;
  const graph = (): Graph => lowerings[device](source, options);
  const model = (): Uint8Array => {
    const lowered = graph(),
      bytes = encode(lowered),
      held = new Set(largeArrays(source).map(({ buffer }) => buffer));
    release(largeArrays(lowered).filter(({ buffer }) => !held.has(buffer)));
    return bytes;
  };
  const kept = cache && keptRoot() !== undefined && device === "cpu" && isKeepable(source);
  return {
    key: `${how}/${device}/${threads}`,
    graph,
    model: kept ? () => keptBytes(`${how}/${build()}`, model) : model,
    device,
    threads,
  };
};

/**
 * Arrays of constants of 1 MB and more. What the lowering makes of weights is needed no longer when it is encoded; small
 * ones may belong to the passes.
 */
const largeArrays = (graph: Graph): readonly TensorData[] =>
  allNodes(graph)
    .flatMap(({ outputs: [only] }) => constantOf(only)?.data ?? [])
    .filter(({ byteLength }) => byteLength >= 1 << 20);

/** Smaller graphs are lowered as fast as a file is read. */
const MIN_KEPT_NODES = 200;
/** Graphs whose constants have more elements hold weights: copies of models do not belong into a cache. */
const MAX_KEPT_CONSTANTS = 1 << 14;
const isKeepable = (graph: Graph): boolean => {
  const nodes = allNodes(graph),
    constants = nodes.reduce((sum, { outputs: [only] }) => sum + (constantOf(only)?.data.length ?? 0), 0);
  return (
    nodes.length >= MIN_KEPT_NODES &&
    constants <= MAX_KEPT_CONSTANTS &&
    nodes.every(({ op }) => Object.values(op.attributes).every(({ kind }) => kind !== "opaque"))
  );
};
/** What lowers: another version, or another build of it, starts anew. */
const build = (): string => {
  const { mtimeMs } = process.getBuiltinModule("node:fs").statSync(new URL(import.meta.url));
  return `${version}/${onnxruntimeVersion()}/${mtimeMs}`;
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

/**
 * A runtime in the calling thread: no messages, but each run blocks it. Jobs in the engine's worker use it.
 *
 * @param ask  what the lowering may use; a block of 0: portable operators only
 */
export const createLocalRuntime = (pool: SessionPool = createPool(), ask: Asked = askHere): Runtime => ({
  compile: async (graph, options = {}) => {
    const { key, model, device, threads } = await lower(graph, options, ask);
    const session = await pool.acquire(key, model, device, threads);
    return programOver(
      signatureOf(graph),
      (feeds, wanted) => session.run(feeds, wanted),
      () => void pool.release(key),
    );
  },
});
