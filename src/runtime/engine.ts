/// <reference lib="esnext.disposable" preserve="true" />
import type { Graph } from "../graph/index.ts";
import { trace, type Traced, type ValueType } from "../graph/index.ts";
import { inNode } from "./cores.ts";
import { hereEngine } from "./engine-here.ts";
import { threadEngine } from "./engine-thread.ts";
import type { CompileOptions, Program, Runtime } from "./program.ts";

export interface JobOptions<P> {
  readonly onProgress?: ((progress: P) => void) | undefined;
  /** Asks the job to stop; it resolves with what it has. */
  readonly signal?: AbortSignal | undefined;
  /** The module itself, for browsers: its URL says nothing once it is part of a bundle. */
  readonly load?: (() => Promise<object>) | undefined;
  /** The same from inside of another job: its {@link JobContext.cancel}. */
  readonly cancel?: SharedArrayBuffer | undefined;
}

/**
 * Sessions, in Node in a worker thread: the process stays alive only while calls are under way. In a browser they live in
 * the thread that calls: pages that are to stay responsive call from a worker of their own.
 */
export interface Engine extends Runtime, AsyncDisposable {
  /**
   * Runs an exported function of a module beside the sessions, so that its steps cost no messages.
   * @param module  URL of the module (`new URL("./job.js", import.meta.url)`)
   */
  readonly job: <A, R, P>(module: URL, name: string, args: A, options?: JobOptions<P>) => Promise<R>;
}

export const createEngine = (): Engine => (inNode ? threadEngine() : hereEngine());

let shared: Engine | undefined;
/** The engine that `compile` and the commands use; started at first use. */
export const defaultEngine = (): Engine => (shared ??= createEngine());

/**
 * Makes a graph, or a traced function, ready to run.
 *
 * @example `using f = await compile(graph, { device: "cpu" }); const { output } = await f.run({ x });`
 * @throws TemperError `device` where the runtime refuses the graph, naming why
 */
export async function compile(graph: Graph, options?: CompileOptions): Promise<Program>;
export async function compile<K extends string>(
  fn: Traced<K>,
  types: Readonly<Record<K, ValueType>>,
  options?: CompileOptions,
): Promise<Program>;
export async function compile<K extends string>(
  what: Graph | Traced<K>,
  second?: CompileOptions | Readonly<Record<K, ValueType>>,
  third?: CompileOptions,
): Promise<Program> {
  return typeof what === "function"
    ? defaultEngine().compile(trace("traced", second as Readonly<Record<K, ValueType>>, what), third)
    : defaultEngine().compile(what, second as CompileOptions | undefined);
}
