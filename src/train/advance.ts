import { createRng, f32, i64, release, sizeOf, type Tensor, TemperError } from "../core/index.ts";
import type { Run } from "./run.ts";
import type { Drawn } from "./step-graph.ts";

/**
 * Some steps in one call, whose outputs replace what they are named after. Everything random follows from seed and step:
 * neither interruptions nor the number of steps in a call matter.
 *
 * @param count  within an epoch
 * @returns the losses of the steps
 * @throws TemperError `nonfinite` where a loss is not a number; the run then stands where it stood
 */
export const advance = async (run: Run, count: number): Promise<readonly number[]> => {
  const { state, job } = run,
    { batchSize } = job.config.options;
  const batch = await run.feed.next(state.step, count);
  const scalars = Array.from({ length: count }, (_, i) => run.scalarsAt(state.step + i).scalars);
  const { reports, tensors } = await run.steps.run(run.tensors, {
    x: f32(batch.x, [count, batchSize, ...job.train.shape]),
    labels: i64(Array.from(batch.labels), [count, batchSize]),
    ...(batch.partners && { partners: i64(Array.from(batch.partners), [count, batchSize]) }),
    ...(batch.lambda && { share: f32(batch.lambda, [count, batchSize]) }),
    ...Object.fromEntries(run.draws.map((drawn) => [drawn.name, drawFor(run, drawn, count)])),
    ...Object.fromEntries(Object.keys(scalars[0]!).map((name) => [name, stackOf(name, scalars)])),
  });
  const values = (name: string): number[] => Array.from(reports[name]!.data as Float32Array);
  const losses = values("loss"),
    bad = losses.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw diverged(run, `the loss became ${losses[bad]}`, bad);
  const before = run.tensors;
  run.tensors = tensors;
  release(Object.values(before).map(({ data }) => data));
  let { control } = state;
  for (let i = 0; i < count; i++) {
    const seen = Object.fromEntries(Object.keys(reports).map((name) => [name, values(name)[i]!]));
    control = run.controller.after(run.positionOf(state.step + i), control, seen, job.config.options.control.options);
  }
  const sums = Object.keys(reports).map((name) => [
    name,
    values(name).reduce((sum, value) => sum + value, state.sums[name] ?? 0),
  ]);
  run.state = {
    ...state,
    step: state.step + count,
    control,
    sums: Object.fromEntries(sums) as Record<string, number>,
    gradientEvaluations: state.gradientEvaluations + values("evaluations").reduce((sum, value) => sum + value, 0),
  };
  return losses;
};

/** A scalar of several steps; the number of inner steps is whole. */
const stackOf = (name: string, scalars: readonly Readonly<Record<string, number>>[]): Tensor => {
  const values = scalars.map((step) => step[name]!);
  return name === "steps" ? i64(values) : f32(values);
};

/** Steps that one call may do now: up to the end of the epoch, or to where the controller has to look. */
export const mostTogether = ({ state, controller, positionOf, job }: Run): number => {
  const at = positionOf(state.step),
    looks = controller.looks(at, state.control, job.config.options.control.options);
  return Math.min(at.perEpoch, ...looks.filter((step) => step > at.within)) - at.within;
};

/** What to say where numbers ran away. */
export const diverged = ({ job, state, perEpoch, scalarsAt }: Run, what: string, ahead = 0): TemperError =>
  new TemperError(
    "nonfinite",
    `train: ${what} at step ${state.step + ahead + 1} (epoch ${Math.floor(state.step / perEpoch) + 1}, learning rate ${scalarsAt(state.step + ahead).lr.toPrecision(3)}). The last saved state in ${job.folder} is whole; start again with a lower --lr, or with --warmup.`,
  );

/** Random numbers of steps, each from a stream of its own. */
const drawFor = ({ job, state }: Run, { name, kind, shape }: Drawn, count: number): Tensor => {
  const size = sizeOf(shape),
    data = new Float32Array(count * size),
    root = createRng(job.config.options.seed).split("draw").split(name);
  for (let i = 0; i < count; i++) {
    const part = data.subarray(i * size, (i + 1) * size),
      rng = root.split(state.step + i);
    if (kind === "uniform") rng.fillUniform(part, -1, 1);
    else rng.fillNormal(part, 0, 1);
  }
  return f32(data, [count, ...shape]);
};
