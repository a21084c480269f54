import type { OptionSpec, OptionValues } from "../core/index.ts";
import type { Ranges } from "../threat/index.ts";
import { type Ascent, type Evaluation, project } from "./attack.ts";
import { type Front, gather } from "./front.ts";
import type { AttackRequest, AttackResult } from "./request.ts";
import type { Target } from "./target.ts";
import { marginOf, predictionOf } from "./verdict.ts";

/** A request that was checked, and what is known so far. */
export interface Run {
  readonly target: Target;
  readonly request: AttackRequest;
  readonly options: OptionValues<OptionSpec>;
  readonly steps: number;
  readonly restarts: number;
  readonly explores: boolean;
  /** Of all examples, where the set has them. */
  readonly ranges: Ranges | undefined;
  readonly result: AttackResult;
  /** Margin at each reported point. */
  readonly margins: Float64Array;
  /** 1 where the reported point is exactly one that the forward pass was asked about: it needs no second question. */
  readonly confirmed: Uint8Array;
}

/**
 * A point that the forward pass has judged wins over one that it has not, up to this share of its margin: so close, the
 * gradient's program cannot tell them apart for certain, and it would cost another forward pass to ask.
 */
const NEAR = 0.99;

/** Takes up what the model says about the points of the front: verdicts, counts, best points. Gives the rows to go on with. */
export const judge = (
  { target: { d, classes }, request: { threat, exhaustive }, explores, result, margins, confirmed }: Run,
  { rows, context: { x, labels }, state: { adv } }: Front,
  answer: Evaluation | Ascent,
): number[] => {
  const { best, margin, fools, asked, slope } = "next" in answer ? answer : seenAt(adv, labels, answer, classes);
  const withGradient = slope.length > 0,
    sure = !withGradient && !explores; // the forward pass itself, at the very point
  const inside = explores ? threat.contains(x, adv, d) : undefined;
  const counts = withGradient ? result.gradientEvaluations : result.forwardEvaluations;
  return Array.from(rows.keys()).filter((row) => {
    const example = rows[row]!,
      fooled = fools[row] === 1;
    counts[example]! += asked[row]!;
    if (withGradient && !(result.slope[example]! > 0)) result.slope[example] = slope[row]!;
    if (inside?.[row] === 0) return true;
    const tie = sure && fooled && confirmed[example] === 0 && margin[row]! >= NEAR * margins[example]!;
    if (margin[row]! > margins[example]! || (fooled && !result.broken[example]) || tie) {
      result.adv.set(best.subarray(row * d, (row + 1) * d), example * d);
      margins[example] = margin[row]!;
      confirmed[example] = sure ? 1 : 0;
    }
    if (fooled) result.broken[example] = 1;
    return exhaustive || !fooled;
  });
};

/** An evaluation of single points in the words of an ascent; no slopes where there are no gradients. */
const seenAt = (
  adv: Float32Array,
  labels: Int32Array,
  { logits, gradient }: Evaluation,
  classes: number,
): Omit<Ascent, "next"> => {
  const each = (f: (label: number, row: number) => number): Float32Array => Float32Array.from(labels, f),
    d = gradient.length / labels.length;
  return {
    best: adv,
    margin: each((label, row) => marginOf(logits, row, classes, label)),
    fools: each((label, row) => (predictionOf(logits, row, classes) === label ? 0 : 1)),
    asked: each(() => 1),
    slope: gradient.length > 0 ? each((_, row) => slopeOf(gradient, row, d)) : gradient,
  };
};

/** How steep the loss is at a row: the sum of its absolute gradient. */
const slopeOf = (gradient: Float32Array, row: number, d: number): number => {
  let sum = 0;
  for (let i = row * d; i < (row + 1) * d; i++) sum += Math.abs(gradient[i]!);
  return sum;
};

/**
 * Projects what the attack reports and asks the forward pass about what only the gradient's program has judged: what
 * still fools it counts.
 */
export const judgeAgain = async ({
  target: { d, classes, logits },
  request: { threat, x, labels },
  ranges,
  result,
  confirmed,
}: Run): Promise<void> => {
  project({ x, d, threat, ranges }, result.adv);
  const rows = Array.from(labels.keys()).filter((i) => result.broken[i] && !confirmed[i]);
  if (rows.length === 0) return;
  const answer = await logits(gather(result.adv, rows, d));
  rows.forEach((example, row) => {
    result.forwardEvaluations[example]!++;
    if (predictionOf(answer, row, classes) === labels[example]) result.broken[example] = 0;
  });
};
