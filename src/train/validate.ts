import { pgd, predictionOf, runAttack } from "../attack/index.ts";
import { batchBetween, countOf } from "../data/index.ts";
import type { EpochRecord } from "./config.ts";
import type { Run } from "./run.ts";

/** Gradient steps of the validation attack. */
const STEPS = 10;

/** Reports of the loss's terms. */
const TERM = "term.";

/** The history's line of the epoch that has just ended. Changes nothing in the run. */
export const closeEpoch = async (run: Run, seconds: number): Promise<EpochRecord> => {
  const { state, perEpoch, job } = run;
  const { clean, robust } = await validate(run);
  return {
    epoch: state.step / perEpoch,
    step: state.step,
    loss: (state.sums["loss"] ?? 0) / perEpoch,
    terms: Object.fromEntries(
      Object.entries(state.sums).flatMap(([name, sum]) =>
        name.startsWith(TERM) ? [[name.slice(TERM.length), sum / perEpoch]] : [],
      ),
    ),
    trainAccuracy: (state.sums["right"] ?? 0) / (perEpoch * job.config.options.batchSize),
    validationAccuracy: clean,
    validationRobustAccuracy: robust,
    lr: run.scalarsAt(state.step - 1).lr,
    gradientEvaluations: state.gradientEvaluations,
    seconds,
  };
};

/** Clean accuracy on the first validation examples, and accuracy under PGD; null where there are none. */
const validate = async ({
  job,
  target,
  threat,
}: Run): Promise<{ readonly clean: number | null; readonly robust: number | null }> => {
  const { validation, config } = job,
    { batchSize, seed } = config.options;
  const n = validation ? Math.min(config.options.validation, countOf(validation)) : 0;
  if (!validation || n === 0) return { clean: null, robust: null };
  let clean = 0,
    robust = 0;
  for (let at = 0; at < n; at += batchSize) {
    const end = Math.min(at + batchSize, n);
    const { x, labels } = batchBetween(validation, at, end);
    const logits = await target.logits(x);
    const ids = Int32Array.from(labels, (_, row) => at + row);
    const { broken } = await runAttack(target, {
      attack: pgd,
      options: { steps: STEPS },
      threat,
      x,
      labels,
      ids,
      seed,
    });
    labels.forEach((label, row) => {
      if (predictionOf(logits, row, target.classes) !== label) return;
      clean++;
      if (!broken[row]) robust++;
    });
  }
  return { clean: clean / n, robust: robust / n };
};
