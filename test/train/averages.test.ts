import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "temper/core";
import { countOf, glyphs } from "temper/data";
import { decodeSafetensors, readManifest, train, type TrainRequest } from "temper/train";
import { describe, expect, it } from "vitest";
import { newFolder, outcomeOf } from "./setting.ts";

type Tensors = Readonly<Record<string, Tensor>>;

const request = {
  recipe: "standard",
  model: "wide-resnet",
  modelOptions: { depths: [1, 1, 1], widths: [4, 8, 8], stem: 4, dropout: 0.3 },
  train: glyphs({ split: "train", count: 200 }),
  validation: glyphs({ split: "validation", count: 40 }),
} satisfies Omit<TrainRequest, "folder">;
const options = { epochs: 4, batchSize: 20, lr: 0.05, validation: 40, select: "best", checkpoint: 1e6 } as const;
const swa = { name: "swa", options: { from: 0.25, every: 0.5 } };

const tensorsIn = (folder: string, file: string): Tensors =>
  decodeSafetensors(file, readFileSync(join(folder, file))).tensors;

/** Means over all training images of what the stem gives: a 3 x 3 convolution with a border of zeros. */
const stemMeans = (kernels: Tensor): number[] => {
  const { train: data } = request,
    count = countOf(data);
  return Array.from({ length: 4 }, (_, filter) => {
    let sum = 0;
    for (let image = 0; image < count; image++)
      for (let y = 0; y < 28; y++)
        for (let x = 0; x < 28; x++)
          for (let tap = 0; tap < 9; tap++) {
            const [row, column] = [y + Math.floor(tap / 3) - 1, x + (tap % 3) - 1];
            if (row < 0 || column < 0 || row > 27 || column > 27) continue;
            sum += (kernels.data[9 * filter + tap] as number) * (data.pixels[784 * image + 28 * row + column]! / 255);
          }
    return sum / (count * 784);
  });
};

describe("an averaged network with batch norm", () => {
  it("has statistics of its own weights on the training data where the average is swa", async () => {
    const folder = newFolder();
    await train({ ...request, options: { ...options, average: swa }, folder });
    const best = tensorsIn(folder, "best.safetensors"),
      state = tensorsIn(folder, (await readManifest(folder)).tensors);
    const kernels = Object.keys(best).find((name) => best[name]!.shape.join() === "4,1,3,3")!,
      first = Object.keys(best).find((name) => name.endsWith("running_mean"))!;
    expect(Object.keys(state)).toContain(`average/${kernels}`);
    expect(Object.keys(state)).not.toContain(`average/${first}`);
    const wanted = stemMeans(best[kernels]!);
    wanted.forEach((mean, i) => expect(best[first]!.data[i]).toBeCloseTo(mean, 5));
  });

  it("has averaged statistics where the average is ema", async () => {
    const folder = newFolder();
    await train({ ...request, options: { ...options, epochs: 1, average: "ema" }, folder });
    const best = tensorsIn(folder, "best.safetensors"),
      state = tensorsIn(folder, (await readManifest(folder)).tensors);
    for (const [name, { data }] of Object.entries(best)) expect(state[`average/${name}`]!.data).toEqual(data);
  });

  it("has the same bits when the run is interrupted, with images that are augmented and mixed", async () => {
    const run = {
      ...request,
      options: { ...options, select: "last", average: swa, augment: "crop,flip", mix: "mixup=0.4", replays: 2 },
    } as const;
    const whole = newFolder(),
      folder = newFolder(),
      stop = new AbortController();
    await train({ ...run, folder: whole });
    const { finished } = await train({
      ...run,
      folder,
      signal: stop.signal,
      onProgress: (p) => p.kind === "step" && p.step === 35 && stop.abort(),
    });
    expect(finished).toBe(false);
    await train({ ...run, folder, resume: true });
    const first = await outcomeOf(whole);
    expect(await outcomeOf(folder)).toEqual(first);
    await train({ ...run, folder, resume: true }); // nothing is left to do, but the statistics are made again
    expect(await outcomeOf(folder)).toEqual(first);
  });
});
