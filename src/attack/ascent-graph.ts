import { filledLike } from "../autodiff/index.ts";
import { f32, i64, sizeOf } from "../core/index.ts";
import { constant, createGraph, emit, type Graph, input, type Shape, type Value } from "../graph/index.ts";
import type { LossName } from "../loss/index.ts";
import {
  add,
  and,
  argMax,
  cast,
  clip,
  equal,
  greater,
  IsNaN,
  less,
  maximum,
  minimum,
  mul,
  neg,
  not,
  or,
  reduceL1,
  reduceMax,
  repeat,
  reshape,
  scalarLike,
  sub,
  where,
} from "../ops/index.ts";
import { further, gradientGraph } from "./gradient-graph.ts";

/** What is handed on from step to step: the outputs of {@link ascentGraph}. */
interface States {
  readonly next: Value;
  readonly best: Value;
  readonly margin: Value;
  readonly fools: Value;
  readonly asked: Value;
  readonly slope: Value;
  readonly gradient: Value;
  readonly loss: Value;
  readonly logits: Value;
}

/**
 * Steps of gradient ascent along the sign of the gradient, and the best of the points on the way. Inputs: those of
 * {@link gradientGraph}, then `low` and `high` (shape of the input: the range of every element), `step_size`,
 * `exhaustive` (bool) and `steps` (int64).
 *
 * Outputs: `next`, the points after the steps; of all points before a step the one of largest margin, fooling ones before
 * others (`best`, `margin`, `fools`: 0 or 1); `asked`, how many gradients of an example count: all, or where it is not
 * `exhaustive` those up to its first fooling point, which then is its best; `slope`, its first sum of an absolute gradient
 * that is above 0; `gradient`, `loss` and `logits` at the points before the last step. A row stays where its gradient is
 * not finite.
 */
export const ascentGraph = (model: Graph, loss: LossName): Graph => {
  const inside = gradientGraph(model, loss),
    [x, ...fed] = inside.inputs as [Value, ...Value[]];
  const { gradient, loss: rows, logits } = inside.outputs as Record<"gradient" | "loss" | "logits", Value>;
  const more = [
    further(inside.inputs, "low", "float32", x.shape),
    further(inside.inputs, "high", "float32", x.shape),
    further(inside.inputs, "step_size", "float32", []),
    further(inside.inputs, "exhaustive", "bool", []),
  ] as const;
  const read = [...fed, ...more],
    [from, ...given] = [x, ...read].map(again) as [Value, ...Value[]],
    steps = further([x, ...read], "steps", "int64", []);
  const start = startOf(from, given[fed.length - 1]!, logits.shape),
    before: States = { ...mapStates(start, (v, name) => further([x, ...read], name, v.dtype, v.shape)), next: x };
  const [low, high, step, exhaustive] = more,
    slope = reduceL1(gradient, axesOf(x), false);
  const after: States = {
    next: stepped(x, gradient, slope, { low, high, step }),
    ...bestOf(before, verdictOf(logits, fed.at(-1)!), slope, exhaustive),
    gradient,
    loss: rows,
    logits,
  };
  const body = createGraph(model.name, [...Object.values(before), ...read], { ...after });
  const last = repeat(steps, body, Object.values(start), given);
  const results = mapStates(start, (_, name) => last[Object.keys(start).indexOf(name)]!);
  return createGraph(`${model.name}.ascent`, [from, ...given, steps], {
    ...results,
    fools: cast(results.fools, "float32"),
  });
};

/** A value of the body, as the graph around it has it. */
const again = ({ node, dtype, shape }: Value): Value => input(node.name, dtype, shape);
const mapStates = (states: States, f: (v: Value, name: string) => Value): States =>
  Object.fromEntries(Object.entries(states).map(([name, v]) => [name, f(v as Value, name)])) as unknown as States;

const axesOf = ({ shape }: Value): number[] => shape.slice(1).map((_, i) => i + 1);
/** Rows [N] with as many axes as `like`. */
const alongRows = (rows: Value, like: Shape): Value => reshape(rows, [like[0]!, ...like.slice(1).map(() => 1)]);

/** Before the first step: nothing is known, whatever a margin is. */
const startOf = (x: Value, labels: Value, logits: Shape): States => {
  const zero = filledLike(cast(labels, "float32"), 0);
  return {
    next: x,
    best: x,
    margin: filledLike(zero, -Infinity),
    fools: greater(zero, zero),
    asked: zero,
    slope: zero,
    gradient: x,
    loss: zero,
    logits: add(
      alongRows(zero, logits),
      constant(f32(new Float32Array(sizeOf(logits.slice(1))), [1, ...logits.slice(1)])),
    ),
  };
};

/** Large enough to make every normal float32 number a whole step. */
const HUGE = 3e38;

/** One step along the sign of the gradient, cut to the ranges of the elements. */
const stepped = (
  x: Value,
  gradient: Value,
  slope: Value,
  { low, high, step }: Readonly<Record<"low" | "high" | "step", Value>>,
): Value => {
  const signed = clip(mul(gradient, scalarLike(gradient, HUGE)), neg(step), step);
  const ahead = minimum(maximum(add(x, signed), low), high);
  return where(alongRows(less(slope, scalarLike(slope, Infinity)), x.shape), ahead, x);
};

interface Verdict {
  readonly margin: Value;
  readonly fools: Value;
}

/**
 * As `verdict.ts` has it: the largest wrong score minus the label's, and whether another class is predicted: of equal
 * scores the first. A row that holds NaN is fooled, by an infinite margin.
 */
const verdictOf = (logits: Value, labels: Value): Verdict => {
  const classes = sizeOf(logits.shape.slice(1)),
    n = logits.shape[0]!,
    z = reshape(logits, [n, classes]);
  const numbers = constant(
    i64(
      Array.from({ length: classes }, (_, k) => k),
      [1, classes],
    ),
  );
  const right = equal(numbers, reshape(labels, [n, 1])),
    least = scalarLike(z, -Infinity);
  const margin = sub(reduceMax(where(right, least, z), [1], false), reduceMax(where(right, z, least), [1], false));
  const bad = emit(IsNaN, [reduceL1(z, [1], false)]); // one that holds NaN, wherever that is
  return {
    margin: where(bad, scalarLike(z, Infinity), margin),
    fools: or(bad, not(equal(argMax(z, 1, false), labels))),
  };
};

/** Takes up the verdict at the points `next`, as the driver does after a single step. */
const bestOf = (
  { next, best, margin, fools, asked, slope }: States,
  found: Verdict,
  steepness: Value,
  exhaustive: Value,
): Pick<States, "best" | "margin" | "fools" | "asked" | "slope"> => {
  const open = or(exhaustive, not(fools)),
    better = or(greater(found.margin, margin), and(found.fools, not(fools))),
    taken = and(open, better);
  const flat = and(open, not(greater(slope, scalarLike(slope, 0))));
  return {
    best: where(alongRows(taken, next.shape), next, best),
    margin: where(taken, found.margin, margin),
    fools: or(fools, found.fools),
    asked: add(asked, cast(open, "float32")),
    slope: where(flat, steepness, slope),
  };
};
