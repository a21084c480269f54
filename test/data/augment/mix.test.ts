import { describe, expect, it } from "vitest";
import { createRng } from "temper/core";
import { type AnyMixer, betaOf, mixers } from "temper/data";

describe("betaOf", () => {
  // Mean a / (a + b), variance ab / ((a + b)^2 (a + b + 1)), third central moment from the skewness.
  it.each([
    [1, 1],
    [0.2, 0.2],
    [2, 5],
    [0.5, 3],
    [8, 8],
  ])("Beta(%d, %d): the first three moments", (a, b) => {
    const n = 40_000,
      rng = createRng(7),
      draws = Float64Array.from({ length: n }, () => betaOf(rng, a, b));
    expect(draws.every((v) => v >= 0 && v <= 1)).toBe(true);
    const mean = a / (a + b),
      variance = (a * b) / ((a + b) ** 2 * (a + b + 1)),
      skewness = (2 * (b - a) * Math.sqrt(a + b + 1)) / ((a + b + 2) * Math.sqrt(a * b));
    const moment = (k: number, about: number): number => draws.reduce((sum, v) => sum + (v - about) ** k, 0) / n;
    expect(Math.abs(moment(1, 0) - mean)).toBeLessThan(5 * Math.sqrt(variance / n));
    expect(Math.abs(moment(2, mean) / variance - 1)).toBeLessThan(0.05);
    expect(Math.abs(moment(3, mean) / variance ** 1.5 - skewness)).toBeLessThan(0.06);
  });

  it.each([
    [1, 1, (x: number) => x],
    [3, 1, (x: number) => x ** 3],
    [1, 0.5, (x: number) => 1 - Math.sqrt(1 - x)],
    [0.5, 0.5, (x: number) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
    [2, 2, (x: number) => x * x * (3 - 2 * x)],
  ])("Beta(%d, %d): the distribution where it has a closed form (Kolmogorov)", (a, b, below) => {
    const n = 40_000,
      rng = createRng(3),
      draws = Float64Array.from({ length: n }, () => betaOf(rng, a, b)).sort();
    const furthest = draws.reduce((most, x, i) => Math.max(most, below(x) - i / n, (i + 1) / n - below(x)), 0);
    expect(furthest).toBeLessThan(2 / Math.sqrt(n)); // by chance once in 1,500
  });

  it("small shapes give numbers near to 0 and 1, never none", () => {
    const rng = createRng(1);
    let near = 0;
    for (let i = 0; i < 2000; i++) {
      const value = betaOf(rng, 1e-3, 1e-3);
      expect(Number.isFinite(value)).toBe(true);
      if (value < 1e-3 || value > 1 - 1e-3) near++;
    }
    expect(near).toBeGreaterThan(1900);
  });
});

describe("mixers", () => {
  const shape = [2, 6, 5] as const;
  const mix = (name: keyof typeof mixers, options: object, seed: number): { lambda: number; pixels: Float32Array } => {
    const pixels = new Float32Array(60).fill(1),
      record: AnyMixer = mixers[name];
    const lambda = record.apply(
      { pixels, shape, range: [0, 1] },
      new Float32Array(60),
      createRng(seed),
      options as never,
    );
    return { lambda, pixels };
  };

  it("mixup: every pixel has the label's weight", () => {
    const weights = Array.from({ length: 500 }, (_, seed) => {
      const { lambda, pixels } = mix("mixup", { alpha: 0.4 }, seed);
      expect(pixels.every((v) => v === Math.fround(lambda))).toBe(true);
      return lambda;
    });
    const mean = weights.reduce((sum, w) => sum + w, 0) / 500;
    expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(0.4 ** 2 / (0.8 ** 2 * 1.8) / 500));
  });

  it("cutmix: the label's weight is the share of pixels that stayed, a box in all channels", () => {
    let mixed = 0;
    for (let seed = 0; seed < 500; seed++) {
      const { lambda, pixels } = mix("cutmix", { alpha: 1, probability: 0.5 }, seed);
      const stayed = pixels.reduce((sum, v) => sum + v, 0);
      expect(lambda).toBeCloseTo(stayed / 60, 12);
      expect([...pixels.subarray(0, 30)]).toEqual([...pixels.subarray(30)]);
      const gone = Array.from({ length: 30 }, (_, i) => i).filter((i) => pixels[i] === 0),
        rows = new Set(gone.map((i) => Math.floor(i / 5))),
        columns = new Set(gone.map((i) => i % 5));
      expect(rows.size * columns.size).toBe(gone.length);
      if (lambda < 1) mixed++;
    }
    expect(mixed).toBeGreaterThan(150); // half, less those whose box is empty
    expect(mixed).toBeLessThan(300);
    expect(mix("cutmix", { alpha: 1, probability: 0 }, 0).lambda).toBe(1);
  });
});
