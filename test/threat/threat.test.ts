import { createRng } from "temper/core";
import { formatEpsilon, norms, type NormName, threat } from "temper/threat";
import { describe, expect, it } from "vitest";

const names = Object.keys(norms) as NormName[];

describe("threat", () => {
  it("refuses what makes no set", () => {
    expect(() => threat({ norm: "l3" as NormName, epsilon: 1 })).toThrow(/norm must be one of linf, l2, l1/);
    expect(() => threat({ epsilon: -1 })).toThrow(/epsilon must be a number from 0/);
    expect(() => threat({ epsilon: NaN })).toThrow(/epsilon/);
    expect(() => threat({ box: [1, 0] })).toThrow(/low before high/);
    expect(() => threat({ box: [0, 1, 2] })).toThrow(/box must be two numbers/);
    expect(() => threat({ eps: 1 } as never)).toThrow(/no option eps/);
    const set = threat({});
    expect(() => set.distance(new Float32Array(4), new Float32Array(6), 2)).toThrow(/whole rows/);
    expect(() => set.project(new Float32Array(4), new Float32Array(4), 3)).toThrow(/whole rows/);
    expect(() => set.project(new Float32Array(4), new Float32Array(4), 0)).toThrow(/whole rows/);
  });

  it("names the pixel that lies outside of the box", () => {
    expect(() => threat({}).check(Float32Array.of(0, 1, 0.5, 255), 2)).toThrow(/example 1, element 1.*got 255/);
    expect(() => threat({}).check(Float32Array.of(NaN, 1), 2)).toThrow(/example 0, element 0/);
    expect(() => threat({}).check(Float32Array.of(0, 1), 2)).not.toThrow();
  });

  it("describes itself", () => {
    expect(threat({ epsilon: 8 / 255 }).describe()).toBe("linf ball of radius 0.03137 (8/255) in the box [0, 1]");
    expect(
      threat({ norm: "l2", epsilon: 0.3 })
        .withEpsilon(128 / 255)
        .describe(),
    ).toContain("l2 ball of radius 0.502 (128/255)");
    expect(formatEpsilon(12)).toBe("12");
    expect(formatEpsilon(0)).toBe("0");
    expect(formatEpsilon(0.3)).toBe("0.3"); // not 76.5/255
  });

  it("measures in float64", () => {
    const x = new Float32Array(200_000),
      adv = new Float32Array(200_000).fill(0.1);
    expect(threat({ norm: "l1" }).distance(x, adv, 200_000)[0]).toBe(Math.fround(200_000 * Math.fround(0.1)));
    expect(threat({ norm: "l2" }).distance(x, adv, 100_000)[1]).toBe(Math.fround(Math.sqrt(1e5) * Math.fround(0.1)));
    expect(threat({ norm: "linf" }).distance(x, adv, 100_000)[0]).toBe(Math.fround(0.1));
  });
});

describe.each(names)("%s", (norm) => {
  const d = 64,
    n = 16;
  const x = new Float32Array(n * d);
  createRng(7).fillUniform(x, 0, 1);
  const set = threat({ norm, epsilon: norm === "linf" ? 0.1 : norm === "l2" ? 1 : 4 });
  const rngFor = (row: number): ReturnType<typeof createRng> => createRng(8).split(row);

  it("starts at random inside the set, repeatably, whatever the batch", () => {
    const adv = set.randomStart(x, rngFor, d);
    expect(set.contains(x, adv, d, 1e-9)).toEqual(new Uint8Array(n).fill(1));
    expect(set.randomStart(x, rngFor, d)).toEqual(adv);
    expect(set.randomStart(x.slice(3 * d, 4 * d), () => rngFor(3), d)).toEqual(adv.slice(3 * d, 4 * d));
    const lengths = set.distance(x, adv, d);
    expect(Math.min(...lengths)).toBeGreaterThan(0);
    expect(new Set(lengths).size).toBeGreaterThan(norm === "l1" ? 0 : n / 2);
    expect(set.randomStart(x, rngFor, d, 0)).toEqual(x);
  });

  it("contains says no to long changes, pixels outside and NaN", () => {
    const one = x.slice(0, d),
      adv = Float32Array.from(one);
    expect(set.contains(one, adv, d)).toEqual(Uint8Array.of(1));
    adv[3] = NaN;
    expect(set.contains(one, adv, d)).toEqual(Uint8Array.of(0));
    expect(set.distance(one, adv, d)[0]).toBeNaN();
    adv[3] = one[3]!;
    adv.fill(one.at(-1)! > 0.5 ? 0 : 1, d - 1);
    expect(threat({ norm, epsilon: 0.4 }).contains(one, adv, d)).toEqual(Uint8Array.of(0));
    const edge = new Float32Array(d).fill(1);
    expect(threat({ norm, epsilon: 100 }).contains(edge, edge.with(0, 1.001), d)).toEqual(Uint8Array.of(0));
  });

  it("ascends by exactly the step in its norm and gains the dual norm", () => {
    const g = new Float32Array(n * d);
    createRng(9).fillNormal(g, 0, 1);
    const adv = new Float32Array(n * d);
    const steps = Float64Array.from({ length: n }, (_, i) => 0.5 + 0.1 * i);
    expect(set.ascend(adv, g, steps, d, { keep: 1, passStopped: false })).toBe(0);
    const moved = set.distance(new Float32Array(n * d), adv, d);
    for (let i = 0; i < n; i++) {
      expect(moved[i]).toBeCloseTo(steps[i]!, 5);
      const row = Array.from(g.subarray(i * d, (i + 1) * d));
      const gain = row.reduce((s, v, k) => s + v * adv[i * d + k]!, 0);
      const dual = {
        linf: (s: number, v: number) => s + Math.abs(v),
        l1: (s: number, v: number) => Math.max(s, Math.abs(v)),
      };
      const expected = norm === "l2" ? Math.sqrt(row.reduce((s, v) => s + v * v, 0)) : row.reduce(dual[norm], 0);
      expect(gain / (steps[i]! * expected)).toBeCloseTo(1, 5);
    }
  });

  it("does not move along zero or broken gradients, and says which", () => {
    const g = new Float32Array(4 * d);
    g.fill(1, 3 * d);
    g[d + 5] = NaN;
    g[2 * d + 1] = -Infinity;
    const adv = x.slice(0, 4 * d),
      skipped = new Uint8Array(4);
    expect(set.ascend(adv, g, 1, d, { skipped })).toBe(2);
    expect(skipped).toEqual(Uint8Array.of(0, 1, 1, 0));
    expect(adv.slice(0, 3 * d)).toEqual(x.slice(0, 3 * d));
    expect(adv.slice(3 * d)).not.toEqual(x.slice(3 * d, 4 * d));
  });
});

describe("sparse directions of l1", () => {
  const set = threat({ norm: "l1", epsilon: 1 });
  const moved = (g: number[], keep: number): number[] => {
    const adv = new Float32Array(g.length);
    set.ascend(adv, Float32Array.from(g), 12, g.length, { keep, passStopped: false });
    return Array.from(adv);
  };
  it("move the largest entries, break ties by position and skip zeros", () => {
    expect(moved([1, -5, 3, 0], 1)).toEqual([0, -12, 0, 0]);
    expect(moved([1, -5, 3, 0], 2)).toEqual([0, -6, 6, 0]);
    expect(moved([1, -5, 3, 0], 4)).toEqual([4, -4, 4, 0]);
    expect(moved([2, -2, 2, 2], 2)).toEqual([6, -6, 0, 0]);
    expect(moved([2, -2, 7, 2], 3)).toEqual([4, -4, 4, 0]);
    expect(moved([0, 0, 0], 2)).toEqual([0, 0, 0]);
  });
  it("pass over elements at the box, unless told not to", () => {
    const g = Float32Array.of(5, 4, -3, -2);
    const adv = Float32Array.of(1, 0.5, 0, 0.5);
    set.ascend(adv, g, 0.25, 4, { keep: 2 });
    expect(adv).toEqual(Float32Array.of(1, 0.625, 0, 0.375));
    set.ascend(adv, g, 0.25, 4, { keep: 2, passStopped: false });
    expect(adv).toEqual(Float32Array.of(1.125, 0.75, 0, 0.375));
  });
  it("agree with sorting on random rows", () => {
    const rng = createRng(11);
    for (let k = 0; k < 200; k++) {
      const d = 1 + rng.int(300),
        keep = 1 + rng.int(d);
      const g = Array.from({ length: d }, () => (k % 2 ? rng.normal() : rng.int(7) - 3));
      const size = (i: number): number => Math.abs(Math.fround(g[i]!));
      const order = g.map((_, i) => i).sort((a, b) => size(b) - size(a) || a - b);
      const chosen = order.slice(0, keep).filter((i) => g[i] !== 0);
      const expected = g.map((v, i) => (chosen.includes(i) ? Math.fround(Math.sign(v) * (12 / chosen.length)) : 0));
      expect(moved(g, keep)).toEqual(expected);
    }
  });
});
