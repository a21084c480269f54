import { join } from "node:path";
import { type HistoryRecord, renderTraining, type TrainingNote } from "../report/index.ts";
import { describeMachine } from "../runtime/index.ts";
import { type EpochRecord, openEvents, readManifest, replaceFile, type TrainConfig } from "../train/index.ts";

/** Writes what a run's folder shows of it while it goes on: the page, and TensorBoard's events where they are asked for. */
export interface TrainPage {
  readonly update: (record: EpochRecord) => void;
  /** Waits for what is being written. @param ended  why the run ended before its last epoch */
  readonly close: (finished: boolean, ended: string, epoch: number) => Promise<void>;
}

export const trainPage = (folder: string, title: string, events: boolean): TrainPage => {
  let work: Promise<void> = Promise.resolve(),
    history: readonly EpochRecord[] | undefined;
  const write = async (finished: boolean, notes: readonly TrainingNote[]): Promise<void> => {
    const manifest = await readManifest(folder);
    const page = renderTraining({
      title,
      config: flatConfig(manifest.config),
      environment: { ...describeMachine(undefined, manifest.config.options.winograd) },
      history: (history ?? manifest.history).map(numbersOf),
      notes,
      finished,
      writtenAt: new Date().toISOString(),
    });
    await replaceFile(join(folder, "index.html"), page);
  };
  return {
    update: (record) => {
      work = work.then(async () => {
        const before: readonly EpochRecord[] = history ?? (await readManifest(folder)).history;
        history = [...before.filter(({ epoch }) => epoch < record.epoch), record];
        if (events) {
          const append = await openEvents(folder, record.step - 1);
          await append([{ step: record.step, wallTime: Date.now() / 1000, scalars: numbersOf(record) }]);
        }
        await write(false, []);
      });
    },
    close: async (finished, ended, epoch) => {
      await work;
      const notes = [
        ...(ended === "" ? [] : [{ message: `The run ended early: ${ended}.` }]),
        ...(finished ? [{ message: `The network that was written is that of epoch ${epoch}.`, at: epoch }] : []),
      ];
      await write(finished, notes);
    },
  };
};

const flatConfig = ({ options, ...rest }: TrainConfig): Record<string, unknown> => ({ ...rest, ...options });

/** A line of the history as numbers by name. */
export const numbersOf = ({ terms, measures, probe, ...record }: EpochRecord): HistoryRecord => ({
  ...record,
  ...measures,
  ...Object.fromEntries(Object.entries(terms).map(([name, value]) => [`loss/${name}`, value])),
  ...(probe && { probeFgsmAccuracy: probe.fgsm, probePgdAccuracy: probe.pgd }),
});
