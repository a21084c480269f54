import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { holdOut } from "temper/data";
import { decodeSafetensors, readManifest, train } from "temper/train";
import { describe, expect, it } from "vitest";
import { newFolder, requests, training, validation } from "./setting.ts";

const best = (folder: string) => decodeSafetensors("best", readFileSync(join(folder, "best.safetensors"))).tensors;
const hash = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe("the epoch whose weights are written", () => {
  it("is that of the best robust validation accuracy, and the run ends when no better one comes", async () => {
    const folder = newFolder();
    const { history, epoch, ended, modelPath } = await train({
      ...requests.plain,
      validation,
      // A rate that soon tears the network apart: no epoch after the best one comes near it.
      options: {
        ...requests.plain.options,
        epochs: 12,
        lr: 0.05,
        schedule: "cyclic",
        knots: [0, 0.1, 0.3, 1],
        factors: [1, 1, 30, 30],
        epsilon: 0.02,
        validation: 60,
        select: "best",
        patience: 2,
      },
      folder,
    });
    const curve = history.map((record) => record.validationRobustAccuracy!);
    const argmax = curve.indexOf(Math.max(...curve)) + 1;
    expect(epoch).toBe(argmax);
    expect((await readManifest(folder)).best).toEqual({ epoch: argmax, robustAccuracy: curve[argmax - 1] });
    expect(ended).toBe(`no better epoch than ${argmax} for 2 epochs`);
    expect(history.length).toBe(argmax + 2);
    expect(history.length).toBeLessThan(12);
    // The file holds those weights: the same run, ended there, has them.
    const shorter = newFolder();
    await train({
      ...requests.plain,
      validation,
      options: { ...(await readManifest(folder)).config.options, patience: 0, select: "best" },
      folder: shorter,
    });
    expect(hash(join(shorter, "best.safetensors"))).toBe(hash(join(folder, "best.safetensors")));
    expect(Object.keys(best(folder))).toContain("conv1.weight");
    expect(modelPath).toBe(join(folder, "model.onnx"));
  });

  it("is the last one where nothing is asked for", async () => {
    const { history, epoch, ended } = await train({
      ...requests.plain,
      validation,
      options: { ...requests.plain.options, validation: 20 },
      folder: newFolder(),
    });
    expect([epoch, ended]).toEqual([history.length, ""]);
  });
});

describe("held-out examples", () => {
  it("are validated on, and never trained on", async () => {
    const folder = newFolder(),
      options = { ...requests.plain.options, epochs: 1, holdOut: 100, validation: 100 };
    const { history } = await train({ ...requests.plain, options, folder });
    const { train: rest, held } = holdOut(training, 100);
    expect((await readManifest(folder)).config).toMatchObject({ dataHash: rest.hash, validationHash: held.hash });
    expect(history[0]!.step).toBe(4); // 200 examples in batches of 50
    expect(history[0]!.validationAccuracy).not.toBeNull();
    // What they show does not matter to the weights.
    const changed = { ...training, pixels: training.pixels.slice() },
      size = training.shape.reduce((a, b) => a * b);
    const image = (data: typeof training, i: number): string => data.pixels.slice(i * size, (i + 1) * size).join();
    const kept = new Set(Array.from(rest.labels, (_, i) => image(rest, i)));
    let hidden = 0;
    training.labels.forEach((_, i) => {
      if (kept.has(image(training, i))) return;
      hidden++;
      changed.pixels.fill(0, i * size, (i + 1) * size);
    });
    expect(hidden).toBe(100);
    const other = newFolder();
    await train({ ...requests.plain, train: changed, options, folder: other });
    expect(readFileSync(join(other, (await readManifest(other)).tensors))).toEqual(
      readFileSync(join(folder, (await readManifest(folder)).tensors)),
    );
  });
});
