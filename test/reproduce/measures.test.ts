import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fosc, type Raised } from "temper/attack";
import { filledLike, vjp } from "temper/autodiff";
import type { Value } from "temper/graph";
import { crossEntropy } from "temper/loss";
import { concatChunks, encodeModel } from "temper/onnx";
import { reduceMax, reduceMin, reduceSum, sub, toOnnx } from "temper/ops";
import { climbed, meanOf, onEverySeed, rateOf, rowsOf, spearman, type Traced, type Trained } from "temper/reproduce";
import { afterAll, describe, expect, it } from "vitest";
import { linearGraph, taskOf } from "../evaluate/linear.ts";

const folder = mkdtempSync(join(tmpdir(), "temper-measures-"));
afterAll(() => rmSync(folder, { recursive: true }));

const task = taskOf({ classes: 2 }),
  modelPath = join(folder, "linear.onnx"),
  epsilon = 0.05;
writeFileSync(modelPath, concatChunks(encodeModel(toOnnx(linearGraph(task)))));
const on = { modelPath, images: task.dataset, epsilon, seed: 3 };

const raiseOf =
  ({ forward, labels }: Traced) =>
  (points: Value): Raised => {
    const logits = forward(points);
    return { rows: crossEntropy(logits, labels), logits };
  };
const leftAt = (at: Traced, point: Value): Value => {
  const { rows } = raiseOf(at)(point),
    gradient = vjp([rows], [filledLike(rows, 1)], [point])[0]!;
  return fosc({ point, gradient }, at, true);
};

describe("measures over a trained network", () => {
  it("a step of the whole radius leaves no stationarity on a linear network, half of it some", async () => {
    const { start, half, whole } = await rowsOf(on, (at) => ({
      start: leftAt(at, at.x),
      half: leftAt(at, climbed(at, at.x, raiseOf(at), { steps: 1, length: 0.5 })),
      whole: leftAt(at, climbed(at, at.x, raiseOf(at), { steps: 1, length: 1 })),
    }));
    expect(start).toHaveLength(task.dataset.labels.length);
    start.forEach((v, i) => {
      expect(v).toBeGreaterThan(0);
      expect(half[i]).toBeGreaterThan(0);
      expect(Math.abs(whole[i]!)).toBeLessThan(1e-5 * Math.max(1, v));
    });
  });

  it("many small steps stay in the set", async () => {
    const { far } = await rowsOf(on, (at) => {
      const point = climbed(at, at.x, raiseOf(at), { steps: 9, length: 0.25 });
      return { far: reduceMax(sub(point, at.x), [1, 2, 3], false) };
    });
    expect(Math.max(...far)).toBeCloseTo(epsilon, 6);
  });

  it("draws follow from the seed, each its own", async () => {
    const drawn = (seed: number): Promise<Record<"first" | "second" | "least", readonly number[]>> =>
      rowsOf({ ...on, seed }, ({ draw, x }) => ({
        first: reduceSum(draw("uniform", x), [1, 2, 3]),
        second: reduceSum(draw("uniform", x), [1, 2, 3]),
        least: reduceMin(draw("uniform", x), [1, 2, 3], false),
      }));
    const [once, again, other] = [await drawn(3), await drawn(3), await drawn(4)];
    expect(again).toEqual(once);
    expect(other.first).not.toEqual(once.first);
    expect(once.second).not.toEqual(once.first);
    expect(Math.max(...once.least)).toBeLessThan(-0.5); // of 64 draws from [-1, 1)
  });
});

describe("numbers", () => {
  it("rank correlation is 1 of what rises together, -1 of what falls, and shares ranks of equal values", () => {
    expect(spearman([1, 2, 3], [10, 20, 1000])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3], [5, 4, -9])).toBeCloseTo(-1, 12);
    expect(spearman([1, 2, 2, 3], [1, 3, 2, 4])).toBeCloseTo(0.9486832980505138, 12); // scipy.stats.spearmanr
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(meanOf([1, 2, 6])).toBe(3);
  });

  it("the rate is the median of the epochs after the first", () => {
    const history = [1, 90, 70, 80].map((imagesPerSecond) => ({ imagesPerSecond }));
    expect(rateOf({ history } as unknown as Trained)).toBe(80);
  });

  it("a claim counts the seeds that have its number, and does not hold where none has", () => {
    const claim = onEverySeed({
      text: "",
      required: true,
      threshold: "page",
      unit: "number",
      value: (m) => m["a"],
      sign: ">=",
      bound: 1,
    });
    expect(claim.test([{ a: 2 }, {}])).toEqual({ held: true, values: [2] });
    expect(claim.test([{ a: 2 }, { a: 0 }])).toEqual({ held: false, values: [2, 0] });
    expect(claim.test([{}])).toEqual({ held: false, values: [] });
  });
});
