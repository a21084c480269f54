import { filledLike, stopGradient, vjp } from "../autodiff/index.ts";
import { i64 } from "../core/index.ts";
import { constant, named, type Value } from "../graph/index.ts";
import {
  add,
  addScalar,
  cast,
  iterate,
  not,
  or,
  reduceL1,
  reshape,
  scalarLike,
  less,
  scale,
  where,
} from "../ops/index.ts";

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
  /** What to remember of where the first step is taken from. */
  readonly watch?: ((at: InnerStep & Raised) => Value) | undefined;
}

export interface InnerSolution {
  readonly points: readonly Value[];
  /** Gradients that each example took, [N] float32. */
  readonly evaluations: Value;
  /** What was watched at the starts; absent where no step was taken. */
  readonly first?: Value | undefined;
}

/** Steps that are written one after another, where their number is known: above it they are a loop's body. */
const WRITTEN = 2;

/**
 * Steps of ascent as nodes of the graph around. Constants to differentiation: the solution does not depend on weights.
 * Rows whose gradient is not finite do not move.
 */
export const ascendWithin = (problem: InnerProblem): InnerSolution => {
  const { examples, starts, steps, watch } = problem,
    n = starts.length;
  const flat = examples.shape.length > 1 ? reduceL1(examples, axesOf(examples), false) : examples,
    zero = filledLike(cast(flat, "float32"), 0);
  if (n === 0 || steps === 0) return { points: starts.map(stopGradient), evaluations: zero };
  const seen = watch ? [scale(watchedAt(problem), 0)] : [];
  const before: readonly Value[] = [...starts, zero, zero, scalarLike(zero, 0), ...seen];
  const step = (states: readonly Value[]): readonly Value[] => named("inner", () => advance(problem, states));
  let states = before;
  if (typeof steps === "number" && steps <= WRITTEN) for (let i = 0; i < steps; i++) states = step(states);
  else states = iterate("inner", typeof steps === "number" ? constant(i64([steps], [])) : steps, before, step);
  const after = states.map(stopGradient);
  return { points: after.slice(0, n), evaluations: after[n + 1]!, first: after[n + 3] };
};

/** What would be watched, for its type alone. */
const watchedAt = ({ starts, raise, watch }: InnerProblem): Value => {
  const raised = raise(starts);
  return watch!({ point: starts[0]!, gradient: starts[0]!, time: scalarLike(raised.rows, 0), ...raised });
};

const axesOf = ({ shape }: Value): number[] => shape.slice(1).map((_, i) => i + 1);
/** Rows [N] with as many axes as `like`. */
const alongRows = (rows: Value, { shape }: Value): Value => reshape(rows, [shape[0]!, ...shape.slice(1).map(() => 1)]);

/** States: the points, then of every example 1 where it stays and the gradients so far, then the time. */
const advance = (
  { starts, perExample = true, raise, move, stays, watch }: InnerProblem,
  states: readonly Value[],
): readonly Value[] => {
  const points = states.slice(0, starts.length),
    [stayed, evaluations, time, first] = states.slice(starts.length) as [Value, Value, Value, Value];
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
    ...(watch ? [where(less(time, scalarLike(time, 0.5)), watch({ ...at(0), ...raised }), first)] : []),
  ];
};
