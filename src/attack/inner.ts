import { filledLike, stopGradient, vjp } from "../autodiff/index.ts";
import { i64 } from "../core/index.ts";
import { constant, named, type Value } from "../graph/index.ts";
import { add, addScalar, cast, iterate, not, or, reduceL1, reshape, scalarLike, less, where } from "../ops/index.ts";

/** What the loss is at points that an inner problem asks about. */
export interface Raised {
  /** One number an example, [N], whose sum is raised. */
  readonly rows: Value;
  /** Scores [N, K], where the stop rule or the caller wants them. */
  readonly logits: Value;
}

/** Where a step is taken from. `time` counts from 0, float32 scalar. */
export interface InnerStep {
  readonly point: Value;
  readonly gradient: Value;
  readonly time: Value;
}

/** Tells of every example whether it moves no more: of what is known at the point that a step would be taken from. */
export type Stays = (at: InnerStep & Raised) => Value;

/**
 * A problem of ascent inside a graph: points (pixels, latents, weights; several at once), a loss, and how a step moves
 * each of them: rule and projections. Sources: Madry et al. 2018; what differs from recipe to recipe is in the parts.
 */
export interface InnerProblem {
  /** Any value [N, ...]: how many examples there are. */
  readonly examples: Value;
  readonly starts: readonly Value[];
  /** Whether points have a row for each example (default), or are values that all share: weights. */
  readonly perExample?: boolean;
  readonly raise: (points: readonly Value[]) => Raised;
  /** Of starts[i], from its gradient. Not called where an example stays. */
  readonly move: (step: InnerStep, i: number) => Value;
  /** How many: a number, or an int64 scalar that may differ from run to run. */
  readonly steps: number | Value;
  /** Rows that stop; default: none does. They count no further gradients. */
  readonly stays?: Stays | undefined;
}

export interface InnerSolution {
  readonly points: readonly Value[];
  /** Gradients that each example took, [N] float32. */
  readonly evaluations: Value;
}

/** Steps that are written one after another, where their number is known: above it they are a loop's body. */
const WRITTEN = 2;

/**
 * Steps of ascent as nodes of the graph around. Constants to differentiation: the solution does not depend on weights.
 * Rows whose gradient is not finite do not move.
 */
export const ascendWithin = (problem: InnerProblem): InnerSolution => {
  const { examples, starts, steps } = problem,
    zero = filledLike(cast(examples.shape.length > 1 ? reduceL1(examples, axesOf(examples), false) : examples, "float32"), 0);
  if (starts.length === 0 || steps === 0) return solutionOf(starts, zero);
  const before: readonly Value[] = [...starts, zero, zero, scalarLike(zero, 0)];
  const step = (states: readonly Value[]): readonly Value[] => named("inner", () => advance(problem, states));
  if (typeof steps === "number" && steps <= WRITTEN) {
    let states = before;
    for (let i = 0; i < steps; i++) states = step(states);
    return solutionOf(states.slice(0, starts.length), states[starts.length + 1]!);
  }
  const count = typeof steps === "number" ? constant(i64([steps], [])) : steps,
    last = iterate("inner", count, before, step);
  return solutionOf(last.slice(0, starts.length), last[starts.length + 1]!);
};

const solutionOf = (points: readonly Value[], evaluations: Value): InnerSolution => ({
  points: points.map(stopGradient),
  evaluations: stopGradient(evaluations),
});

const axesOf = ({ shape }: Value): number[] => shape.slice(1).map((_, i) => i + 1);
/** Rows [N] with as many axes as `like`. */
const alongRows = (rows: Value, { shape }: Value): Value => reshape(rows, [shape[0]!, ...shape.slice(1).map(() => 1)]);

/** States: the points, then of every example 1 where it stays and the gradients so far, then the time. */
const advance = (
  { starts, perExample = true, raise, move, stays }: InnerProblem, states: readonly Value[]): readonly Value[] => {
  const points = states.slice(0, starts.length),
    [stayed, evaluations, time] = states.slice(starts.length) as [Value, Value, Value];
  const raised = raise(points),
    gradients = vjp([raised.rows], [filledLike(raised.rows, 1)], points).map((g, i) => g ?? filledLike(points[i]!, 0));
  const at = (i: number): InnerStep => ({ point: points[i]!, gradient: gradients[i]!, time });
  const still = less(stayed, scalarLike(stayed, 0.5)), // those that still ask
    stop = stays && or(not(still), stays({ ...at(0), ...raised }));
  const moved = points.map((point, i) => {
    if (!perExample) return move(at(i), i);
    const finite = less(reduceL1(gradients[i]!, axesOf(point), false), scalarLike(stayed, Infinity));
    const goes = stop ? less(cast(stop, "float32"), cast(finite, "float32")) : finite;
    return where(alongRows(goes, point), move(at(i), i), point);
  });
  return [
    ...moved,
    stop ? cast(stop, "float32") : stayed,
    stop ? add(evaluations, cast(still, "float32")) : addScalar(evaluations, 1),
    addScalar(time, 1),
  ];
};
