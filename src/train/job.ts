import { sizeOf, type Tensor } from "../core/index.ts";
import type { JobContext } from "../runtime/index.ts";
import { advance, diverged, mostTogether } from "./advance.ts";
import type { EpochRecord } from "./config.ts";
import { prepareRun, type Run, type TrainJob } from "./run.ts";
import { loadBest, saveRun } from "./run-folder.ts";
import { givesBest, judgeEpoch } from "./select.ts";
import { drawnSize } from "./step-graph.ts";
import { callLength } from "./steps.ts";
import { closeEpoch } from "./validate.ts";

/** What a run tells while it works. */
export type TrainProgress =
  | {
      readonly kind: "step";
      readonly step: number;
      readonly total: number;
      readonly epoch: number;
      readonly loss: number;
    }
  | { readonly kind: "epoch"; readonly record: EpochRecord };

export interface TrainResult {
  readonly finished: boolean;
  readonly history: readonly EpochRecord[];
  /** None where the run has not finished. */
  readonly weights: Readonly<Record<string, Tensor>>;
  /** Epoch that the weights are of, from 1; and why the run ended before its last one, else empty. */
  readonly epoch: number;
  readonly ended: string;
}

/** Runs in the engine's thread, beside the sessions. Ends early, resumable, where it is cancelled. */
export const trainJob = async (
  { runtime, report, cancelled }: JobContext<TrainProgress>,
  job: TrainJob,
): Promise<TrainResult> => {
  await using run = await prepareRun(runtime, job);
  const { perEpoch, total } = run;
  const earlier = run.state.seconds,
    began = performance.now();
  const elapsed = (): number => earlier + (performance.now() - began) / 1000;
  if (!job.resume) await save(run); // so that whatever happens next, there is a state to go back to
  let working = 0,
    waitedBefore = 0;
  let saved = performance.now(),
    savedStep = run.state.step,
    together = 1;
  const stepBytes = 4 * (job.config.options.batchSize * sizeOf(job.train.shape) + drawnSize(run));
  const keep = async (): Promise<void> => {
    run.state = { ...run.state, seconds: elapsed() };
    await save(run);
    saved = performance.now();
    savedStep = run.state.step;
  };
  const open = (): boolean => run.state.step < total && run.state.ended === "";
  while (open() && !cancelled()) {
    const count = Math.min(together, mostTogether(run)),
      first = run.state.step + 1,
      start = performance.now();
    const losses = await advance(run, count);
    working += (performance.now() - start) / 1000;
    if (job.config.options.memory === 0) together = callLength((performance.now() - start) / count, stepBytes);
    const { step } = run.state;
    losses.forEach((loss, i) =>
      report({ kind: "step", step: first + i, total, epoch: Math.ceil((first + i) / perEpoch), loss }),
    );
    const ended = step % perEpoch === 0;
    if (ended) {
      const waited = run.feed.idleSeconds();
      const record = await closeEpoch(run, elapsed(), { working, waited: waited - waitedBefore });
      run.state = { ...run.state, history: [...run.state.history, record], sums: {} };
      await judgeEpoch(run, record);
      waitedBefore = waited;
      working = 0;
      report({ kind: "epoch", record });
    }
    if (ended || performance.now() - saved > 1000 * job.config.options.checkpoint) await keep();
  }
  if (run.state.step !== savedStep) await keep();
  const { state } = run,
    best = givesBest(run),
    finished = !open();
  return {
    finished,
    history: state.history,
    weights: !finished ? {} : best ? await loadBest(job.folder) : await run.validated(),
    epoch: best ? state.best!.epoch : Math.floor(state.step / perEpoch),
    ended: state.ended,
  };
};

/** Saves the state, unless it is one from which no run could go on: the last one then stays. */
const save = async (run: Run): Promise<void> => {
  const { job, state } = run,
    tensors = run.stored();
  const bad = Object.entries(tensors).find(([, { data }]) => !isFiniteArray(data as Float32Array));
  if (bad) throw diverged(run, `"${bad[0]}" holds values that are no numbers`);
  await saveRun(job.folder, job.config, state, tensors);
};

const isFiniteArray = (values: Float32Array): boolean => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!; // float32 values cannot overflow a float64 sum
  return Number.isFinite(sum);
};
