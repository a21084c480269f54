import { describe, expect, it } from "vitest";
import { createRng, isTemperError } from "temper/core";
import {
  augmentations,
  batchMaker,
  batchOf,
  type BatchPlan,
  type BatchSource,
  glyphs,
  inRange,
  parseAugmentations,
  parseMixer,
  shareDataset,
} from "temper/data";

const train = glyphs({ split: "train", count: 40 }),
  size = 784;
const everything = { train, augment: parseAugmentations("crop,flip,cutout=8,trivialaugment"), seed: 9 };

const planOf = (ids: readonly number[], given: Partial<BatchPlan> = {}): BatchPlan => ({
  epoch: 0,
  index: 0,
  ids: Uint32Array.from(ids),
  repeats: new Uint32Array(ids.length),
  ...given,
});
const imagesOf = (source: BatchSource, ...plans: readonly BatchPlan[]): Float32Array[] => {
  const rows = plans.reduce((sum, { ids }) => sum + ids.length, 0),
    x = new Float32Array(rows * size);
  batchMaker(source)(plans, x);
  return Array.from({ length: rows }, (_, row) => x.slice(row * size, (row + 1) * size));
};

describe("batches of a plan", () => {
  it("are plain images where nothing else is asked for", () => {
    const x = new Float32Array(3 * size);
    const rows = batchMaker({ train, seed: 0 })([planOf([4, 0, 4])], x);
    const { x: plain, labels } = batchOf(train, [4, 0, 4]);
    expect(x).toEqual(plain);
    expect(rows).toEqual({ ids: Int32Array.of(4, 0, 4), labels });
  });

  it("the pixels of an example depend on seed, epoch and example, not on its batch or place", () => {
    const [a, b, c] = imagesOf(everything, planOf([5, 6, 7]));
    const [c2, a2] = imagesOf(everything, planOf([7, 5], { index: 3 }));
    const [b3, a3, c3] = imagesOf(everything, planOf([6]), planOf([5, 7], { index: 1 }));
    expect([a2, c2]).toEqual([a, c]);
    expect([a3, b3, c3]).toEqual([a, b, c]);
    expect(imagesOf(everything, planOf([5], { epoch: 1 }))[0]).not.toEqual(a);
    expect(imagesOf({ ...everything, seed: 8 }, planOf([5]))[0]).not.toEqual(a);
  });

  it("they are what the example's own stream makes of the image", () => {
    const pixels = batchOf(train, [5]).x,
      view = { pixels, shape: train.shape, range: train.range };
    const rng = createRng(9).split("augmentation").split(2).split(5);
    augmentations.crop.apply(view, rng, { pad: 4 });
    augmentations.flip.apply(view, rng, { probability: 0.5 });
    const source = { train, augment: parseAugmentations("crop,flip"), seed: 9 };
    expect(imagesOf(source, planOf([5], { epoch: 2 }))[0]).toEqual(pixels);
  });

  it("an example that is drawn again in an epoch looks different", () => {
    const [first, again] = imagesOf(everything, planOf([5, 5], { repeats: Uint32Array.of(0, 1) }));
    expect(again).not.toEqual(first);
    expect(first).toEqual(imagesOf(everything, planOf([5]))[0]);
  });

  it("shared memory changes nothing", () => {
    const shared = shareDataset(train);
    expect(shared.pixels.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(shareDataset(shared).pixels).toBe(shared.pixels);
    expect(imagesOf({ ...everything, train: shared }, planOf([1, 2]))).toEqual(imagesOf(everything, planOf([1, 2])));
  });
});

describe("a pool", () => {
  const pool = glyphs({ split: "validation", count: 10 });

  it("is numbered on from the training examples", () => {
    const x = new Float32Array(2 * size);
    const { labels } = batchMaker({ train, pool, seed: 0 })([planOf([49, 3])], x);
    expect(x.subarray(0, size)).toEqual(batchOf(pool, [9]).x);
    expect([...labels]).toEqual([pool.labels[9], train.labels[3]]);
  });

  it("must fit", () => {
    const code = (run: () => unknown): string => {
      try {
        run();
        return "no error";
      } catch (error) {
        return isTemperError(error) ? `${error.code}: ${error.message}` : String(error);
      }
    };
    expect(code(() => batchMaker({ train, pool: inRange(pool, [-1, 1]), seed: 0 }))).toMatch(
      /^bad-data: The pool glyphs has range \[-1,1\], .* have \[0,1\]/,
    );
    expect(code(() => batchMaker({ train, pool, seed: 0 })([planOf([50])], new Float32Array(size)))).toMatch(
      /^bad-option: glyphs validation has no image 10/,
    );
    expect(code(() => batchMaker({ train, seed: 0, augment: [{ name: "blur", options: {} }] }))).toMatch(/^not-found/);
  });
});

describe("mixing", () => {
  const ids = Array.from({ length: 16 }, (_, i) => i),
    mixed = (text: string, plan: BatchPlan): ReturnType<ReturnType<typeof batchMaker>> & { x: Float32Array } => {
      const x = new Float32Array(plan.ids.length * size);
      return { ...batchMaker({ train, mix: parseMixer(text), seed: 4 })([plan], x), x };
    };

  it("mixup: each image is the weighted sum that its labels say", () => {
    const { x, labels, partners, lambda } = mixed("mixup", planOf(ids));
    const order = createRng(4).split("mix").split(0).split("partners").split(0).permutation(16);
    const { x: plain } = batchOf(train, ids);
    expect(labels).toEqual(Int32Array.from(ids, (id) => train.labels[id]!));
    expect(partners).toEqual(Int32Array.from(order, (row) => labels[row]!));
    const expected = plain.map((v, i) => {
      const row = Math.floor(i / size),
        weight = lambda![row]!;
      return weight * v + (1 - weight) * plain[order[row]! * size + (i % size)]!;
    });
    expect(x).toEqual(expected);
    expect(new Set(lambda).size).toBe(16);
  });

  it("cutmix: pixels of the own image or the partner's, in the shares that the labels have", () => {
    const { x, lambda } = mixed("cutmix=1:1", planOf(ids));
    const order = createRng(4).split("mix").split(0).split("partners").split(0).permutation(16);
    const { x: plain } = batchOf(train, ids);
    ids.forEach((row) => {
      const differing = Array.from({ length: size }, (_, k) => k).filter(
        (k) => x[row * size + k] !== plain[row * size + k],
      );
      expect(differing.every((k) => x[row * size + k] === plain[order[row]! * size + k])).toBe(true);
      expect(differing.length / size).toBeLessThanOrEqual(1 - lambda![row]! + 1e-6);
    });
  });

  it("a row's weight does not depend on its batch; who its partner is, does", () => {
    const { lambda } = mixed("mixup", planOf(ids));
    expect(mixed("mixup", planOf([3, 1], { index: 7 })).lambda).toEqual(Float32Array.of(lambda![3]!, lambda![1]!));
    expect(mixed("mixup", planOf(ids, { index: 1 })).partners).not.toEqual(mixed("mixup", planOf(ids)).partners);
  });

  it("batches side by side are mixed each within itself", () => {
    const x = new Float32Array(16 * size);
    const make = batchMaker({ train, mix: parseMixer("mixup"), seed: 4 });
    const both = make([planOf(ids.slice(0, 8)), planOf(ids.slice(8), { index: 1 })], x);
    const second = mixed("mixup", planOf(ids.slice(8), { index: 1 }));
    expect(x.slice(8 * size)).toEqual(second.x);
    expect(both.partners!.slice(8)).toEqual(second.partners);
    expect(both.lambda!.slice(8)).toEqual(second.lambda);
    expect([...both.ids]).toEqual(ids);
  });
});
