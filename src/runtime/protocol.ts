import type { Asked } from "./local.ts";
import type { DeviceName, Feeds, Runtime } from "./program.ts";
import type { WireError } from "../core/index.ts";

/** What the worker is told at its start. */
export interface WorkerData {
  /** See `keepIn`. */
  readonly kept: string | undefined;
}

/** Calls that the engine makes to its worker thread. */
export type Request =
  | { /** What the lowering asks of the machine, there. */ readonly type: keyof Asked }
  | {
      /** Takes hold of a session. Answers false where there is none and no model came with the call. */
      readonly type: "acquire";
      readonly key: string;
      readonly model: Uint8Array | undefined;
      readonly device: DeviceName;
      readonly threads: number;
    }
  | { readonly type: "run"; readonly key: string; readonly feeds: Feeds; readonly wanted: readonly string[] }
  | { readonly type: "release"; readonly key: string }
  | {
      readonly type: "job";
      readonly module: string;
      readonly name: string;
      readonly args: unknown;
      readonly cancel: SharedArrayBuffer;
    };

export interface CallMessage {
  readonly id: number;
  readonly request: Request;
}
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError }
  | { readonly id: number; readonly progress: unknown };

/** What a loop that runs beside the sessions is given. */
export interface JobContext<P = unknown> {
  readonly runtime: Runtime;
  /** Sends progress to the caller. */
  readonly report: (progress: P) => void;
  /** Time that the thread's sessions have run so far. */
  readonly busySeconds: () => number;
  /** True once the caller has asked to stop; the job then ends with what it has. */
  readonly cancelled: () => boolean;
  /** What `cancelled` reads, in Node: stops jobs that this one starts in engines of its own. */
  readonly cancel: SharedArrayBuffer | undefined;
}

/** A loop: exported by a module, with arguments and result that can be cloned between threads. */
// oxlint-disable-next-line no-explicit-any -- the variance escape of a registry: each job has its own types
export type JobFunction<A = any, R = any, P = any> = (context: JobContext<P>, args: A) => Promise<R>;
