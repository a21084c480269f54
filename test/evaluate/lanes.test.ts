import { loadDataset } from "temper/data";
import { attackDataset, evaluate, type EvaluateOptions } from "temper/evaluate";
import { loadClassifier } from "temper/models";
import { describe, expect, it } from "vitest";
import { hasShared, shared } from "../shared.ts";
import { classifierFrom, linearGraph, taskOf } from "./linear.ts";

const task = taskOf({ classes: 2, contrast: 0.06 }),
  model = classifierFrom(linearGraph(task)),
  attacks = [{ name: "pgd", options: { steps: 20 } }, { name: "apgd-ce" }];
const run = (options: Partial<EvaluateOptions>) =>
  evaluate(model, task.dataset, { epsilon: 0.02, attacks, batch: 16, threads: 4, ...options });

/** Of the first digit images: everything that an attack gives, but its time. */
const found = async (path: string, epsilon: number, lanes: number) => {
  const data = await loadDataset(shared(path.startsWith("cifar10") ? "cifar10" : "mnist"), { range: "0:80" }),
    classifier = await loadClassifier(shared(`models/${path}`), data.shape);
  const attack = { name: "apgd-ce", options: { steps: 10 } };
  const { row, ...rest } = await attackDataset(classifier, data, { attack, epsilon, batch: 16, threads: 2, lanes });
  return { ...rest, row: { ...row, seconds: 0 } };
};

describe("batches attacked at once", () => {
  it("give what they give one after the other, bit for bit and in order", async () => {
    const [one, ...others] = await Promise.all(
      [1, 2, 4].map(async (lanes) => {
        const { run: how, seconds: _, createdAt: __, attacks: rows, sweep, ...rest } = await run({ lanes });
        expect(how).toEqual({ batch: 16, lanes });
        const untimed = sweep.map((row) => ({ ...row, attacks: row.attacks.map((a) => ({ ...a, seconds: 0 })) }));
        return { ...rest, untimed, attempted: rows.map(({ attempted }) => attempted) };
      }),
    );
    expect(one!.attempted[1], "some stand after the first attack, some do not").toBeGreaterThan(20);
    expect(one!.attempted[1]).toBeLessThan(one!.attempted[0]! - 20);
    for (const other of others) expect(other).toEqual(one);
  });

  it.runIf(hasShared).each([
    ["kw_mnist_eps0.1.onnx", 0.15],
    ["cifar10_resnet20.onnx", 0.001],
  ])("do so with %s, whose sessions have fewer threads then", async (path, epsilon) => {
    const [one, two] = [await found(path, epsilon, 1), await found(path, epsilon, 2)];
    expect(two).toEqual(one);
    expect(one.row.broken).toBeGreaterThan(0);
    expect(one.row.broken).toBeLessThan(one.row.attempted);
  });

  it("stop together where the caller stops", async () => {
    const controller = new AbortController();
    const result = await run({
      lanes: 2,
      batch: 8,
      attacks: [{ name: "pgd", options: { steps: 1e8 } }], // no batch ends by itself
      sweep: [],
      epsilon: 1e-4,
      onProgress: ({ done, total }) => done === total && setTimeout(() => controller.abort(), 1000),
      signal: controller.signal,
    });
    expect(result.doubts.map(({ code }) => code)).toContain("interrupted");
    expect(result.attacks[0]!.attempted).toBe(2 * 8);
  });

  it("report progress that only rises", async () => {
    const seen: number[] = [];
    await run({
      lanes: 2,
      sweep: [],
      attacks: [attacks[0]!],
      onProgress: ({ phase, done }) => phase === "attack" && seen.push(done),
    });
    expect(seen.length).toBeGreaterThan(5);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it("are refused in numbers that cannot be", async () => {
    await expect(run({ lanes: 1.5 })).rejects.toMatchObject({ code: "bad-option" });
  });
});

describe("without a number, as many as pay", () => {
  /** Lanes of an evaluation that is stopped before its attacks. */
  const lanesOf = async (options: Partial<EvaluateOptions>, steps: number): Promise<number> => {
    const controller = new AbortController();
    const result = await run({
      attacks: [{ name: "pgd", options: { steps } }],
      onProgress: ({ phase, done, total }) => phase === "clean" && done === total && controller.abort(),
      signal: controller.signal,
      ...options,
    });
    return result.run.lanes;
  };
  const HOURS = 1e8;

  it.each([
    ["one for attacks that are soon over", {}, 1, 1],
    ["one a thread for long ones", {}, HOURS, 4],
    ["one with one thread", { threads: 1 }, HOURS, 1],
    ["no more than there are batches", { batch: 100 }, HOURS, 3],
    ["no more than the memory allows", { memory: 250e6 }, HOURS, 3],
    ["one where it allows no more", { memory: 200e6 }, HOURS, 1],
  ] as const)("%s", async (_, options, steps, lanes) => {
    expect(await lanesOf(options, steps)).toBe(lanes);
  });
});
