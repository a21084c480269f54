import {
  type AttackRow,
  type EvaluationProgress,
  type EvaluationResult,
  fraction,
  idleShare,
} from "../evaluate/index.ts";
import { formatTable } from "../report/index.ts";
import { formatEpsilon } from "../threat/index.ts";
import type { Output } from "./output.ts";
import { fractionText, percent } from "./shared-options.ts";

/** Progress lines; the clean accuracy is printed the moment it is known. */
export const progressOn =
  (output: Output): ((progress: EvaluationProgress) => void) =>
  ({ phase, attack, epsilon, done, total, accuracy }) => {
    if (phase === "attack")
      return output.progress(`${attack} at ${formatEpsilon(epsilon!)}`, done, total, `standing ${percent(accuracy)}`);
    if (done < total) return output.progress("clean", done, total, `right ${percent(accuracy)}`);
    output.print(`clean accuracy  ${fractionText(fraction(Math.round(accuracy * total), total))}`);
  };

/** One line an attack: what it was given, what it broke, what it cost. */
export const attackTable = (attacks: readonly AttackRow[]): string =>
  formatTable(
    ["attack", "tried", "broken", "accuracy after", "gradients each", "forwards each", "seconds"],
    attacks.map((row) => [
      row.name,
      String(row.attempted),
      String(row.broken),
      percent(row.robustAccuracy.value),
      row.gradientEvaluations.toFixed(1),
      row.forwardEvaluations.toFixed(1),
      row.seconds.toFixed(1),
    ]),
  );

/** Everything after the clean accuracy. */
export const printResult = (output: Output, result: EvaluationResult): void => {
  const { threat, robustAccuracy, attacks, sweep, seconds, machine, doubts, cost, seed, run } = result;
  output.print(`robust accuracy ${fractionText(robustAccuracy)} under ${threat.norm} ${formatEpsilon(threat.epsilon)}`);
  output.print(`\n${attackTable(attacks)}`);
  if (sweep.some((row) => row.epsilon < threat.epsilon))
    output.print("What a smaller epsilon broke is not tried again.");
  if (sweep.length > 1) output.print(`\n${sweepTable(result)}`);
  for (const { code, message } of doubts) output.print(`\nDoubt (${code}): ${message}`);
  output.print(
    `\n${seconds.total.toFixed(1)} s on ${machine.cpu}, ${machine.threads} ${machine.threads === 1 ? "thread" : "threads"}, batches of ${run.batch}${run.lanes > 1 ? `, ${run.lanes} at once` : ""}, engine idle for ${percent(idleShare(seconds))}; ` +
      `${cost.gradientEvaluations} gradient and ${cost.forwardEvaluations} forward evaluations; seed ${seed}`,
  );
};

const sweepTable = ({ sweep }: EvaluationResult): string =>
  formatTable(
    ["epsilon", "examples", "robust accuracy", "95 % interval"],
    sweep.map(({ epsilon, robustAccuracy: { value, low, high, count } }) => [
      formatEpsilon(epsilon),
      String(count),
      percent(value),
      `${(100 * low).toFixed(2)} to ${(100 * high).toFixed(2)}`,
    ]),
  );
