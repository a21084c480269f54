import { clopperPearsonLower, fraction, meanInterval } from "temper/evaluate";
import { describe, expect, it } from "vitest";

const relative = (got: number, wanted: number): number => Math.abs(got - wanted) / Math.abs(wanted);

/** log of the binomial tail P(X >= k), summed term by term over exact rational odds: slow, and shares no code. */
const tail = (k: number, n: number, p: number): number => {
  let log = n * Math.log1p(-p),
    sum = k === 0 ? Math.exp(log) : 0;
  for (let j = 1; j <= n; j++) {
    log += Math.log((n - j + 1) / j) + Math.log(p) - Math.log1p(-p);
    if (j >= k) sum += Math.exp(log);
  }
  return sum;
};

describe("clopperPearsonLower", () => {
  // Source: SciPy 1.17.1, beta.ppf(0.001, k, n - k + 1)
  it.each([
    [100000, 100000, 0.9999309248330094],
    [99000, 100000, 0.9889893403774748],
    [75000, 100000, 0.7457468421355667],
    [990, 1000, 0.9760361871553114],
    [99, 100, 0.9113731112960424],
  ])("%i of %i at alpha 0.001 is SciPy's %f", (k, n, wanted) => {
    expect(relative(clopperPearsonLower(k, n, 0.001), wanted)).toBeLessThan(1e-12);
  });

  it.each([1, 2, 7, 100, 12345, 1e6])("has the closed forms at k = 1 and k = n for n = %i", (n) => {
    const one = n === 1 ? 0.025 : -Math.expm1(Math.log1p(-0.025) / n); // 1 - (1 - p)^n = alpha
    expect(relative(clopperPearsonLower(1, n, 0.025), one)).toBeLessThan(1e-12);
    expect(relative(clopperPearsonLower(n, n, 0.025), 0.025 ** (1 / n))).toBeLessThan(1e-12); // p^n = alpha
    expect(clopperPearsonLower(0, n, 0.025)).toBe(0);
  });

  it.each([
    [2, 3],
    [5, 10],
    [17, 400],
    [399, 400],
    [1500, 3000],
  ])("puts probability alpha on %i or more of %i", (k, n) => {
    for (const alpha of [0.5, 0.025, 1e-3, 1e-12])
      expect(relative(tail(k, n, clopperPearsonLower(k, n, alpha)), alpha)).toBeLessThan(1e-9);
  });

  it("stays exact for absurdly small alpha and large n", () => {
    const bound = clopperPearsonLower(500000, 1000000, 1e-300);
    expect(bound).toBeGreaterThan(0.48);
    expect(bound).toBeLessThan(0.5);
  });

  it.each([
    [1.5, 2],
    [-1, 2],
    [3, 2],
    [NaN, 2],
    [1, Infinity],
  ])("refuses %f of %f", (k, n) => {
    expect(() => clopperPearsonLower(k, n, 0.025)).toThrow(expect.objectContaining({ code: "bad-data" }));
    expect(() => fraction(k, n)).toThrow(expect.objectContaining({ code: "bad-data" }));
  });

  it.each([0, -1, 0.6, NaN])("refuses alpha %f", (alpha) => {
    expect(() => clopperPearsonLower(1, 2, alpha)).toThrow(expect.objectContaining({ code: "bad-option" }));
  });
});

describe("fraction", () => {
  it("knows nothing from no examples", () => {
    expect(fraction(0, 0)).toEqual({ value: 0, low: 0, high: 1, count: 0 });
  });

  it("reaches the ends exactly, and mirrors", () => {
    expect(fraction(0, 50).low).toBe(0);
    expect(fraction(50, 50).high).toBe(1);
    expect(fraction(7, 50).high).toBeCloseTo(1 - fraction(43, 50).low, 15);
  });

  it("gives 2.5 % to either side", () => {
    const { value, low, high, count } = fraction(949, 1000);
    expect([value, count]).toEqual([0.949, 1000]);
    expect(tail(949, 1000, low)).toBeCloseTo(0.025, 10);
    expect(1 - tail(950, 1000, high)).toBeCloseTo(0.025, 10);
  });

  it("holds the value for all counts up to 60, and narrows as examples are added", () => {
    for (let n = 1; n <= 60; n++)
      for (let k = 0; k <= n; k++) {
        const { value, low, high } = fraction(k, n);
        expect(low <= value && value <= high && low >= 0 && high <= 1).toBe(true);
      }
    const width = (n: number): number => fraction(n / 2, n).high - fraction(n / 2, n).low;
    expect([10, 100, 1000, 10000].map(width)).toEqual([10, 100, 1000, 10000].map(width).sort((a, b) => b - a));
  });
});

describe("meanInterval", () => {
  // Source: tables of Student's distribution, two-sided 95 % (Abramowitz and Stegun, table 26.10)
  it.each([
    [2, 12.706],
    [3, 4.303],
    [4, 3.182],
    [5, 2.776],
    [10, 2.262],
    [31, 2.042],
    [121, 1.98],
  ])("of %i values is %f standard errors to either side", (n, wanted) => {
    const values = Array.from({ length: n }, (_, i) => 3 + (i % 2) + i / n),
      mean = values.reduce((a, b) => a + b, 0) / n,
      error = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1) / n);
    const found = meanInterval(values);
    expect(found.mean).toBeCloseTo(mean, 12);
    expect((found.high - mean) / error).toBeCloseTo(wanted, 2.9);
    expect(mean - found.low).toBeCloseTo(found.high - mean, 10);
  });

  it("is a point where all values are equal, and none for one value", () => {
    expect(meanInterval([0.5, 0.5, 0.5])).toEqual({ mean: 0.5, low: 0.5, high: 0.5 });
    expect(meanInterval([0.5])).toEqual({ mean: 0.5, low: NaN, high: NaN });
  });
});
