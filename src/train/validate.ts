import { type AnyAttack, fgsm, pgd, predictionOf, runAttack } from "../attack/index.ts";
import { batchBetween, countOf } from "../data/index.ts";
import type { EpochRecord } from "./config.ts";
import type { Run } from "./run.ts";

/** Gradient steps of the validation attack. */
const STEPS = 10;

/** Reports of the loss's terms. */
const TERM = "term.";
/** Reports that have a place of their own in the history. */
const COUNTED = new Set(["loss", "right", "evaluations"]);

/** The history's line of the epoch that has just ended. Changes nothing in the run. */
export const closeEpoch = async (run: Run, seconds: number, { working, waited }: Spent): Promise<EpochRecord> => {
  const { state, perEpoch, job } = run,
    { clean, robust } = await validate(run);
  return {
    epoch: state.step / perEpoch,
    step: state.step,
    loss: (state.sums["loss"] ?? 0) / perEpoch,
    terms: Object.fromEntries(
      Object.entries(state.sums).flatMap(([name, sum]) =>
        name.startsWith(TERM) ? [[name.slice(TERM.length), sum / perEpoch]] : [],
      ),
    ),
    measures: Object.fromEntries(
      Object.entries(state.sums).flatMap(([name, sum]) =>
        name.startsWith(TERM) || COUNTED.has(name) ? [] : [[name, sum / perEpoch]],
      ),
    ),
    trainAccuracy: (state.sums["right"] ?? 0) / (perEpoch * job.config.options.batchSize),
    validationAccuracy: clean,
    validationRobustAccuracy: robust,
    probe: job.config.options.guard === "none" ? null : await probe(run),
    lr: run.scalarsAt(state.step - 1).lr,
    imagesPerSecond: (perEpoch * job.config.options.batchSize) / Math.max(working, 1e-9),
    idleShare: waited / Math.max(working, 1e-9),
    gradientEvaluations: state.gradientEvaluations,
    seconds,
  };
};

/** Seconds of an epoch's steps, and how many of them the engine waited for data. */
export interface Spent {
  readonly working: number;
  readonly waited: number;
}

/** Examples of the guard's probe: the first of the training data. */
const PROBED = 256;

/** Accuracy of the first training examples under FGSM and under PGD-5. */
const probe = async ({ job: { train, config }, target, threat }: Run): Promise<NonNullable<EpochRecord["probe"]>> => {
  const { x, labels } = batchBetween(train, 0, Math.min(PROBED, countOf(train))),
    ids = Int32Array.from(labels.keys()),
    { seed } = config.options;
  const right = async (attack: AnyAttack, options: Readonly<Record<string, unknown>>): Promise<number> => {
    const { broken } = await runAttack(target, { attack, options, threat, x, labels, ids, seed });
    return broken.filter((b) => b === 0).length / labels.length;
  };
  return { fgsm: await right(fgsm, {}), pgd: await right(pgd, { steps: 5, stepSize: threat.epsilon / 4 }) };
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
