import { rmSync } from "node:fs";
import { join } from "node:path";
import { glyphs, selectExamples } from "temper/data";
import { attackDataset } from "temper/evaluate";
import { loadClassifier } from "temper/models";
import { collapsed, type EpochRecord, readManifest, train, type TrainOutcome } from "temper/train";
import { beforeAll, describe, expect, it } from "vitest";
import { newFolder, outcomeOf } from "./setting.ts";

const EPSILON = 0.15;
/** FGSM from the examples themselves on the smallest network: four calm epochs, then a rate that makes it collapse. */
const request = {
  recipe: "fast-at",
  model: "co-net",
  train: glyphs({ split: "train", count: 1000 }),
};
const options = {
  epochs: 8,
  batchSize: 50,
  optimizer: "adam",
  lr: 0.02,
  schedule: "cyclic",
  knots: [0, 0.3, 0.5, 1],
  factors: [0.2, 0.2, 2, 2],
  epsilon: EPSILON,
  start: "zero",
  relativeStep: 1,
  validation: 0,
  checkpoint: 1e6,
} as const;

type Told = Omit<EpochRecord, "seconds" | "imagesPerSecond" | "idleShare">;
const told = (history: readonly EpochRecord[]): Told[] =>
  history.map(({ seconds: _, imagesPerSecond: __, idleShare: ___, ...record }) => record);

const under = (guard: "warn" | "stop" | "rollback", folder: string, more = {}): Promise<TrainOutcome> =>
  train({ ...request, options: { ...options, guard }, folder, ...more });

/** What the guard's probe shows of a written network: accuracy of the first 256 examples under FGSM and PGD-5. */
const probed = async (modelPath: string): Promise<readonly number[]> => {
  const network = await loadClassifier(modelPath, request.train.shape),
    images = selectExamples(
      request.train,
      Array.from({ length: 256 }, (_, i) => i),
    );
  const right = async (name: string, own = {}): Promise<number> =>
    (await attackDataset(network, images, { attack: { name, options: own }, epsilon: EPSILON, seed: 0 })).robustAccuracy
      .value;
  return [await right("fgsm"), await right("pgd", { steps: 5, stepSize: EPSILON / 4 })];
};

describe("a run that collapses", () => {
  let whole: TrainOutcome, fell: number, best: number;
  beforeAll(async () => {
    whole = await under("warn", newFolder());
    const { history } = whole;
    fell = history.findIndex((record, i) => collapsed(record, history[i - 1])) + 1;
    const calm = history.slice(0, fell - 1).map(({ probe }) => probe!.pgd);
    best = calm.indexOf(Math.max(...calm)) + 1;
  });

  it("goes on to its end where the guard only warns, and its history shows the fall", () => {
    expect([whole.finished, whole.epoch, whole.ended, whole.history.length]).toEqual([true, 8, "", 8]);
    expect(fell).toBeGreaterThan(1);
    const [before, after] = [whole.history[fell - 2]!.probe!, whole.history[fell - 1]!.probe!];
    expect(before.pgd - after.pgd).toBeGreaterThan(0.2);
    expect(after.fgsm - after.pgd).toBeGreaterThan(0.2);
  });

  it("ends there where the guard stops it, with the network of that epoch", async () => {
    const { finished, epoch, ended, history, modelPath } = await under("stop", newFolder());
    expect([finished, epoch, ended]).toEqual([true, fell, `collapsed in epoch ${fell}`]);
    expect(told(history)).toEqual(told(whole.history.slice(0, fell)));
    const { fgsm, pgd } = history.at(-1)!.probe!;
    expect(await probed(modelPath!)).toEqual([expect.closeTo(fgsm, 2), expect.closeTo(pgd, 2)]);
  });

  describe("with a guard that rolls back", () => {
    const folder = newFolder();
    let first: Record<string, unknown>;
    beforeAll(async () => {
      const { finished, epoch, ended, history, modelPath } = await under("rollback", folder);
      expect([finished, epoch, ended]).toEqual([true, best, `collapsed in epoch ${fell}`]);
      expect(told(history)).toEqual(told(whole.history.slice(0, fell)));
      const { fgsm, pgd } = history[best - 1]!.probe!;
      expect(await probed(modelPath!)).toEqual([expect.closeTo(fgsm, 2), expect.closeTo(pgd, 2)]);
      first = await outcomeOf(folder);
    });

    it("gives the best network before the fall, and says so in the folder too", async () => {
      const { ended, best: kept } = await readManifest(folder);
      expect([ended, kept]).toEqual([
        `collapsed in epoch ${fell}`,
        { epoch: best, robustAccuracy: whole.history[best - 1]!.probe!.pgd },
      ]);
    });

    it("gives the same bits when it is resumed: nothing is left to do", async () => {
      rmSync(join(folder, "model.onnx"));
      const { epoch, ended } = await under("rollback", folder, { resume: true });
      expect([epoch, ended]).toEqual([best, `collapsed in epoch ${fell}`]);
      expect(await outcomeOf(folder)).toEqual(first);
    });

    it("gives the same bits when it is interrupted before the fall", async () => {
      const other = newFolder(),
        stop = new AbortController();
      const { finished } = await under("rollback", other, {
        signal: stop.signal,
        onProgress: (p: { kind: string; step?: number }) => p.kind === "step" && p.step === 30 && stop.abort(),
      });
      expect(finished).toBe(false);
      await under("rollback", other, { resume: true });
      expect(await outcomeOf(other)).toEqual(first);
    });
  });
});
