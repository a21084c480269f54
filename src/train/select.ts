import type { EpochRecord } from "./config.ts";
import type { Run } from "./run.ts";
import { saveBest } from "./run-folder.ts";

/** Robust accuracy that epochs are compared by: in validation, else on the guard's probe. */
const robustOf = ({ validationRobustAccuracy, probe }: EpochRecord): number | undefined =>
  validationRobustAccuracy ?? probe?.pgd;

/**
 * Largest share of FGSM accuracy that PGD may take, where so much of it stands at all; and largest loss of PGD accuracy
 * from an epoch to the next.
 */
const TAKEN = 0.6;
const STANDS = 0.1;
const DROP = 0.2;

/**
 * Whether a network has collapsed: it stands against single steps and falls to several, all at once or little by little.
 * Sources: Wong, Rice, Kolter 2020 (the drop); Andriushchenko and Flammarion 2020 (the gap).
 */
export const collapsed = ({ probe }: EpochRecord, before: EpochRecord | undefined): boolean =>
  probe !== null &&
  ((probe.fgsm >= STANDS && 1 - probe.pgd / probe.fgsm >= TAKEN) || (before?.probe?.pgd ?? 0) - probe.pgd > DROP);

/** Takes up an epoch's record: keeps the weights of the best, and says why the run ends, where it does. */
export const judgeEpoch = async (run: Run, record: EpochRecord): Promise<void> => {
  const { state, job } = run,
    { guard, patience } = job.config.options,
    robust = robustOf(record);
  const fell = guard !== "none" && collapsed(record, state.history.at(-2));
  if (robust !== undefined && !fell && robust > (state.best?.robustAccuracy ?? -1)) {
    await saveBest(job.folder, await run.validated(), record.epoch);
    run.state = { ...state, best: { epoch: record.epoch, robustAccuracy: robust } };
  }
  const { best } = run.state,
    stale = patience > 0 && best !== null && record.epoch - best.epoch >= patience;
  const ended =
    fell && guard !== "warn"
      ? `collapsed in epoch ${record.epoch}`
      : stale
        ? `no better epoch than ${best.epoch} for ${patience} epochs`
        : "";
  run.state = { ...run.state, ended };
};

/** Whether the best epoch's weights are what the run gives: asked for, or the last ones have collapsed. */
export const givesBest = ({ state: { best, ended }, job }: Run): boolean => {
  const { select, guard } = job.config.options;
  return best !== null && (select === "best" || (guard === "rollback" && ended.startsWith("collapsed")));
};
