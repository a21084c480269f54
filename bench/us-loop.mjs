/** Training on our side: `train()` as a user calls it, and the steps of its loop alone. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRng, sizeOf } from "../dist/core/index.js";
import { createDataset, loadDataset, takeExamples } from "../dist/data/index.js";
import { createLocalRuntime, createPool } from "../dist/runtime/index.js";
import { advance, mostTogether } from "../dist/train/advance.js";
import { callLength, recipes, settingsOf, train } from "../dist/train/index.js";
import { prepareRun } from "../dist/train/run.js";
import { drawnSize } from "../dist/train/step-graph.js";
import { networks } from "./networks.mjs";
import { flopsOf } from "./us-network.mjs";

const SYNTHETIC = { mnist: 60_000, cifar10: 10_000 };

/** Training images of ../shared/data, or as many of noise. */
export const trainingImages = async (network) => {
  const { data, shape } = networks[network],
    path = fileURLToPath(new URL(`../../shared/data/${data}`, import.meta.url));
  if (existsSync(path)) return loadDataset(path, { split: "train" });
  const labels = Int32Array.from({ length: SYNTHETIC[data] }, (_, i) => i % 10),
    noise = createRng(0).fillUniform(new Float32Array(labels.length * sizeOf(shape)), 0, 256);
  return createDataset({
    name: data,
    split: "train",
    pixels: Uint8Array.from(noise),
    labels,
    shape,
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
    source: "noise",
  });
};

/** Writes bytes and labels for the peer, so that both sides see the same. */
export const imagesTask = async ({ network, file }) => {
  const { pixels, labels } = await trainingImages(network);
  writeFileSync(`${file}.images`, pixels);
  writeFileSync(`${file}.labels`, labels);
  return {};
};

const epochFlops = ({ network, batch, images, settings: { steps = 0 } }) =>
  Math.floor(images / batch) * (flopsOf(network, "train", batch) + steps * flopsOf(network, "gradient", batch));

/**
 * Two epochs by `train()`, of which the second is timed, between the two lines of the history: data, augmentation, steps,
 * history, and the state that is saved after the first. `firstStep`: from the call to the first step's report,
 * compilation included.
 */
export const loopTask = async (task) => {
  const { network, recipe, settings, batch, images } = task,
    data = takeExamples(await trainingImages(network), images),
    { model, options: modelOptions } = networks[network];
  return {
    facts: { flops: epochFlops(task) },
    timed: async () => {
      const folder = mkdtempSync(join(tmpdir(), "temper-loop-")),
        began = performance.now();
      let firstStep;
      const { history } = await train({
        recipe,
        model,
        modelOptions,
        options: { ...settings, batchSize: batch, epochs: 2, lr: 0.01, validation: 0 },
        train: data,
        folder,
        onProgress: () => (firstStep ??= (performance.now() - began) / 1000),
      });
      rmSync(folder, { recursive: true });
      const [first, second] = history;
      return { seconds: second.seconds - first.seconds, figures: { firstStep, idleShare: second.idleShare } };
    },
  };
};

/**
 * Steps of a recipe as the loop makes them, batches and draws included, in this thread.
 *
 * @param times  how many of them are one run
 */
export const stepsTask = async ({ network, recipe, settings, batch, times = 1 }) => {
  const data = await trainingImages(network),
    { model, options: modelOptions = {}, epsilon } = networks[network];
  const config = {
    recipe,
    recipeOptions: {},
    model,
    modelOptions,
    from: null,
    options: settingsOf(recipes[recipe], { epsilon, ...settings, batchSize: batch, epochs: 1000, lr: 0.01 }),
    mean: [],
    std: [],
    range: data.range,
    dataHash: data.hash,
    poolHash: null,
    validationHash: null,
  };
  const pool = createPool(),
    run = await prepareRun(createLocalRuntime(pool), { config, folder: "", resume: false, train: data });
  const bytes = 4 * (batch * sizeOf(data.shape) + drawnSize(run));
  let together = 1,
    working = 0,
    busyBefore = 0;
  return {
    run: async () => {
      const count = Math.min(together, mostTogether(run)),
        began = performance.now();
      await advance(run, count);
      const ms = performance.now() - began;
      working += ms / 1000;
      together = callLength(ms / count, bytes);
      return count / times;
    },
    /** Share of the time since the last call in which the engine computed nothing. */
    figures: () => {
      const busy = pool.busySeconds(),
        engineIdleShare = 1 - (busy - busyBefore) / working;
      busyBefore = busy;
      working = 0;
      return { engineIdleShare };
    },
  };
};
