import { argmaxRows, marginOf, softmaxRows } from "temper/loss";
import { expect, it } from "vitest";

it("argmaxRows takes the first of equal scores and -1 for NaN", () => {
  expect(argmaxRows(Float32Array.of(1, 3, 3, -1, -1, -1, 2, NaN, 9, -Infinity, 0, Infinity), 3)).toEqual(
    Int32Array.of(1, 0, -1, 2),
  );
  expect(() => argmaxRows(new Float32Array(7), 3)).toThrow(/whole rows of 3/);
  expect(() => argmaxRows(new Float32Array(6), 0)).toThrow(/whole rows/);
});

it("marginOf is above zero exactly where the label loses", () => {
  const logits = Float32Array.of(1, 2, 4, 5, 5, 0, NaN, 0, 0);
  expect(marginOf(logits, [2, 0, 1], 3)).toEqual(Float64Array.of(-2, 0, NaN));
  expect(marginOf(logits, Int32Array.of(0, 2, 0), 3)).toEqual(Float64Array.of(3, 5, NaN));
  expect(marginOf(Float32Array.of(0.1, 0.3), [0], 2)[0]).toBe(Math.fround(0.3) - Math.fround(0.1)); // in float64
  expect(() => marginOf(logits, [0], 3)).toThrow(/as many labels/);
});

it("softmaxRows does not overflow and sums to one", () => {
  const p = softmaxRows(Float32Array.of(1000, 1000, -1000, 0, Math.log(2), Math.log(5)), 3);
  expect(Array.from(p.subarray(0, 3))).toEqual([0.5, 0.5, 0]);
  [1 / 8, 2 / 8, 5 / 8].forEach((v, k) => expect(p[3 + k]).toBeCloseTo(v, 7));
  expect(p.subarray(3).reduce((a, b) => a + b)).toBeCloseTo(1, 15);
});
