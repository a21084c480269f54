import { grad } from "temper/autodiff";
import { TemperError } from "temper/core";
import type { Shape } from "temper/graph";
import { dropout, type Mode, sequential } from "temper/nn";
import { reduceSum } from "temper/ops";
import { describe, expect, it } from "vitest";
import { array, evaluate, values } from "./evaluate.ts";

describe("dropout", () => {
  const inputs = values({ x: [2, 8], u: [2, 8] }),
    [x, u] = [inputs["x"]!, inputs["u"]!];
  const asked: { shape: Shape; kind: string }[] = [];
  const training: Mode = {
    training: true,
    random: (shape, kind) => {
      asked.push({ shape, kind });
      return u;
    },
  };
  const grid = Array.from({ length: 16 }, (_, i) => i / 16);
  const feeds = {
    x: array(
      [2, 8],
      grid.map((_, i) => i + 1),
    ),
    u: array([2, 8], grid.toReversed()),
  };

  it.each([0.25, 0.5, 0.875])("rate %f: over all uniform numbers the mean is exactly that of the input", (rate) => {
    const { y } = dropout(rate).apply({}, x, training);
    expect(asked.at(-1)).toEqual({ shape: [2, 8], kind: "uniform" });
    const ones = { ...feeds, x: array([2, 8], new Array(16).fill(1)) };
    const out = evaluate(inputs, { y }, ones)["y"]!.data;
    expect(out.filter((v) => v === 0).length).toBe(16 * rate);
    expect(out.reduce((s, v) => s + v, 0) / 16).toBeCloseTo(1, 14);
  });

  it("is the identity where statistics are made for evaluation", () => {
    expect(dropout(0.5).apply({}, x, { ...training, share: u }).y).toBe(x);
  });

  it("kept numbers grow by 1 / (1 - rate), and gradients pass where they were kept", () => {
    const { y, updates } = dropout(0.5).apply({}, x, training);
    const g = grad(reduceSum(y, [0, 1]), [x])[0]!;
    const out = evaluate(inputs, { y, g }, feeds);
    expect(Array.from(out["y"]!.data)).toEqual(grid.map((_, i) => (i < 8 ? 0 : 2 * (i + 1))));
    expect(Array.from(out["g"]!.data)).toEqual(grid.map((_, i) => (i < 8 ? 0 : 2)));
    expect(updates).toEqual({});
  });

  it("is the identity outside of training and at rate 0, and draws nothing", () => {
    const before = asked.length;
    expect(dropout(0.5).apply({}, x, { ...training, training: false }).y).toBe(x);
    expect(dropout(0).apply({}, x, training).y).toBe(x);
    expect(asked.length).toBe(before);
  });

  it("draws anew at every place", () => {
    const before = asked.length;
    sequential({ a: dropout(0.1), b: sequential({ c: dropout(0.2) }) }).apply({}, x, training);
    expect(asked.length).toBe(before + 2);
  });

  it("refuses training without random numbers, and rates that leave nothing", () => {
    expect(() => dropout(0.5).apply({}, x, { training: true })).toThrow(TemperError);
    expect(() => dropout(0.5).apply({}, x, { training: true })).toThrow(/Give `random` in the mode/);
    expect(() => dropout(1)).toThrow(/rate must be in \[0, 1\), got 1/);
    expect(() => dropout(NaN)).toThrow(/got NaN/);
  });
});
