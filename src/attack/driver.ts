import { createRng, type OptionValues, type OptionSpec, resolveOptions, type Rng, TemperError } from "../core/index.ts";
import type { AnyAttack, Evaluation } from "./attack.ts";
import { createFront, type Front, gather, shrink } from "./front.ts";
import type { AttackRequest, AttackResult } from "./request.ts";
import type { Target } from "./target.ts";
import { marginOf, predictionOf } from "./verdict.ts";

type Options = OptionValues<OptionSpec>;

/** A request that was checked, and what is known so far. */
interface Run {
  readonly target: Target;
  readonly request: AttackRequest;
  readonly options: Options;
  readonly steps: number;
  readonly restarts: number;
  readonly explores: boolean;
  readonly result: AttackResult;
  /** Margin at each reported point. */
  readonly margins: Float64Array;
  /** 1 where the reported point is exactly one that the forward pass was asked about: it needs no second question. */
  readonly confirmed: Uint8Array;
}

/**
 * Runs an attack on a batch. Every point it reports was projected onto the set, and what it calls broken was judged by
 * the model's forward pass at that very point.
 *
 * @throws TemperError `bad-option` for options or a norm that the attack does not have; `bad-shape`; `bad-data` for
 * pixels outside of the box and for labels that the model does not have
 */
export const runAttack = async (target: Target, request: AttackRequest): Promise<AttackResult> => {
  const run = prepare(target, request);
  const root = createRng(request.seed).split(request.attack.name);
  let complete = true;
  for (let restart = 0; restart < run.restarts && complete; restart++)
    complete = await runOnce(run, restart, root.split(restart));
  await judgeAgain(run);
  return { ...run.result, complete };
};

const prepare = (target: Target, request: AttackRequest): Run => {
  const { attack, x, threat } = request,
    n = request.labels.length;
  const options = resolveOptions(attack.name, attack.options, request.options) as Options;
  if (!attack.norms.includes(threat.norm))
    throw new TemperError("bad-option", `${attack.name} attacks in ${attack.norms.join(", ")}, not in ${threat.norm}.`);
  checkBatch(target, request);
  return {
    target,
    request,
    options,
    steps: attack.steps(options),
    restarts: attack.restarts(options),
    explores: attack.explores?.(options) ?? false,
    result: {
      adv: x.slice(),
      broken: new Uint8Array(n),
      gradientEvaluations: new Int32Array(n),
      forwardEvaluations: new Int32Array(n),
      largestGradient: new Float32Array(n),
      complete: true,
    },
    margins: new Float64Array(n).fill(-Infinity),
    confirmed: new Uint8Array(n),
  };
};

const checkBatch = ({ d, classes }: Target, { attack, x, labels, ids, threat }: AttackRequest): void => {
  const n = labels.length;
  if (x.length !== n * d || (ids && ids.length !== n))
    throw new TemperError(
      "bad-shape",
      `${attack.name}: ${n} labels need ${n} x ${d} pixels and as many ids, got ${x.length} pixels and ${ids?.length ?? n} ids.`,
    );
  threat.check(x, d);
  const bad = labels.findIndex((label) => !(label >= 0 && label < classes));
  if (bad >= 0)
    throw new TemperError(
      "bad-data",
      `${attack.name}: label ${labels[bad]} of example ${bad} is not one of the model's ${classes} classes.`,
    );
};

/** One start: steps until all its examples are broken or the steps are used up. False where the caller cancelled. */
const runOnce = async (run: Run, restart: number, stream: Rng): Promise<boolean> => {
  const { target, request, options, steps, restarts, explores, result } = run,
    { attack, exhaustive, cancelled, onStep } = request,
    { d } = target;
  const rows = Array.from(request.labels.keys()).filter((i) => exhaustive || !result.broken[i]);
  if (rows.length === 0) return true;
  const front = createFront(request, options, rows, d, stream);
  for (let i = 0; i <= steps; i++) {
    if (cancelled?.()) return false;
    if (!explores) front.context.project(front.state.adv);
    const gradient = attack.access === "gradient" && i < steps;
    const evaluation = await ask(target, front, gradient ? attack.loss(options) : undefined);
    const keep = judge(run, front, evaluation);
    onStep?.(restart * (steps + 1) + i + 1, restarts * (steps + 1));
    if (i === steps || keep.length === 0) break;
    const kept = keep.length < front.rows.length ? shrink(front, evaluation, keep) : evaluation;
    attack.step(front.context, front.state, kept, i);
  }
  return true;
};

/** The last point needs no gradient, attacks without gradients none at all. */
const ask = async (
  target: Target,
  { state, context }: Front,
  loss: ReturnType<AnyAttack["loss"]> | undefined,
): Promise<Evaluation> =>
  loss
    ? target.evaluate(state.adv, context.labels, loss)
    : { gradient: new Float32Array(), loss: new Float32Array(), logits: await target.logits(state.adv) };

/** Takes up what the model says about the points of the front: verdicts, counts, best points. Gives the rows to go on with. */
const judge = (
  { target: { d, classes }, request: { threat, exhaustive }, explores, result, margins, confirmed }: Run,
  { rows, context: { x, labels }, state: { adv } }: Front,
  { logits, gradient }: Evaluation,
): number[] => {
  const withGradient = gradient.length > 0;
  const inside = explores ? threat.contains(x, adv, d) : undefined;
  const counts = withGradient ? result.gradientEvaluations : result.forwardEvaluations;
  return Array.from(rows.keys()).filter((row) => {
    const example = rows[row]!,
      label = labels[row]!;
    counts[example]!++;
    noteGradient(result.largestGradient, example, gradient, row, d);
    if (inside?.[row] === 0) return true;
    const fools = predictionOf(logits, row, classes) !== label,
      margin = marginOf(logits, row, classes, label);
    if (margin > margins[example]! || (fools && !result.broken[example])) {
      result.adv.set(adv.subarray(row * d, (row + 1) * d), example * d);
      margins[example] = margin;
      confirmed[example] = withGradient || explores ? 0 : 1;
    }
    if (fools) result.broken[example] = 1;
    return exhaustive || !fools;
  });
};

/**
 * The attack's last point, with no success test: the inner loop of training, one gradient evaluation a step. Every
 * example is attacked for all steps, from its first start; the result lies in the set.
 * @throws as {@link runAttack}
 */
export const perturb = async (target: Target, request: AttackRequest): Promise<Float32Array> => {
  const { options, steps, explores } = prepare(target, request),
    { attack, labels, seed } = request,
    { d } = target;
  const stream = createRng(seed).split(attack.name).split(0);
  const front = createFront(request, options, Array.from(labels.keys()), d, stream),
    { context } = front;
  for (let i = 0; i < steps; i++) {
    if (!explores) context.project(front.state.adv);
    const loss = attack.access === "gradient" ? attack.loss(options) : undefined;
    attack.step(context, front.state, await ask(target, front, loss), i);
  }
  return context.project(front.state.adv);
};

/** Only whether there was any gradient counts, so that later steps need not look. */
const noteGradient = (largest: Float32Array, example: number, gradient: Float32Array, row: number, d: number): void => {
  if (largest[example]! > 0 || gradient.length === 0) return;
  for (let i = row * d; i < (row + 1) * d; i++) {
    const size = Math.abs(gradient[i]!);
    if (size > largest[example]!) largest[example] = size;
  }
};

/**
 * Projects what the attack reports and asks the forward pass about what only the gradient's program has judged: what
 * still fools it counts.
 */
const judgeAgain = async ({
  target: { d, classes, logits },
  request: { threat, x, labels },
  result,
  confirmed,
}: Run): Promise<void> => {
  threat.project(x, result.adv, d);
  const rows = Array.from(labels.keys()).filter((i) => result.broken[i] && !confirmed[i]);
  if (rows.length === 0) return;
  const answer = await logits(gather(result.adv, rows, d));
  rows.forEach((example, row) => {
    result.forwardEvaluations[example]!++;
    if (predictionOf(answer, row, classes) === labels[example]) result.broken[example] = 0;
  });
};
