import { countParameters } from "../nn/index.ts";
import type { JobContext } from "../runtime/index.ts";
import { advance } from "./advance.ts";
import { networkOf, prepareRun, type TrainJob } from "./run.ts";

/** What a run would take, from some of its steps. */
export interface Estimate {
  readonly parameters: number;
  readonly stepsPerEpoch: number;
  /** Of an epoch: gradients of single examples, and seconds without validation. */
  readonly gradientEvaluations: number;
  readonly seconds: number;
  /** Most resident memory of the process while it measured. */
  readonly memoryBytes: number;
}

/** Milliseconds that are measured for, and steps at most. */
const MEASURED_MS = 3000;
const MOST_STEPS = 20;

/** Runs the first steps, of which nothing is kept. */
export const estimateJob = async ({ runtime }: JobContext<never>, job: TrainJob): Promise<Estimate> => {
  await using run = await prepareRun(runtime, job);
  const { perEpoch } = run,
    { parameters } = await networkOf(job.config, job.train, job.from);
  const most = Math.min(MOST_STEPS, perEpoch - 1),
    times: number[] = [];
  await advance(run, 1); // the first one compiles what is compiled late
  const before = run.state.gradientEvaluations;
  for (let i = 0, began = performance.now(); i < most && performance.now() - began < MEASURED_MS; i++) {
    const start = performance.now();
    await advance(run, 1);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const steps = Math.max(1, times.length);
  return {
    parameters: countParameters({ parameters }),
    stepsPerEpoch: perEpoch,
    gradientEvaluations: times.length > 0 ? ((run.state.gradientEvaluations - before) / steps) * perEpoch : before,
    seconds: ((times[Math.floor(times.length / 2)] ?? 0) / 1000) * perEpoch,
    memoryBytes: process.memoryUsage.rss(),
  };
};
