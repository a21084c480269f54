import { perturb, pgd, predictionOf } from "../attack/index.ts";
import { createRng, f32, i64, release, type Tensor, TemperError } from "../core/index.ts";
import { type Batch, batchOf } from "../data/index.ts";
import type { Run } from "./run.ts";
import { viewInput } from "./step-graph.ts";

/**
 * Some steps in one call: inner attacks, then the step graph as often, whose outputs replace what they are named after.
 * Everything random follows from seed and step: neither interruptions nor the number of steps in a call matter.
 *
 * @param count  within an epoch; 1 where a view depends on the weights, as adversarial ones do
 * @returns the losses of the steps
 * @throws TemperError `nonfinite` where a loss is not a number; the run then stands where it stood
 */
export const advance = async (run: Run, count: number): Promise<readonly number[]> => {
  const { objective, state, job } = run,
    { batchSize, steps } = job.config.options;
  const { batch, ids } = batchAt(run, count),
    shape = [count, batchSize, ...batch.shape.slice(1)],
    views: Record<string, Tensor> = {};
  for (const view of objective.views)
    views[viewInput(view)] = f32(view === "clean" ? batch.x : await innerPoints(run, batch, ids), shape);
  const rates = Array.from({ length: count }, (_, i) => run.scalarsAt(state.step + i));
  const scalars = Object.keys(rates[0]!.scalars).map((name) => [name, f32(rates.map((rate) => rate.scalars[name]!))]);
  const labels = i64(Array.from(batch.labels), [count, batchSize]);
  const { loss, logits, tensors } = await run.steps.run(run.tensors, {
    ...views,
    labels,
    ...(Object.fromEntries(scalars) as Record<string, Tensor>),
  });
  const losses = Array.from(loss.data as Float32Array),
    bad = losses.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw diverged(run, `the loss became ${losses[bad]}`, bad);
  const before = run.tensors;
  run.tensors = tensors;
  release(Object.values(before).map(({ data }) => data));
  const attacked = objective.views.includes("adversarial");
  run.state = {
    ...state,
    step: state.step + count,
    epochLoss: losses.reduce((sum, value) => sum + value, state.epochLoss),
    epochRight: state.epochRight + rightIn(logits.data as Float32Array, batch.labels, run.target.classes),
    gradientEvaluations: state.gradientEvaluations + count * batchSize * (attacked ? steps + 1 : 1),
  };
  return losses;
};

/** Steps that one call may do now: up to the end of the epoch, and only one where a view follows from the weights. */
export const mostTogether = ({ objective, state, perEpoch }: Run): number =>
  objective.views.every((view) => view === "clean") ? perEpoch - (state.step % perEpoch) : 1;

/** What to say where numbers ran away. */
export const diverged = ({ job, state, perEpoch, scalarsAt }: Run, what: string, ahead = 0): TemperError =>
  new TemperError(
    "nonfinite",
    `train: ${what} at step ${state.step + ahead + 1} (epoch ${Math.floor(state.step / perEpoch) + 1}, learning rate ${scalarsAt(state.step + ahead).lr.toPrecision(3)}). The last saved state in ${job.folder} is whole; start again with a lower --lr, or with --warmup.`,
  );

const rightIn = (logits: Float32Array, labels: Int32Array, classes: number): number =>
  labels.reduce((sum, label, row) => sum + (predictionOf(logits, row, classes) === label ? 1 : 0), 0);

/** The training examples of the steps that are to be done. */
const batchAt = (
  { job: { train, config }, state: { step }, perEpoch, orderOf }: Run,
  count: number,
): { batch: Batch; ids: Int32Array } => {
  const { batchSize } = config.options,
    at = (step % perEpoch) * batchSize;
  const ids = Int32Array.from(orderOf(Math.floor(step / perEpoch)).subarray(at, at + count * batchSize));
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
