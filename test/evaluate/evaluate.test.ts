import { attackDataset, evaluate, type EvaluationResult, type EvaluateOptions } from "temper/evaluate";
import { describe, expect, it } from "vitest";
import { breakingEpsilons, classifierFrom, linearGraph, type ModelOptions, type Task, taskOf } from "./linear.ts";

const EPSILON = 0.02;
const attacks = [{ name: "pgd", options: { steps: 20 } }];
/** Two classes, so that the gradient's sign is the best direction: attacks reach the closed form. */
const task = taskOf({ classes: 2, contrast: 0.06 });
const run = (options: Partial<EvaluateOptions> = {}, model: ModelOptions = {}, on: Task = task) =>
  evaluate(classifierFrom(linearGraph(on, model)), on.dataset, { epsilon: EPSILON, attacks, sweep: [], ...options });

const needed = breakingEpsilons(task);
/** Share that no change up to epsilon can break; examples within rounding of the edge may fall on either side. */
const standing = (epsilon: number, count = needed.length): readonly [least: number, most: number] => {
  const part = needed.slice(0, count);
  return [part.filter((e) => e > epsilon * 1.001).length, part.filter((e) => e > epsilon * 0.999).length];
};
const countOf = ({ value, count }: { readonly value: number; readonly count: number }): number =>
  Math.round(value * count);

/** A result without what differs from run to run. */
const facts = ({ seconds: _, machine: __, createdAt: ___, attacks: rows, sweep, ...rest }: EvaluationResult) => ({
  ...rest,
  attacks: rows.map(({ seconds: ____, ...row }) => row),
  sweep: sweep.map(({ attacks: more, ...row }) => ({ ...row, attacks: more.map(({ seconds: ____, ...r }) => r) })),
});

describe("accuracy of a linear classifier has a closed form", () => {
  it("is measured exactly, clean and at every epsilon of the sweep", async () => {
    const result = await run({ sweep: [0.005, 0.01, 0.04], sweepCount: 1000 });
    expect(countOf(result.cleanAccuracy)).toBe(needed.filter((e) => e > 0).length);
    expect(result.sweep.map((row) => row.epsilon)).toEqual([0.005, 0.01, EPSILON, 0.04]);
    for (const { epsilon, robustAccuracy } of result.sweep) {
      const [least, most] = standing(epsilon);
      expect(countOf(robustAccuracy), `at ${epsilon}`).toBeGreaterThanOrEqual(least);
      expect(countOf(robustAccuracy), `at ${epsilon}`).toBeLessThanOrEqual(most);
    }
    const [few] = standing(0.04),
      [many] = standing(0.005);
    expect(many - few, "the curve falls within the sweep").toBeGreaterThan(40);
  });

  it("carries exact intervals, counts, cost, machine and the schema's version", async () => {
    const result = await run();
    const { cleanAccuracy: clean, robustAccuracy: robust, cost, attacks: rows } = result;
    expect(result.schema).toBe("temper.evaluation/1");
    for (const f of [clean, robust]) {
      expect(f.count).toBe(240);
      expect(f.low).toBeLessThan(f.value);
      expect(f.high).toBeGreaterThan(f.value);
    }
    expect(cost.gradientEvaluations).toBe(Math.round(rows[0]!.gradientEvaluations * rows[0]!.attempted));
    expect(rows[0]!.attempted).toBe(countOf(clean));
    expect(rows[0]!.broken).toBe(countOf(clean) - countOf(robust));
    expect(result.machine.threads).toBeGreaterThan(0);
    expect(result.seconds.total).toBeGreaterThan(0);
    expect(result.seconds.engine).toBeGreaterThan(0);
    expect(result.seconds.engine, "the runtime's share").toBeLessThan(result.seconds.total);
    const perClass = result.perClass.reduce(
      (sum, row) => [sum[0]! + row.count, sum[1]! + row.clean, sum[2]! + row.robust],
      [0, 0, 0],
    );
    expect(perClass).toEqual([240, countOf(clean), countOf(robust)]);
    const diagonal = (table: readonly (readonly number[])[]): number => table.reduce((s, row, k) => s + row[k]!, 0);
    expect(diagonal(result.confusion.clean)).toBe(countOf(clean));
    expect(diagonal(result.confusion.attacked)).toBe(countOf(robust));
  });
});

describe("the cascade", () => {
  it("gives each attack what stands, and counts the worst case of every example", async () => {
    const both = await run({
      attacks: [{ name: "fgsm" }, { name: "pgd", options: { steps: 20, randomStart: false } }],
    });
    const [first, second] = both.attacks;
    expect(second!.attempted).toBe(first!.attempted - first!.broken);
    expect(both.robustAccuracy.value).toBe(second!.robustAccuracy.value);
    const alone = await run({ attacks: [{ name: "fgsm" }] });
    expect(alone.attacks[0]!.broken).toBe(first!.broken);
    expect(both.robustAccuracy.value).toBeLessThanOrEqual(alone.robustAccuracy.value);
  });

  it("lets broken examples leave early: they cost less than the steps", async () => {
    const { attacks: rows } = await run({ epsilon: 0.2 });
    expect(rows[0]!.broken).toBe(rows[0]!.attempted);
    expect(rows[0]!.gradientEvaluations).toBeLessThan(10);
  });

  it("shares what smaller epsilons broke: the main attack is given less, and the curve never rises", async () => {
    const [alone, swept] = [await run(), await run({ sweep: [0.005, 0.01], sweepCount: 1000 })];
    expect(swept.robustAccuracy.value).toBe(alone.robustAccuracy.value);
    const earlier = swept.sweep.slice(0, 2).reduce((sum, row) => sum + row.attacks[0]!.broken, 0);
    expect(earlier).toBeGreaterThan(20);
    expect(swept.attacks[0]!.attempted).toBe(alone.attacks[0]!.attempted - earlier);
    const curve = swept.sweep.map((row) => row.robustAccuracy.value);
    expect(curve).toEqual(curve.toSorted((a, b) => b - a));
  });

  it("lets the further epsilons see the first examples only", async () => {
    const { sweep } = await run({ sweep: [0.01, 0.03], sweepCount: 50 });
    expect(sweep.map((row) => row.robustAccuracy.count)).toEqual([50, 240, 50]);
    const [least, most] = standing(0.03, 50);
    expect(countOf(sweep[2]!.robustAccuracy)).toBeGreaterThanOrEqual(least);
    expect(countOf(sweep[2]!.robustAccuracy)).toBeLessThanOrEqual(most);
  });

  it("does not depend on the size of the batches", async () => {
    const reference = facts(await run({ sweep: [0.01], batch: 240 }));
    for (const batch of [1, 7, 64]) {
      const other = facts(await run({ sweep: [0.01], batch }));
      expect(other.robustAccuracy, `batches of ${batch}`).toEqual(reference.robustAccuracy);
      expect(other.perClass).toEqual(reference.perClass);
      expect(other.cost).toEqual(reference.cost);
    }
  });

  it("repeats with the seed, and differs with another one", async () => {
    const [a, b, c] = [await run({ seed: 3 }), await run({ seed: 3 }), await run({ seed: 4 })];
    expect(facts(a)).toEqual(facts(b));
    expect(facts(c).examples).not.toEqual(facts(a).examples);
  });

  it("measures a network with a batch size of its own like any other", async () => {
    const [free, fixed] = [facts(await run({ batch: 50 })), facts(await run({ batch: 50 }, { batch: 32 }))];
    expect(fixed.cleanAccuracy).toEqual(free.cleanAccuracy);
    expect(fixed.robustAccuracy).toEqual(free.robustAccuracy);
    expect(fixed.cost).toEqual(free.cost);
  });

  it("breaks nothing at epsilon 0", async () => {
    const { cleanAccuracy, robustAccuracy, doubts } = await run({ epsilon: 0 });
    expect(robustAccuracy).toEqual(cleanAccuracy);
    expect(doubts).toEqual([]);
  });

  it.each(["l2", "l1"] as const)("works in %s, in the box and inside the ball", async (norm) => {
    const epsilon = norm === "l2" ? 0.2 : 1;
    const { examples, robustAccuracy, cleanAccuracy } = await run({ norm, epsilon });
    expect(robustAccuracy.value).toBeLessThan(cleanAccuracy.value);
    for (const { distance, adversarialPixels } of examples) {
      expect(distance).toBeLessThanOrEqual(epsilon * (1 + 1e-5));
      expect(adversarialPixels.every((v) => v >= 0 && v <= 1)).toBe(true);
    }
  });
});

describe("attackDataset", () => {
  const classifier = classifierFrom(linearGraph(task));
  it("finds the same as the evaluation with that attack alone", async () => {
    const [one, all] = [
      await attackDataset(classifier, task.dataset, { attack: attacks[0]!, epsilon: EPSILON }),
      await run(),
    ];
    expect(one.robustAccuracy).toEqual(all.robustAccuracy);
    expect(one.interrupted).toBe(false);
    const broken = one.broken.reduce((a, b) => a + b, 0);
    expect(broken).toBe(one.row.broken);
    one.broken.forEach((b, i) => {
      if (b) expect(one.predictions[i]).not.toBe(task.dataset.labels[i]);
    });
  });

  it("stops where it is told to, and says so", async () => {
    const controller = new AbortController();
    const found = await attackDataset(classifier, task.dataset, {
      attack: { name: "pgd", options: { steps: 500 } },
      epsilon: EPSILON,
      batch: 8,
      onProgress: () => controller.abort(),
      signal: controller.signal,
    });
    expect(found.interrupted).toBe(true);
    expect(found.row.attempted).toBeLessThan(task.dataset.labels.length);
    expect(found.row.gradientEvaluations).toBeLessThanOrEqual(500);
  });
});

describe("stopping", () => {
  it("in the attacks gives what was found, with a doubt", async () => {
    const controller = new AbortController();
    const result = await run({
      batch: 8,
      attacks: [{ name: "pgd", options: { steps: 500 } }],
      onProgress: ({ phase }) => phase === "attack" && controller.abort(),
      signal: controller.signal,
    });
    expect(result.doubts.map(({ code }) => code)).toContain("interrupted");
    expect(result.attacks[0]!.attempted).toBeLessThan(countOf(result.cleanAccuracy));
  });

  it("before anything was measured is an error", async () => {
    await expect(run({ batch: 8, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "interrupted" });
  });
});

describe("wrong use is refused before the work begins", () => {
  it.each([
    [{ epsilon: NaN }, /epsilon/],
    [{ epsilon: -1 }, /epsilon/],
    [{ sweep: [Infinity] }, /epsilon/],
    [{ batch: 0 }, /batch/],
    [{ threads: 1.5 }, /threads/],
    [{ sweepCount: 0 }, /sweepCount/],
    [{ pictures: -1 }, /pictures/],
    [{ seed: 0.5 }, /seed/],
    [{ attacks: [] }, /at least one/],
    [{ attacks: [{ name: "pgd", options: { step: 3 } }] }, /Did you mean steps/],
  ] as const)("%o", async (options, message) => {
    await expect(run(options as Partial<EvaluateOptions>)).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringMatching(message),
    });
  });

  it("names an attack that is near", async () => {
    await expect(run({ attacks: [{ name: "pdg" }] })).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringMatching(/Did you mean pgd/),
    });
  });

  it("refuses labels that the model does not know", async () => {
    const more = taskOf({ classes: 6 });
    await expect(evaluate(classifierFrom(linearGraph(task)), more.dataset, { epsilon: EPSILON })).rejects.toMatchObject(
      { code: "bad-data", message: expect.stringMatching(/knows 2 classes/) },
    );
  });
});
