import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Dataset, glyphs } from "temper/data";
import { readManifest, type RunState, type TrainRequest } from "temper/train";
import { afterAll } from "vitest";

const folders: string[] = [];
afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true, force: true })));

/** A path that nothing stands at yet; removed after the tests. */
export const newFolder = (): string => {
  const parent = mkdtempSync(join(tmpdir(), "temper-train-"));
  folders.push(parent);
  return join(parent, "run");
};

export const training: Dataset = glyphs({ split: "train", count: 300 });
export const validation: Dataset = glyphs({ split: "validation", count: 60 });

/** Runs of a few seconds: plain, and with everything that has a state of its own. */
export const requests = {
  plain: {
    recipe: "standard",
    model: "small-cnn",
    modelOptions: { channels: [4, 8], dense: [16] },
    options: { epochs: 3, batchSize: 50, lr: 0.05, validation: 0, checkpoint: 1e6 },
    train: training,
  },
  robust: {
    recipe: "pgd-at",
    model: "wide-resnet",
    modelOptions: { depths: [1, 1, 1], widths: [4, 8, 8], stem: 4 },
    options: {
      epochs: 3,
      batchSize: 50,
      optimizer: "adam",
      lr: 0.01,
      epsilon: 0.1,
      steps: 2,
      ramp: 1.5,
      warmup: 0.5,
      schedule: "cosine",
      validation: 60,
      seed: 5,
      checkpoint: 1e6,
    },
    train: training,
    validation,
    mean: [0.2],
    std: [0.4],
  },
} satisfies Record<string, Omit<TrainRequest, "folder">>;

/** A run of 60 steps with all that a resumed one has to take up: averages, draws, mixed and augmented images, a controller. */
export const everything = {
  recipe: "fw-at-adapt",
  model: "wide-resnet",
  modelOptions: { depths: [1, 1, 1], widths: [4, 8, 8], stem: 4, dropout: 0.3 },
  options: {
    epochs: 6,
    batchSize: 20,
    lr: 0.02,
    epsilon: 0.1,
    control: { name: "fw-adapt", options: { monitor: 40, maxSteps: 4 } },
    awp: 0.01,
    awpWarmup: 1,
    average: { name: "ema", options: {} },
    augment: "crop,flip",
    mix: "mixup=0.4",
    validation: 40,
    select: "best",
    seed: 7,
    checkpoint: 0,
  },
  train: glyphs({ split: "train", count: 200 }),
  validation: glyphs({ split: "validation", count: 40 }),
} satisfies Omit<TrainRequest, "folder">;

/** What must be equal between two runs of one configuration; the bits of files as their hashes. */
export const outcomeOf = async (folder: string): Promise<Record<string, unknown>> => {
  const { seconds: _, tensors, history, ...rest }: RunState & { readonly tensors: string } = await readManifest(folder);
  return {
    ...rest,
    history: history.map(({ seconds: _1, imagesPerSecond: _2, idleShare: _3, ...record }) => record),
    state: hashOf(join(folder, tensors)),
    model: hashOf(join(folder, "model.onnx")),
  };
};

const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
