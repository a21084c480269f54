import { bool, choice, int, type Rng } from "../core/index.ts";
import type { Threat } from "../threat/index.ts";
import { type AttackContext, defineAttack, type Evaluation, project } from "./attack.ts";

export interface ApgdState {
  [name: string]: Float32Array | Float64Array | Int32Array | Uint8Array;
  /** Point to evaluate, the one before it, and the one of highest loss with its gradient. */
  adv: Float32Array;
  previous: Float32Array;
  best: Float32Array;
  bestGradient: Float32Array;
  bestLoss: Float64Array;
  lastLoss: Float64Array;
  /** Best loss at the last checkpoint; how often the loss rose since; whether the step was cut there. */
  checkpointLoss: Float64Array;
  rises: Int32Array;
  cut: Uint8Array;
  step: Float64Array;
  /** l1: entries that a step moves, and non-zero entries of the best perturbation at the last checkpoint. */
  active: Float64Array;
  sparsity: Float64Array;
}

type Options = {
  readonly steps: number;
  readonly restarts: number;
  readonly largeEpsilon: boolean;
  readonly loss: "cross-entropy" | "dlr";
};
type Context = AttackContext<Options>;

const MOMENTUM = 0.75;
const RISE_SHARE = 0.75;
const L1_FIRST_SHARE = 0.2;

/** Steps after which the step length is looked at: intervals of 22 % of the steps, each 3 % shorter, at least 6 %. */
export const checkpoints = (steps: number): readonly number[] => {
  const least = Math.max(Math.trunc(0.06 * steps), 1),
    shorter = Math.max(Math.trunc(0.03 * steps), 1);
  const found: number[] = [];
  for (let at = 0, gap = Math.max(Math.trunc(0.22 * steps), 1); at + gap <= steps; gap = Math.max(gap - shorter, least))
    found.push((at += gap));
  return found;
};

/** Phases of the large-epsilon schedule for l1: set size in units of epsilon, and share of the steps. */
const PHASES = [
  [3, 0.3],
  [2, 0.3],
  [1, 0.4],
] as const;
const phaseOf = (i: number, { steps, options, threat }: Context): { radius: number; first: number; length: number } => {
  if (!options.largeEpsilon || threat.norm !== "l1") return { radius: 1, first: 0, length: steps };
  const a = Math.round(PHASES[0][1] * steps),
    b = a + Math.round(PHASES[1][1] * steps);
  return i < a
    ? { radius: 3, first: 0, length: a }
    : i < b
      ? { radius: 2, first: a, length: b - a }
      : { radius: 1, first: b, length: steps - b };
};
const enlarged = (threat: Threat, radius: number): Threat =>
  radius === 1 ? threat : threat.withEpsilon(radius * threat.epsilon);

export const apgd = defineAttack({
  name: "apgd-ce",
  summary: "Projected gradient ascent that adapts its step size: momentum, and restarts from the best point.",
  source: "Croce and Hein 2020 (l-inf, l2); Croce and Hein 2021, Mind the Box (l1)",
  access: "gradient",
  norms: ["linf", "l2", "l1"],
  options: {
    steps: int({ default: 100, min: 1, help: "gradient steps" }),
    restarts: int({ default: 1, min: 1, help: "independent starts; only unbroken examples start again" }),
    largeEpsilon: bool({ default: false, help: "l1: begin in a set three times, then twice as large" }),
    loss: choice(["cross-entropy", "dlr"], { default: "cross-entropy", help: "loss that the steps raise" }),
  },
  loss: ({ loss }) => loss,
  steps: ({ steps }) => steps,
  restarts: ({ restarts }) => restarts,
  explores: ({ largeEpsilon }) => largeEpsilon,
  init: (context: Context): ApgdState => {
    const { n, d } = context;
    const { radius } = phaseOf(0, context),
      set = enlarged(context.threat, radius);
    const adv = start(context, set);
    // The enlarged schedule begins as sparse as its start, as in the reference code; a plain start has its own share.
    const first = radius === 1 ? undefined : sparsityOf(context, adv);
    return {
      adv,
      previous: adv.slice(),
      best: adv.slice(),
      bestGradient: new Float32Array(n * d),
      bestLoss: new Float64Array(n).fill(-Infinity),
      lastLoss: new Float64Array(n),
      checkpointLoss: new Float64Array(n),
      rises: new Int32Array(n),
      cut: new Uint8Array(n).fill(1),
      step: new Float64Array(n).fill((context.threat.norm === "l1" ? 1 : 2) * set.epsilon),
      active: first?.map((nonzero) => nonzero / 1.5) ?? new Float64Array(n).fill(L1_FIRST_SHARE * d),
      sparsity: first ?? new Float64Array(n).fill(d),
    };
  },
  step: (context: Context, state: ApgdState, evaluation, i) => {
    const { radius, first, length } = phaseOf(i, context),
      set = enlarged(context.threat, radius),
      k = i - first;
    keepBest(context, state, evaluation, k);
    if (k === 0 && i > 0) return enterPhase(context, state, set);
    if (context.threat.norm === "l1") {
      if (k > 0 && k % Math.max(Math.trunc(0.04 * length), 1) === 0) reviewSparse(context, state, evaluation, set);
      moveSparse(context, state, evaluation, set);
    } else {
      if (k === 0) state.checkpointLoss.set(state.bestLoss);
      const reviews = checkpoints(length),
        at = reviews.indexOf(k);
      if (at >= 0) review(context, state, evaluation, k - (reviews[at - 1] ?? 0));
      move(context, state, evaluation, k === 0 ? 1 : MOMENTUM);
    }
  },
});

/** l-inf: a uniform direction that reaches epsilon; l2: a Gaussian direction of length epsilon; l1: projected noise. */
const start = ({ x, n, d, rngFor }: Context, set: Threat): Float32Array => {
  const adv = x.slice(),
    noise = new Float32Array(d);
  for (let row = 0; row < n; row++) {
    fillNoise(noise, set, rngFor(row));
    for (let j = 0; j < d; j++) adv[row * d + j]! += noise[j]!;
  }
  set.project(x, adv, d);
  return adv;
};
const fillNoise = (noise: Float32Array, { norm, epsilon }: Threat, rng: Rng): void => {
  if (norm === "linf") rng.fillUniform(noise, -1, 1);
  else rng.fillNormal(noise, 0, 1);
  if (norm === "l1") return; // projected onto the set, which keeps the largest entries
  let size = 0;
  for (const v of noise) size = norm === "linf" ? Math.max(size, Math.abs(v)) : size + v * v;
  const factor = epsilon / ((norm === "linf" ? size : Math.sqrt(size)) + 1e-12);
  for (let j = 0; j < noise.length; j++) noise[j]! *= factor;
};

/** Takes up the evaluation of `adv`: counts rises of the loss, keeps the best point and its gradient. */
const keepBest = ({ n, d }: Context, state: ApgdState, { loss, gradient }: Evaluation, k: number): void => {
  for (let row = 0; row < n; row++) {
    const value = loss[row]!;
    if (k > 0 && value > state.lastLoss[row]!) state.rises[row]!++;
    state.lastLoss[row] = value;
    if (value > state.bestLoss[row]!) {
      state.bestLoss[row] = value;
      copyRow(state.adv, state.best, row, d);
      copyRow(gradient, state.bestGradient, row, d);
    }
  }
};

/** Halves the step where the loss rose too rarely, or stood still at an uncut step; goes on from the best point. */
const review = ({ n, d }: Context, state: ApgdState, { gradient }: Evaluation, interval: number): void => {
  for (let row = 0; row < n; row++) {
    const oscillates = state.rises[row]! <= RISE_SHARE * interval;
    const stands = state.cut[row] === 0 && state.checkpointLoss[row]! >= state.bestLoss[row]!;
    const cut = oscillates || stands;
    state.cut[row] = cut ? 1 : 0;
    state.checkpointLoss[row] = state.bestLoss[row]!;
    state.rises[row] = 0;
    if (!cut) continue;
    state.step[row]! /= 2;
    copyRow(state.best, state.adv, row, d);
    copyRow(state.bestGradient, gradient, row, d);
  }
};

/** x_{k+1} = P(x_k + a (P(x_k + step d) - x_k) + (1 - a)(x_k - x_{k-1})), d the steepest direction. */
const move = (context: Context, state: ApgdState, { gradient }: Evaluation, a: number): void => {
  const { n, d, threat } = context;
  const { adv, previous, step } = state,
    next = adv.slice();
  threat.ascend(next, gradient, step, d);
  project(context, next);
  for (let j = 0; j < n * d; j++) {
    const here = adv[j]!;
    adv[j] = here + a * (next[j]! - here) + (1 - a) * (here - previous[j]!);
    previous[j] = here;
  }
  settle(context, state, threat);
};

/** Number of changed elements of every row; at least 1, so that it can divide. */
const sparsityOf = ({ x, n, d }: Context, adv: Float32Array): Float64Array =>
  Float64Array.from({ length: n }, (_, row) => {
    let changed = 0;
    for (let j = row * d; j < (row + 1) * d; j++) if (adv[j] !== x[j]) changed++;
    return Math.max(changed, 1);
  });

/** l1 checkpoint: the best perturbation's sparsity sets that of the steps; a sparser one gets long steps again. */
const reviewSparse = (context: Context, state: ApgdState, { gradient }: Evaluation, set: Threat): void => {
  const { n, d } = context,
    now = sparsityOf(context, state.best);
  for (let row = 0; row < n; row++) {
    const sparser = now[row]! / state.sparsity[row]! < 0.95;
    state.step[row] = sparser ? set.epsilon : Math.max(state.step[row]! / 1.5, set.epsilon / 10);
    if (!sparser) continue;
    copyRow(state.best, state.adv, row, d);
    copyRow(state.bestGradient, gradient, row, d);
  }
  state.sparsity = now;
  state.active = now.map((changed) => changed / 1.5);
};

/** l1 step: the signs of the largest gradient entries, divided by their number, times the step length. */
const moveSparse = (context: Context, state: ApgdState, { gradient }: Evaluation, set: Threat): void => {
  set.ascend(state.adv, gradient, state.step, context.d, { keep: state.active });
  settle(context, state, set);
};

/** An attack that explores projects by itself; else the driver does it. */
const settle = ({ x, d, options }: Context, { adv }: ApgdState, set: Threat): void => {
  if (options.largeEpsilon) set.project(x, adv, d);
};

/** A smaller set begins: the best point so far is projected onto it, and its sparsity is the first of the steps. */
const enterPhase = (context: Context, state: ApgdState, set: Threat): void => {
  state.adv.set(state.best);
  set.project(context.x, state.adv, context.d);
  state.best.set(state.adv);
  state.bestLoss.fill(-Infinity);
  state.step.fill(set.epsilon);
  state.sparsity = sparsityOf(context, state.adv);
  state.active = state.sparsity.map((changed) => changed / 1.5);
};

const copyRow = (from: Float32Array, to: Float32Array, row: number, d: number): void =>
  to.set(from.subarray(row * d, (row + 1) * d), row * d);
