/// <reference lib="esnext.disposable" preserve="true" />
import type { Worker } from "node:worker_threads";
import { fromWire, type Tensor, TemperError } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import type { Engine, JobOptions } from "./engine.ts";
import { keptRoot } from "./kept.ts";
import { type Asked, lower, programOver } from "./local.ts";
import { disableTelemetry } from "./ort.ts";
import { type CompileOptions, type Program, signatureOf } from "./program.ts";
import type { CallMessage, Reply, Request, WorkerData } from "./protocol.ts";

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: ((progress: never) => void) | undefined;
}

/**
 * The thread's garbage is mostly handles of models and tensors whose memory lies outside of V8's heap: a small young
 * generation frees them soon. With the default size, resident memory grows by a tenth over a thousand compilations.
 */
const YOUNG_GENERATION_MB = 2;

/** An engine whose sessions live in a worker thread of Node. */
export const threadEngine = (): Engine => {
  disableTelemetry();
  const threads = process.getBuiltinModule("node:worker_threads");
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  let block: Promise<number> | undefined;
  let nextId = 0;

  const start = (): Worker => {
    const created = new threads.Worker(new URL("./worker.js", import.meta.url), {
      env: threads.SHARE_ENV,
      workerData: { kept: keptRoot() } satisfies WorkerData,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    created.on("message", (reply: Reply) => {
      const call = pending.get(reply.id);
      if (!call) return;
      if ("progress" in reply) return call.onProgress?.(reply.progress as never);
      pending.delete(reply.id);
      if (pending.size === 0) created.unref();
      if ("error" in reply) call.reject(fromWire(reply.error));
      else call.resolve(reply.value as never);
    });
    const fail = (error: Error): void => {
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
      worker = block = undefined;
    };
    created.on("error", (error) =>
      fail(new TemperError("device", `The engine's thread failed: ${error.message}`, { cause: error })),
    );
    created.on("exit", (code) => fail(new TemperError("device", `The engine's thread ended with code ${code}.`)));
    created.unref();
    return created;
  };

  const call = <R>(
    request: Request,
    onProgress?: (progress: never) => void,
    transfer: ArrayBuffer[] = [],
  ): Promise<R> =>
    new Promise((resolve, reject) => {
      worker ??= start();
      worker.ref();
      const id = nextId++;
      pending.set(id, { resolve, reject, onProgress });
      worker.postMessage({ id, request } satisfies CallMessage, transfer);
    });

  const askThere: Asked = {
    block: () => (block ??= call<number>({ type: "block" })),
    minChannels: () => call<number>({ type: "minChannels" }),
  };

  const compile = async (graph: Graph, options: CompileOptions = {}): Promise<Program> => {
    const { key, model: made, device, threads } = await lower(graph, options, askThere);
    const held = await call<boolean>({ type: "acquire", key, model: undefined, device, threads });
    if (!held) {
      const model = made();
      await call({ type: "acquire", key, model, device, threads }, undefined, [model.buffer as ArrayBuffer]);
    }
    return programOver(
      signatureOf(graph),
      (feeds, wanted) => call<Record<string, Tensor>>({ type: "run", key, feeds, wanted }),
      () => {
        if (worker) call({ type: "release", key }).catch(() => undefined);
      },
    );
  };

  return {
    compile,
    job: <A, R, P>(
      module: URL,
      name: string,
      args: A,
      { onProgress, signal, cancel = new SharedArrayBuffer(4) }: JobOptions<P> = {},
    ) => {
      const stop = (): void => void Atomics.store(new Int32Array(cancel), 0, 1);
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      const request: Request = { type: "job", module: module.href, name, args, cancel };
      return call<R>(request, onProgress as (progress: never) => void).finally(() =>
        signal?.removeEventListener("abort", stop),
      );
    },
    [Symbol.asyncDispose]: async () => {
      await worker?.terminate();
      worker = undefined;
    },
  };
};
