import { describe, expect, it } from "vitest";
import { type Dataset, batchOf, countOf, loadDataset, readZip, decodePng } from "temper/data";
import { readFileSync } from "node:fs";
import { hasShared, shared } from "../shared.ts";

const classCounts = (dataset: Dataset): number[] =>
  dataset.classes.map((_, k) => dataset.labels.reduce((sum, label) => sum + (label === k ? 1 : 0), 0));

/** Mean and deviation of each channel, over all images, in the data set's range. */
const moments = (dataset: Dataset): { mean: number[]; deviation: number[] } => {
  const [channels, height, width] = dataset.shape;
  const area = height * width;
  const sums = new Float64Array(channels),
    squares = new Float64Array(channels);
  const n = countOf(dataset);
  for (let i = 0; i < n; i++) {
    const { x } = batchOf(dataset, [i]);
    for (let k = 0; k < x.length; k++) {
      sums[Math.floor(k / area)]! += x[k]!;
      squares[Math.floor(k / area)]! += x[k]! ** 2;
    }
  }
  const mean = [...sums].map((sum) => sum / (n * area));
  return { mean, deviation: mean.map((m, c) => Math.sqrt(squares[c]! / (n * area) - m * m)) };
};

const dataRoot = shared("");

// Published figures: MNIST mean 0.1307, deviation 0.3081 (train); Fashion-MNIST 0.2860, 0.3530 (train).
describe.skipIf(!hasShared)("real data sets", () => {
  it("MNIST", async () => {
    const test = await loadDataset("mnist", { dataRoot });
    expect([countOf(test), test.shape]).toEqual([10_000, [1, 28, 28]]);
    expect(classCounts(test)).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    const train = await loadDataset("mnist", { dataRoot, split: "train" });
    expect(countOf(train)).toBe(60_000);
    expect(classCounts(train)).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    const { mean, deviation } = moments(train);
    expect(mean[0]).toBeCloseTo(0.1307, 4);
    expect(deviation[0]).toBeCloseTo(0.3081, 4);
  });

  it("Fashion-MNIST", async () => {
    const test = await loadDataset("fashion-mnist", { dataRoot });
    expect(classCounts(test)).toEqual(Array(10).fill(1000));
    expect(test.classes[9]).toBe("Ankle boot");
    const { mean, deviation } = moments(await loadDataset("fashion-mnist", { dataRoot, split: "train" }));
    expect(mean[0]).toBeCloseTo(0.286, 4);
    expect(deviation[0]).toBeCloseTo(0.353, 4);
  });

  it("CIFAR-10, the parts that are there", async () => {
    const train = await loadDataset("cifar10", { dataRoot, split: "train" });
    expect([countOf(train), train.shape]).toEqual([10_000, [3, 32, 32]]);
    expect(classCounts(train)).toEqual([1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]);
    const test = await loadDataset("cifar10", { dataRoot });
    expect(classCounts(test)).toEqual([103, 89, 100, 103, 90, 86, 112, 102, 106, 109]);
    expect(countOf(await loadDataset("cifar10", { dataRoot, split: "validation" }))).toBe(1000);
    const { mean, deviation } = moments(train); // figures over all 50,000: 0.4914 0.4822 0.4465, 0.2470 0.2435 0.2616
    for (const [c, figure] of [0.4914, 0.4822, 0.4465].entries())
      expect(Math.abs(mean[c]! - figure)).toBeLessThan(0.005);
    for (const [c, figure] of [0.247, 0.2435, 0.2616].entries())
      expect(Math.abs(deviation[c]! - figure)).toBeLessThan(0.005);
  });

  it("one-bit PNG files out of a real zip", () => {
    const bytes = new Uint8Array(readFileSync(shared("omniglot/all_runs.zip")));
    const files = [...readZip("all_runs.zip", bytes)].filter(([name]) => name.endsWith(".png"));
    expect(files).toHaveLength(800);
    for (const [name, file] of files.slice(0, 40)) {
      const { width, height, channels, data } = decodePng(name, file);
      expect([width, height, channels, data.length]).toEqual([105, 105, 1, 105 * 105]);
      expect(new Set(data)).toEqual(new Set([0, 255]));
    }
  });
});
