import { createRng, type OptionValues, type OptionSpec, resolveOptions, TemperError } from "../core/index.ts";
import type { Threat } from "../threat/index.ts";
import { type AnyAttack, type AttackContext, type AttackState, type Evaluation, keepRows } from "./attack.ts";
import type { Target } from "./target.ts";

export interface AttackRequest {
  readonly attack: AnyAttack;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly threat: Threat;
  /** Clean inputs, n rows; correctly classified ones, or the attack has nothing to do on them. */
  readonly x: Float32Array;
  readonly labels: Int32Array;
  /** Number of each example in its data set: names its random stream. Default 0 .. n-1. */
  readonly ids?: Int32Array;
  readonly seed: number;
  /** Keep attacking examples that are already broken, for the strongest example instead of the first. */
  readonly exhaustive?: boolean;
  readonly cancelled?: (() => boolean) | undefined;
  /** Called after each step with the share of the work that is done. */
  readonly onStep?: ((done: number, total: number) => void) | undefined;
}

/** Row i belongs to example i of the request. */
export interface AttackResult {
  /** Broken examples: a misclassified point of the set. Others: the point of highest loss that was seen. */
  readonly adv: Float32Array;
  readonly broken: Uint8Array;
  readonly gradientEvaluations: Int32Array;
  readonly forwardEvaluations: Int32Array;
  /** Largest gradient entry that the attack saw on each example: zero means that it had nothing to follow. */
  readonly largestGradient: Float32Array;
  /** False where the caller stopped the attack early. */
  readonly complete: boolean;
}

/** Index of the largest of `classes` scores; -1 where one is NaN. The first wins a tie. */
export const predictionOf = (logits: Float32Array, row: number, classes: number): number => {
  let best = 0;
  const at = row * classes;
  for (let k = 0; k < classes; k++) {
    if (Number.isNaN(logits[at + k])) return -1;
    if (logits[at + k]! > logits[at + best]!) best = k;
  }
  return best;
};

/**
 * Runs an attack on a batch. Every point it reports was projected onto the set and judged by the model again.
 *
 * @throws TemperError `bad-option` for options or a norm that the attack does not have
 */
export const runAttack = async (target: Target, request: AttackRequest): Promise<AttackResult> => {
  const { attack, threat, x, labels, seed, cancelled = () => false } = request;
  const options = resolveOptions(attack.name, attack.options, request.options);
  if (!attack.norms.includes(threat.norm))
    throw new TemperError("bad-option", `${attack.name} attacks in ${attack.norms.join(", ")}, not in ${threat.norm}.`);
  const { d, classes } = target,
    n = labels.length;
  const result: AttackResult = {
    adv: x.slice(),
    broken: new Uint8Array(n),
    gradientEvaluations: new Int32Array(n),
    forwardEvaluations: new Int32Array(n),
    largestGradient: new Float32Array(n),
    complete: true,
  };
  const bestLoss = new Float32Array(n).fill(-Infinity);
  const steps = attack.steps(options),
    restarts = attack.restarts(options);
  const root = createRng(seed).split(attack.name);
  const gradient = attack.access === "gradient",
    explores = attack.explores?.(options) ?? false;

  for (let restart = 0; restart < restarts; restart++) {
    const stream = root.split(restart);
    let rows = Array.from({ length: n }, (_, i) => i).filter((i) => request.exhaustive || !result.broken[i]);
    if (rows.length === 0) break;
    let context = contextOf(request, options, rows, d, steps, (i) => stream.split(request.ids?.[i] ?? i));
    const state: AttackState = attack.init(context);
    if (!explores) threat.project(context.x, state.adv, d);

    for (let i = 0; i <= steps; i++) {
      if (cancelled()) return { ...result, complete: false };
      const last = i === steps;
      const evaluation: Evaluation =
        gradient && !last
          ? await target.evaluate(state.adv, context.labels, attack.loss(options))
          : { gradient: new Float32Array(), loss: new Float32Array(), logits: await target.logits(state.adv) };
      const inside = explores ? threat.contains(context.x, state.adv, d) : undefined;
      const keep: number[] = [];
      rows.forEach((example, row) => {
        if (gradient && !last) {
          result.gradientEvaluations[example]!++;
          noteGradient(result.largestGradient, example, evaluation.gradient, row, d);
        } else result.forwardEvaluations[example]!++;
        const fools =
          predictionOf(evaluation.logits, row, classes) !== context.labels[row] && (inside?.[row] ?? 1) === 1;
        const loss = evaluation.loss[row] ?? -Infinity;
        const better = loss > bestLoss[example]! && (inside?.[row] ?? 1) === 1;
        if ((fools && (!result.broken[example] || better)) || (better && !result.broken[example])) {
          result.adv.set(state.adv.subarray(row * d, (row + 1) * d), example * d);
          bestLoss[example] = loss;
        }
        if (fools) result.broken[example] = 1;
        if (!fools || request.exhaustive) keep.push(row);
      });
      request.onStep?.(restart * (steps + 1) + i + 1, restarts * (steps + 1));
      if (last || keep.length === 0) break;
      if (keep.length < rows.length) {
        context = shrink(context, keep);
        for (const [name, array] of Object.entries(state)) state[name] = keepRows(array, keep, rows.length);
        for (const [name, array] of Object.entries(evaluation))
          (evaluation as unknown as Record<string, Float32Array>)[name] = keepRows(
            array as Float32Array,
            keep,
            rows.length,
          );
        rows = keep.map((row) => rows[row]!);
      }
      attack.step(context, state, evaluation, i);
      if (!explores) threat.project(context.x, state.adv, d);
    }
  }
  await judgeAgain(target, request, result);
  return result;
};

/**
 * The attack's last point, with no success test: the inner loop of training, one gradient evaluation a step.
 */
export const perturb = async (target: Target, request: AttackRequest): Promise<Float32Array> => {
  const { attack, threat, seed } = request,
    { d } = target;
  const options = resolveOptions(attack.name, attack.options, request.options);
  const rows = Array.from(request.labels.keys()),
    steps = attack.steps(options);
  const stream = createRng(seed).split(attack.name).split(0);
  const context = contextOf(request, options, rows, d, steps, (i) => stream.split(request.ids?.[i] ?? i));
  const state: AttackState = attack.init(context);
  threat.project(context.x, state.adv, d);
  for (let i = 0; i < steps; i++) {
    const evaluation = await target.evaluate(state.adv, context.labels, attack.loss(options));
    attack.step(context, state, evaluation, i);
    threat.project(context.x, state.adv, d);
  }
  return state.adv;
};

const contextOf = (
  { x, labels, threat }: AttackRequest,
  options: OptionValues<OptionSpec>,
  rows: readonly number[],
  d: number,
  steps: number,
  rngFor: (example: number) => ReturnType<typeof createRng>,
): AttackContext<OptionValues<OptionSpec>> => {
  const n = rows.length;
  return {
    x: n === labels.length ? x.slice() : gather(x, rows, d),
    labels: Int32Array.from(rows, (i) => labels[i]!),
    n,
    d,
    threat,
    options,
    steps,
    rngFor: (row) => rngFor(rows[row]!),
  };
};

const shrink = <O>(context: AttackContext<O>, keep: readonly number[]): AttackContext<O> => ({
  ...context,
  x: keepRows(context.x, keep, context.n),
  labels: keepRows(context.labels, keep, context.n),
  n: keep.length,
  rngFor: (row) => context.rngFor(keep[row]!),
});

/** Rows of `x` named by `rows`, copied. */
export const gather = (x: Float32Array, rows: readonly number[], d: number): Float32Array => {
  const out = new Float32Array(rows.length * d);
  rows.forEach((row, i) => out.set(x.subarray(row * d, (row + 1) * d), i * d));
  return out;
};

const noteGradient = (largest: Float32Array, example: number, gradient: Float32Array, row: number, d: number): void => {
  if (largest[example]! > 0) return; // only whether there was any counts
  for (let i = row * d; i < (row + 1) * d; i++) {
    const size = Math.abs(gradient[i]!);
    if (size > largest[example]!) largest[example] = size;
  }
};

/** Projects what the attack reports and asks the model once more: only what still fools it counts. */
const judgeAgain = async (
  target: Target,
  { threat, x, labels }: AttackRequest,
  result: AttackResult,
): Promise<void> => {
  threat.project(x, result.adv, target.d);
  const rows = Array.from(labels.keys()).filter((i) => result.broken[i]);
  if (rows.length === 0) return;
  const logits = await target.logits(gather(result.adv, rows, target.d));
  rows.forEach((example, row) => {
    result.forwardEvaluations[example]!++;
    if (predictionOf(logits, row, target.classes) === labels[example]) result.broken[example] = 0;
  });
};
