import { isTemperError } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { train, type TrainOutcome, type TrainProgress, type TrainRequest } from "../train/index.ts";
import type { Output } from "./output.ts";
import { openDataset, percent } from "./shared-options.ts";
import { trainPage } from "./train-page.ts";

interface TrainRun {
  readonly request: TrainRequest;
  readonly title: string;
  /** Also write TensorBoard's event files. */
  readonly tensorboard: boolean;
  readonly output: Output;
}

/** Trains with progress, and keeps the page in the run's folder. @throws as `train` */
export const trainRun = async ({ request, title, tensorboard, output }: TrainRun): Promise<TrainOutcome> => {
  const page = trainPage(request.folder, title, tensorboard),
    show = progressOn(output);
  const outcome = await train({
    ...request,
    onProgress: (progress) => {
      show(progress);
      if (progress.kind === "epoch") page.update(progress.record);
    },
  });
  await page.close(outcome.finished, outcome.ended, outcome.epoch);
  if (outcome.ended !== "")
    output.print(`Ended early: ${outcome.ended}. The network is that of epoch ${outcome.epoch}.`);
  return outcome;
};

/** The validation part; undefined where the set has none: then training goes without, the test part is not for that. */
export const openValidation = async (
  source: Omit<Parameters<typeof openDataset>[0], "split" | "range">,
): Promise<Dataset | undefined> =>
  openDataset({ ...source, split: "validation", range: undefined }).catch((error: unknown) => {
    if (isTemperError(error) && error.code === "not-found") return undefined;
    throw error;
  });

const progressOn =
  (output: Output) =>
  (progress: TrainProgress): void => {
    if (progress.kind === "step") {
      const { epoch, step, total, loss } = progress;
      return output.progress("training", step, total, `epoch ${epoch}  loss ${loss.toFixed(4)}`);
    }
    const { epoch, loss, validationAccuracy: clean, validationRobustAccuracy: robust, seconds } = progress.record;
    const measured =
      clean === null || robust === null ? "" : `  validation ${percent(clean)}  robust ${percent(robust)}`;
    output.print(`epoch ${epoch}  loss ${loss.toFixed(4)}${measured}  ${seconds.toFixed(1)} s`);
  };
