import { perturb, pgd, predictionOf } from "../attack/index.ts";
import { createRng, f32, i64, release, type Tensor, TemperError } from "../core/index.ts";
import { type Batch, batchOf } from "../data/index.ts";
import type { Run } from "./run.ts";
import { nextName, viewInput } from "./step-graph.ts";

/**
 * One step: inner attack, then the step graph, whose outputs replace what they are named after. Everything random in it
 * follows from seed and step, so it does not matter whether the run was interrupted before.
 *
 * @returns the loss of the step
 * @throws TemperError `nonfinite` where the loss is not a number; the run then stands where it stood
 */
export const advance = async (run: Run): Promise<number> => {
  const { objective, state, job } = run,
    { batchSize, steps } = job.config.options;
  const { batch, ids } = batchAt(run),
    views: Record<string, Tensor> = {};
  for (const view of objective.views)
    views[viewInput(view)] = f32(view === "clean" ? batch.x : await innerPoints(run, batch, ids), batch.shape);
  const { feeds, lr } = run.scalarsAt(state.step);
  const labels = i64(Array.from(batch.labels));
  const { loss, logits, ...next } = await run.program.run({ ...views, labels, ...feeds, ...run.tensors });
  const value = (loss!.data as Float32Array)[0]!;
  if (!Number.isFinite(value)) throw diverged(run, `the loss became ${value}`, lr);
  const before = Object.entries(run.tensors);
  run.tensors = Object.fromEntries(before.map(([name, old]) => [name, next[nextName(name)] ?? old]));
  release(before.filter(([name, old]) => run.tensors[name] !== old).map(([, { data }]) => data));
  const attacked = objective.views.includes("adversarial");
  run.state = {
    ...state,
    step: state.step + 1,
    epochLoss: state.epochLoss + value,
    epochRight: state.epochRight + rightIn(logits!.data as Float32Array, batch.labels, run.target.classes),
    gradientEvaluations: state.gradientEvaluations + batchSize * (attacked ? steps + 1 : 1),
  };
  return value;
};

/** What to say where numbers ran away. */
export const diverged = ({ job, state, perEpoch }: Run, what: string, lr: number): TemperError =>
  new TemperError(
    "nonfinite",
    `train: ${what} at step ${state.step + 1} (epoch ${Math.floor(state.step / perEpoch) + 1}, learning rate ${lr.toPrecision(3)}). The last saved state in ${job.folder} is whole; start again with a lower --lr, or with --warmup.`,
  );

const rightIn = (logits: Float32Array, labels: Int32Array, classes: number): number =>
  labels.reduce((sum, label, row) => sum + (predictionOf(logits, row, classes) === label ? 1 : 0), 0);

/** The training examples of the step that is to be done. */
const batchAt = ({
  job: { train, config },
  state: { step },
  perEpoch,
  orderOf,
}: Run): { batch: Batch; ids: Int32Array } => {
  const { batchSize } = config.options,
    at = (step % perEpoch) * batchSize;
  const ids = Int32Array.from(orderOf(Math.floor(step / perEpoch)).subarray(at, at + batchSize));
  return { batch: batchOf(train, ids), ids };
};

/** The network is attacked in evaluation mode: with running statistics, which the attack does not move. */
const innerPoints = (run: Run, { x, labels }: Batch, ids: Int32Array): Promise<Float32Array> => {
  const { job, target, threat, objective, state, perEpoch } = run,
    { steps, stepSize, randomStart, ramp, epsilon, seed } = job.config.options;
  const grown = ramp > 0 ? Math.min(1, (state.step + 1) / (ramp * perEpoch)) : 1;
  return perturb(target, {
    attack: pgd,
    options: { steps, stepSize: stepSize * grown, randomStart, loss: objective.inner },
    threat: grown === 1 ? threat : threat.withEpsilon(epsilon * grown),
    x,
    labels,
    ids,
    seed: createRng(seed)
      .split("attack")
      .split(state.step)
      .int(2 ** 32), // fresh starts at each step
  });
};
