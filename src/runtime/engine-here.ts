/// <reference lib="esnext.disposable" preserve="true" />
import { TemperError } from "../core/index.ts";
import type { Engine, JobOptions } from "./engine.ts";
import { createLocalRuntime, createPool } from "./local.ts";
import type { Program, Runtime } from "./program.ts";
import type { JobContext, JobFunction } from "./protocol.ts";

/** An engine in the calling thread, as browsers have it. */
export const hereEngine = (): Engine => {
  const pool = createPool(),
    runtime = createLocalRuntime(pool);
  return {
    ...runtime,
    job: async <A, R, P>(module: URL, name: string, args: A, options: JobOptions<P> = {}): Promise<R> => {
      const { onProgress, signal, load } = options;
      const job = ((await load?.()) as Record<string, JobFunction<A, R, P>> | undefined)?.[name];
      if (!job) throw new TemperError("unsupported", `${name} of ${module.pathname} does not run in a browser.`);
      const context: JobContext<P> = {
        runtime: breathing(runtime),
        report: (progress) => onProgress?.(progress),
        busySeconds: pool.busySeconds,
        cancelled: () => signal?.aborted ?? false,
        cancel: undefined,
      };
      return job(context, args);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
};

/** Events of the page wait no longer than this while a job runs, or than one run takes. */
const BREATH_MS = 30;

const breathing = ({ compile }: Runtime): Runtime => {
  let last = performance.now();
  const breath = async (): Promise<void> => {
    if (performance.now() - last < BREATH_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    last = performance.now();
  };
  const slowed = (program: Program): Program => ({
    ...program,
    run: async (feeds, wanted) => {
      await breath();
      return program.run(feeds, wanted);
    },
  });
  return { compile: async (graph, options) => slowed(await compile(graph, options)) };
};
