import { describe, expect, it } from "vitest";
import { createRng } from "temper/core";
import {
  createDataset,
  glyphs,
  holdOut,
  pooled,
  replayed,
  type Sampler,
  shuffled,
  stepsOf,
  weighted,
  withLabelNoise,
} from "temper/data";
import { errorText } from "../errors.ts";

const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const all: readonly (readonly [string, () => Sampler])[] = [
  ["shuffled", () => shuffled({ seed: 3, count: 40, batchSize: 8 })],
  ["weighted", () => weighted({ seed: 3, batchSize: 8, weights: upTo(40) })],
  ["pooled", () => pooled({ seed: 3, count: 40, batchSize: 8, poolCount: 9, fraction: 0.25 })],
];

describe.each(all)("%s", (_, make) => {
  it("follows from seed and epoch alone, whatever was asked before", () => {
    const straight = make(),
      jumping = make();
    const epochs = [0, 1, 2, 3].map((epoch) => [...straight.orderOf(epoch)]);
    for (const epoch of [2, 0, 3, 3, 1]) expect([...jumping.orderOf(epoch)]).toEqual(epochs[epoch]);
    expect(new Set(epochs.map(String)).size).toBe(4);
    expect(epochs.every((ids) => ids.length >= straight.batches * straight.batchSize)).toBe(true);
  });

  it("repeats batches where it is told to", () => {
    const many = replayed(make(), 4);
    expect(stepsOf(many)).toBe(4 * stepsOf(make()));
    expect(many.orderOf(1)).toEqual(make().orderOf(1));
    expect(errorText(() => replayed(make(), 0))).toMatch(/^bad-option: Replays of a batch must be an integer from 1/);
  });
});

describe("shuffled", () => {
  it("is the permutation of the epoch's own stream, every example once", () => {
    const { orderOf, batches } = shuffled({ seed: 11, count: 30, batchSize: 7 });
    expect(batches).toBe(4);
    expect(orderOf(5)).toEqual(createRng(11).split("order").split(5).permutation(30));
    expect(sorted(orderOf(5))).toEqual(upTo(30));
  });

  it("does not depend on the size of batches", () => {
    const [a, b] = [7, 30].map((batchSize) => shuffled({ seed: 1, count: 30, batchSize }).orderOf(2));
    expect(a).toEqual(b);
    expect(errorText(() => shuffled({ seed: 1, count: 6, batchSize: 7 }))).toMatch(
      /^bad-option: A batch of 7 is larger than/,
    );
  });
});

describe("weighted", () => {
  it("draws as often as the weights say, never what weighs nothing", () => {
    const weights = [3, 0, 1, 4, 0.5, 0],
      n = 6,
      counts = weights.map(() => 0),
      { orderOf } = weighted({ seed: 5, batchSize: 2, weights });
    for (let epoch = 0; epoch < 5000; epoch++) for (const id of orderOf(epoch)) counts[id]!++;
    weights.forEach((weight, i) => {
      const p = weight / 8.5,
        deviation = Math.sqrt(5000 * n * p * (1 - p));
      expect(Math.abs(counts[i]! - 5000 * n * p)).toBeLessThanOrEqual(5 * deviation);
    });
  });

  it("refuses weights that are none", () => {
    expect(errorText(() => weighted({ seed: 0, batchSize: 1, weights: [1, -1] }))).toMatch(/got -1 for example 1/);
    expect(errorText(() => weighted({ seed: 0, batchSize: 1, weights: [1, NaN] }))).toMatch(/got NaN/);
    expect(errorText(() => weighted({ seed: 0, batchSize: 1, weights: [0, 0] }))).toMatch(/none is above 0/);
  });
});

describe("pooled", () => {
  const parts = { seed: 2, count: 10, poolCount: 1000, batchSize: 8, fraction: 0.5 };

  it("every batch has its share of both, mixed", () => {
    const { orderOf, batches } = pooled({ ...parts, epochImages: 400 });
    expect(batches).toBe(50);
    const first = upTo(8).map(() => 0);
    for (let at = 0; at < 400; at += 8) {
      const batch = [...orderOf(0).subarray(at, at + 8)];
      expect(batch.filter((id) => id < 10).length).toBe(4);
      expect(batch.every((id) => id < 1010)).toBe(true);
      batch.forEach((id, row) => (first[row]! += id < 10 ? 1 : 0));
    }
    expect(first.every((count) => count > 10 && count < 40)).toBe(true); // 25 of 50, in every row
  });

  it("labelled examples come in whole passes, over the borders of epochs", () => {
    const { orderOf, batches } = pooled({ ...parts, epochImages: 24 }); // 12 labelled an epoch: 10 do not divide it
    expect(batches).toBe(3);
    const labelled = upTo(5).map((epoch) => [...orderOf(epoch)].filter((id) => id < 10));
    expect(labelled.map((ids) => ids.length)).toEqual([12, 12, 12, 12, 12]);
    const counts = upTo(10).map((id) => labelled.flat().filter((other) => other === id).length);
    expect(counts).toEqual(upTo(10).map(() => 6));
  });

  it("an epoch is one pass over the labelled ones, where no other size is given", () => {
    expect(pooled(parts).batches).toBe(2); // 4 a batch of 10
    expect(errorText(() => pooled({ ...parts, fraction: 1 }))).toMatch(
      /^bad-option: A pool of 1000 .* leaves 0 of 8 rows/,
    );
    expect(errorText(() => pooled({ ...parts, poolCount: 0 }))).toMatch(/^bad-option: A pool of 0/);
  });
});

describe("holdOut", () => {
  const data = glyphs({ split: "train", count: 200 });

  it("takes images out, each once, and always the same ones", () => {
    const { train, held } = holdOut(data, 30);
    expect([train.labels.length, held.labels.length, held.split]).toEqual([170, 30, "validation"]);
    const images = (pixels: ArrayLike<number>): string[] =>
      upTo(pixels.length / 784).map((i) => String((pixels as Uint8Array).subarray(784 * i, 784 * (i + 1))));
    expect([...images(train.pixels), ...images(held.pixels)].sort()).toEqual(images(data.pixels).sort());
    expect(holdOut(data, 30).held.hash).toBe(held.hash);
    expect(holdOut(data, 30, { seed: 1 }).held.hash).not.toBe(held.hash);
  });

  it("stratified: every class in its share", () => {
    const counts = (labels: Int32Array): number[] => upTo(10).map((k) => labels.filter((label) => label === k).length);
    const uneven = createDataset({ ...data, labels: data.labels.map((label, i) => (i < 100 ? 0 : label)) });
    const { held } = holdOut(uneven, 40, { stratified: true });
    counts(uneven.labels).forEach((count, k) => expect(Math.abs(counts(held.labels)[k]! - count / 5)).toBeLessThan(1));
    expect(holdOut(uneven, 40, { stratified: true, seed: 1 }).held.hash).not.toBe(held.hash);
  });

  it("leaves something", () => {
    for (const n of [0, 200, 1.5])
      expect(errorText(() => holdOut(data, n))).toMatch(/^bad-option: .* cannot be held out: 1 to 199 can/);
  });
});

describe("label noise", () => {
  const data = createDataset({
    name: "t",
    split: "train",
    source: "memory",
    pixels: new Uint8Array(9000),
    labels: new Int32Array(9000).fill(2),
    shape: [1, 1, 1],
    classes: ["a", "b", "c", "d"],
  });

  it("replaces exactly the share, by every other class as often", () => {
    const { labels, notes, hash } = withLabelNoise(data, 0.4, 3);
    const counts = [0, 1, 2, 3].map((k) => labels.filter((label) => label === k).length);
    expect(counts[2]).toBe(5400);
    for (const k of [0, 1, 3]) expect(Math.abs(counts[k]! - 1200)).toBeLessThan(5 * Math.sqrt(3600 * (2 / 9)));
    expect(notes.at(-1)).toBe("3600 labels replaced by others at random (seed 3)");
    expect(hash).not.toBe(data.hash);
    expect(withLabelNoise(data, 0.4, 3).hash).toBe(hash);
    expect(withLabelNoise(data, 0, 3).hash).toBe(data.hash);
    expect(errorText(() => withLabelNoise(data, 2, 0))).toMatch(/^bad-option: Label noise needs a share from 0 to 1/);
  });
});
