/// <reference lib="esnext.disposable" preserve="true" />
import { Worker } from "node:worker_threads";
import { fromWire, TemperError } from "../core/index.ts";
import { type BatchPlan, type BatchSource, type Rows, shareDataset } from "../data/index.ts";
import type { MadeMessage, MakeMessage } from "./feed-worker.ts";

/** A batch, or several side by side: x is [n, C, H, W]. */
export interface FeedBatch extends Rows {
  readonly x: Float32Array;
}

/** Threads that make batches. */
export interface FeedThreads extends AsyncDisposable {
  readonly count: () => number;
  /** Starts one more. */
  readonly add: () => void;
  /** Fills `x`, which belongs to a thread until the promise resolves with it. */
  readonly make: (plans: readonly BatchPlan[], x: Float32Array<ArrayBuffer>) => Promise<FeedBatch>;
}

interface Job {
  readonly worker: Worker;
  readonly resolve: (batch: FeedBatch) => void;
  readonly reject: (error: Error) => void;
}

/** Pixels lie in memory that all threads share; batches move between threads, they are not copied. */
export const createThreads = (source: BatchSource): FeedThreads => {
  const workers: Worker[] = [],
    jobs = new Map<number, Job>();
  let shared: BatchSource | undefined,
    nextId = 0,
    failure: Error | undefined;
  const settle = (message: MadeMessage): void => {
    const job = jobs.get(message.id);
    jobs.delete(message.id);
    if (!job) return;
    if ("error" in message) job.reject(fromWire(message.error));
    else job.resolve({ x: message.x, ...message.rows });
  };
  const fail = (worker: Worker, error: Error): void => {
    failure ??= error;
    for (const [id, job] of jobs)
      if (job.worker === worker) {
        jobs.delete(id);
        job.reject(error);
      }
  };
  const waiting = (worker: Worker): number => [...jobs.values()].filter((job) => job.worker === worker).length;
  return {
    count: () => workers.length,
    add: () => {
      shared ??= { ...source, train: shareDataset(source.train), pool: source.pool && shareDataset(source.pool) };
      const worker = new Worker(new URL("./feed-worker.js", import.meta.url), { workerData: shared, execArgv: [] });
      worker.on("message", settle);
      worker.on("error", (error) =>
        fail(
          worker,
          new TemperError("device", `A thread that makes batches failed: ${error.message}`, { cause: error }),
        ),
      );
      worker.on("exit", () => fail(worker, new TemperError("disposed", "The threads that make batches were ended.")));
      workers.push(worker);
    },
    make: (plans, x) =>
      new Promise((resolve, reject) => {
        if (failure) throw failure;
        const worker = workers.reduce((best, other) => (waiting(other) < waiting(best) ? other : best)),
          id = nextId++;
        jobs.set(id, { worker, resolve, reject });
        worker.postMessage({ id, plans, x } satisfies MakeMessage, [x.buffer]);
      }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
};
