import {
  createRng,
  type OptionValues,
  type OptionSpec,
  release,
  resolveOptions,
  type Rng,
  TemperError,
} from "../core/index.ts";
import { type Ascent, type Evaluation, project } from "./attack.ts";
import { createFront, type Front, keepAll, shrink } from "./front.ts";
import { judge, judgeAgain, type Run } from "./judge.ts";
import type { AttackRequest, AttackResult } from "./request.ts";
import type { Target } from "./target.ts";

type Options = OptionValues<OptionSpec>;

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
    ranges: threat.ranges(x, target.d),
    result: {
      adv: x.slice(),
      broken: new Uint8Array(n),
      gradientEvaluations: new Int32Array(n),
      forwardEvaluations: new Int32Array(n),
      slope: new Float32Array(n),
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
  const { request, steps, restarts, result } = run,
    { exhaustive, cancelled, onStep } = request;
  const rows = Array.from(request.labels.keys()).filter((i) => exhaustive || !result.broken[i]);
  if (rows.length === 0) return true;
  const front = begin(run, rows, stream);
  for (let i = 0; i <= steps;) {
    if (cancelled?.()) return false;
    const n = front.rows.length,
      together = Math.min(exhaustive ? steps : front.together, run.target.stepsInCall(n));
    const answer = await ask(run, front, i, together),
      keep = judge(run, front, answer);
    i += takenIn(answer);
    onStep?.(restart * (steps + 1) + i, restarts * (steps + 1));
    if (i > steps || keep.length === 0) break;
    front.together = keep.length > (1 - FEW) * n ? 2 * front.together : 1;
    move(run, front, answer, keep, i);
  }
  return true;
};

/**
 * Share of the examples that may fall in a call while calls get longer: their further steps are for nothing, but a call
 * costs something too.
 */
const FEW = 1 / 16;

/** Steps that an answer stands for: a row that stands was asked at each. */
const takenIn = (answer: Evaluation | Ascent): number => ("next" in answer ? Math.max(...answer.asked) : 1);

/** The start of an attack on the examples `rows`. */
const begin = ({ request, options, explores, ranges, target }: Run, rows: readonly number[], stream: Rng): Front => {
  const front = createFront(request, options, rows, { d: target.d, ranges, stream });
  if (!explores) project(front.context, front.state.adv);
  return front;
};

/**
 * What the model says about the points. The last ones need no gradient, attacks without gradients none at all.
 * @param together  steps at most, where the target takes them itself
 */
const ask = async (
  { target, request: { attack, exhaustive = false }, options, steps }: Run,
  { state, context }: Front,
  i: number,
  together: number,
): Promise<Evaluation | Ascent> => {
  if (attack.access !== "gradient" || i === steps)
    return { gradient: new Float32Array(), loss: new Float32Array(), logits: await target.logits(state.adv) };
  const loss = attack.loss(options),
    length = attack.stepLength?.(context),
    { labels, ranges } = context;
  return target.ascend && length !== undefined && ranges
    ? target.ascend(state.adv, labels, loss, { length, ranges, exhaustive, steps: Math.min(together, steps - i) })
    : target.evaluate(state.adv, labels, loss);
};

/**
 * Takes the attack's step onto the set, or those that the program took, with the rows in `keep` only.
 * @param i  steps with this one
 */
const move = (run: Run, front: Front, answer: Evaluation | Ascent, keep: readonly number[], i: number): void => {
  const { attack } = run.request,
    all = keep.length === front.rows.length;
  if ("next" in answer) {
    const { adv } = front.state;
    if (i > takenIn(answer)) release([adv]); // what the program gave before; the first points are the attack's own
    if (answer.best !== adv) release([answer.best]);
    front.state.adv = answer.next;
    if (!all) shrink(front, keep);
    return;
  }
  const n = front.rows.length;
  if (!all) shrink(front, keep);
  attack.step(front.context, front.state, all ? answer : keepAll(answer, keep, n), i - 1);
  if (!run.explores) project(front.context, front.state.adv);
};
