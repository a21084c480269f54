import { parentPort, workerData } from "node:worker_threads";
import {
  type CallMessage,
  type JobContext,
  type JobFunction,
  type Reply,
  type Request,
  type WorkerData,
} from "./protocol.ts";
import { keepIn } from "./kept.ts";
import { askHere, createLocalRuntime, createPool } from "./local.ts";
import { type Tensor, toWire } from "../core/index.ts";

/** The engine's thread: it owns the sessions, and runs the loops (attacks, training) that drive them. */
keepIn((workerData as WorkerData).kept);
const pool = createPool();
const runtime = createLocalRuntime(pool);
const port = parentPort!;

const buffersOf = (tensors: Readonly<Record<string, Tensor>>): ArrayBuffer[] => [
  ...new Set(Object.values(tensors).map((t) => t.data.buffer as ArrayBuffer)),
];

const handlers: {
  readonly [T in Request["type"]]: (request: Extract<Request, { type: T }>, id: number) => Promise<unknown>;
} = {
  ...askHere,
  acquire: async ({ key, model, device, threads }) => {
    if (!model && !pool.has(key)) return false;
    await pool.acquire(key, () => model ?? new Uint8Array(), device, threads);
    return true;
  },
  release: async ({ key }) => pool.release(key),
  run: async ({ key, feeds, wanted }) => {
    // The holder's own reference keeps the session: acquire and release here only look it up.
    const session = await pool.acquire(key, () => new Uint8Array(), "cpu", 1);
    try {
      return await session.run(feeds, wanted);
    } finally {
      await pool.release(key);
    }
  },
  job: async ({ module, name, args, cancel }, id) => {
    const flag = new Int32Array(cancel);
    const context: JobContext = {
      runtime,
      report: (progress) => port.postMessage({ id, progress } satisfies Reply),
      busySeconds: pool.busySeconds,
      cancelled: () => Atomics.load(flag, 0) !== 0,
      cancel,
    };
    const job = ((await import(module)) as Record<string, JobFunction>)[name];
    if (!job) throw new Error(`${module} does not export ${name}.`);
    return job(context, args);
  },
};

port.on("message", ({ id, request }: CallMessage) => {
  const handler = handlers[request.type] as (r: Request, id: number) => Promise<unknown>;
  handler(request, id).then(
    (value) => {
      const transfer = request.type === "run" ? buffersOf(value as Record<string, Tensor>) : [];
      port.postMessage({ id, value } satisfies Reply, transfer);
    },
    (error: unknown) => port.postMessage({ id, error: toWire(error) } satisfies Reply),
  );
});
