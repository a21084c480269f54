import { describe, expect, it } from "vitest";
import { isTemperError } from "temper/core";
import { type Dataset, GLYPH_COUNTS, SPLITS, batchBetween, countOf, glyphAt, glyphs, takeExamples } from "temper/data";

const imagesOf = (dataset: Dataset): string[] =>
  Array.from({ length: countOf(dataset) }, (_, i) =>
    Buffer.from(dataset.pixels.subarray(i * 784, (i + 1) * 784)).toString("latin1"),
  );

/** Class of the nearest training image by squared distance. */
const nearestLabel = (train: Float32Array, labels: Int32Array, x: Float32Array): number => {
  let best = Infinity,
    label = -1;
  for (let i = 0; i < labels.length; i++) {
    let distance = 0;
    for (let k = 0; k < x.length && distance < best; k++) distance += (train[i * x.length + k]! - x[k]!) ** 2;
    if (distance < best) [best, label] = [distance, labels[i]!];
  }
  return label;
};

describe("glyphs", () => {
  it("has three splits of the stated sizes, 28 x 28 grey, in [0, 1], every digit as often", () => {
    for (const split of SPLITS) {
      const dataset = glyphs({ split });
      expect(countOf(dataset)).toBe(GLYPH_COUNTS[split]);
      expect(dataset).toMatchObject({ name: "glyphs", split, shape: [1, 28, 28], range: [0, 1], layout: "NCHW" });
      const counts = dataset.classes.map((_, digit) => dataset.labels.filter((label) => label === digit).length);
      expect(counts).toEqual(Array(10).fill(GLYPH_COUNTS[split] / 10));
    }
  });

  it("is fixed by its seed", () => {
    expect(glyphs({ count: 50, seed: 3 }).hash).toBe(glyphs({ count: 50, seed: 3 }).hash);
    expect(glyphs({ count: 50, seed: 4 }).hash).not.toBe(glyphs({ count: 50, seed: 3 }).hash);
    // The figures in the documents rest on these images: a change of the generator must be a decision.
    expect(glyphs({ count: 100 }).hash).toBe("75ac0b529fff11be0f7f52e19270dd40");
  });

  it("draws each image from seed, split and index alone", () => {
    const dataset = glyphs({ split: "train", count: 40, seed: 7 });
    for (const i of [0, 1, 17, 39])
      expect(glyphAt(7, "train", i)).toEqual({
        pixels: dataset.pixels.slice(i * 784, (i + 1) * 784),
        label: dataset.labels[i],
      });
    expect(takeExamples(glyphs({ split: "train", count: 200, seed: 7 }), 40).hash).toBe(dataset.hash);
  });

  it("shares no image between splits, nor within one", () => {
    const all = SPLITS.flatMap((split) => imagesOf(glyphs({ split, count: 500 })));
    expect(new Set(all).size).toBe(1500);
  });

  it("draws bright strokes on a dark ground, whole and inside the frame", () => {
    const { x } = batchBetween(glyphs({ count: 500 }), 0, 500);
    const bright = x.filter((v) => v > 0.5).length / x.length,
      dark = x.filter((v) => v < 0.2).length / x.length;
    expect(bright).toBeGreaterThan(0.06);
    expect(bright).toBeLessThan(0.2);
    expect(dark).toBeGreaterThan(0.75);
    const edge = x.filter((_, i) => i % 28 === 0 || i % 28 === 27 || i % 784 < 28 || i % 784 >= 756);
    expect(edge.filter((v) => v > 0.4).length / edge.length).toBeLessThan(0.005);
    for (let i = 0; i < 500; i++) expect(Math.max(...x.subarray(i * 784, (i + 1) * 784))).toBeGreaterThan(0.7);
  });

  it("is legible: the nearest of 2,000 training images has the right digit more than nine times in ten", () => {
    const train = batchBetween(glyphs({ split: "train", count: 2000 }), 0, 2000);
    const test = batchBetween(glyphs({ split: "test", count: 200 }), 0, 200);
    let right = 0;
    for (let i = 0; i < 200; i++)
      if (nearestLabel(train.x, train.labels, test.x.subarray(i * 784, (i + 1) * 784)) === test.labels[i]) right++;
    expect(right / 200).toBeGreaterThan(0.9);
    expect(right / 200).toBeLessThan(1); // and not trivial
  });

  it("refuses impossible options", () => {
    for (const options of [{ count: 0 }, { count: 1.5 }, { count: 1e9 }, { seed: 0.5 }]) {
      let code = "";
      try {
        glyphs(options);
      } catch (error) {
        if (isTemperError(error)) code = error.code;
      }
      expect(code, JSON.stringify(options)).toBe("bad-option");
    }
  });
});
