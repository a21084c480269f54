import { defaultEngine, loadOrt } from "../runtime/index.ts";

/**
 * Starts the engine's thread and loads what an evaluation runs there, so that it happens while the caller reads its model
 * and data. Never fails: what is wrong shows when the evaluation starts.
 */
export const warmUp = async (): Promise<void> =>
  defaultEngine()
    .job<undefined, void, never>(new URL("./warm-up.js", import.meta.url), "warmUpJob", undefined)
    .catch(() => undefined);

/** Runs in the engine's thread. */
export const warmUpJob = async (): Promise<void> => {
  await Promise.all([loadOrt(), import("./job.ts")]);
};
