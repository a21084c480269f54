import { createRng, f32, sizeOf, type Tensor, toFloat64 } from "temper/core";
import { createGraph, input } from "temper/graph";
import type { ModelDefinition } from "temper/models";
import { batchNorm, conv2d, initialize, sequential } from "temper/nn";
import { evaluateGraph } from "temper/ops";
import { averaged, averageName, averagings, createAveraging, reestimate } from "temper/optim";
import { compile, defaultEngine } from "temper/runtime";
import { toGraph } from "temper/models";
import { describe, expect, it } from "vitest";

const run = { total: 100, perEpoch: 10 };
/** The weight after step t, t = 0 at the start. */
const weight = (t: number): number => Math.sin(t) + t / 10;

/** The average after each of `count` steps, through the graph in float64. */
const averages = (rate: (step: number) => number, count: number): number[] => {
  const scalar = (name: string) => input(name, "float64", []);
  const [a, w, r] = [scalar(averageName("w")), scalar("w"), scalar("rate")];
  const graph = createGraph("average", [a, w, r], { next: averaged({ w: a }, { w }, r)["w"]! });
  const feed = (v: number) => ({ dtype: "float64" as const, shape: [], data: Float64Array.of(v) });
  let value = weight(0);
  return Array.from({ length: count }, (_, i) => {
    const feeds = { [averageName("w")]: feed(value), w: feed(weight(i + 1)), rate: feed(rate(i + 1)) };
    value = evaluateGraph(graph, feeds)["next"]!.data[0]!;
    return value;
  });
};

describe("ema", () => {
  it("is the geometric sum of all weights", () => {
    const d = 0.9,
      found = averages(createAveraging(averagings.ema, run, { decay: d, rampUp: false }), 40);
    found.forEach((value, i) => {
      const n = i + 1;
      let sum = d ** n * weight(0);
      for (let t = 1; t <= n; t++) sum += (1 - d) * d ** (n - t) * weight(t);
      expect(value).toBeCloseTo(sum, 12);
    });
  });

  it("keeps at most (1 + t) / (10 + t) while it ramps up", () => {
    const rate = createAveraging(averagings.ema, run, { decay: 0.9 });
    for (const t of [1, 2, 10, 79]) expect(1 - rate(t)).toBeCloseTo((1 + t) / (10 + t), 14);
    for (const t of [80, 81, 5000]) expect(1 - rate(t)).toBeCloseTo(0.9, 14); // 81 / 90 = 0.9
  });
});

describe("swa", () => {
  const mean = (steps: readonly number[]): number => steps.reduce((sum, t) => sum + weight(t), 0) / steps.length;

  it("is the equal average of the ends of epochs from its start on, before it the weights", () => {
    const found = averages(createAveraging(averagings.swa, run, { from: 0.5 }), 100);
    expect(found[29]).toBeCloseTo(weight(30), 12);
    expect(found[58]).toBeCloseTo(weight(59), 12);
    expect(found[59]).toBeCloseTo(weight(60), 12);
    expect(found[64]).toBeCloseTo(weight(60), 12);
    expect(found[79]).toBeCloseTo(mean([60, 70, 80]), 12);
    expect(found[99]).toBeCloseTo(mean([60, 70, 80, 90, 100]), 12);
  });

  it("takes every step where asked", () => {
    const found = averages(createAveraging(averagings.swa, run, { from: 0.9, every: 0 }), 100);
    expect(found[89]).toBeCloseTo(weight(90), 12);
    expect(found[99]).toBeCloseTo(mean([91, 92, 93, 94, 95, 96, 97, 98, 99, 100]), 12);
    const all = averages(createAveraging(averagings.swa, run, { from: 0, every: 0 }), 3);
    expect(all[2]).toBeCloseTo(mean([1, 2, 3]), 12);
  });

  it("refuses what it does not know", () => {
    expect(() => createAveraging(averagings.swa, run, { start: 1 } as never)).toThrow(/no option start/);
    expect(() => createAveraging(averagings.ema, run, { decay: 2 })).toThrow(/decay must be/);
  });
});

const normal = (seed: number, shape: readonly number[], mean: number, deviation: number): Tensor => {
  const data = new Float32Array(sizeOf(shape));
  createRng(seed).fillNormal(data, mean, deviation);
  return f32(data, shape);
};

describe("reestimate", () => {
  const moments = (values: readonly number[]): [mean: number, variance: number] => {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return [mean, values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)];
  };
  const channel = (x: Tensor, c: number): number[] => [...toFloat64(x)].filter((_, i) => Math.floor(i / 9) % 2 === c);

  it("gives the mean over batches of their means and unbiased variances", async () => {
    const definition: ModelDefinition = { name: "norm", inputShape: [2, 3, 3], classes: 2, ...batchNorm(2) };
    const batches = [1, 2, 3].map((seed) => normal(seed, [4, 2, 3, 3], seed, 1 + seed));
    const { weight: w, bias } = initialize(definition, createRng(0));
    const found = await reestimate(defaultEngine(), definition, { weight: w!, bias: bias! }, batches);
    expect(Object.keys(found)).toEqual(["running_mean", "running_var"]);
    for (const c of [0, 1]) {
      const each = batches.map((x) => moments(channel(x, c)));
      expect(found["running_mean"]!.data[c]).toBeCloseTo(each.reduce((s, [m]) => s + m, 0) / 3, 5);
      expect(found["running_var"]!.data[c]).toBeCloseTo(each.reduce((s, [, v]) => s + v, 0) / 3, 4);
    }
  });

  it("makes evaluation agree with training on the batch it saw, layer after layer", async () => {
    const layers = sequential({ 0: conv2d(2, 4, 3), 1: batchNorm(4), 2: conv2d(4, 3, 3), 3: batchNorm(3) });
    const definition: ModelDefinition = { name: "two", inputShape: [2, 9, 9], classes: 3, ...layers };
    const start = initialize(definition, createRng(3)),
      x = normal(4, [32, 2, 9, 9], 1, 3);
    const parameters = Object.fromEntries(Object.keys(definition.parameters).map((name) => [name, start[name]!]));
    const buffers = await reestimate(defaultEngine(), definition, parameters, [x]);
    expect(Object.keys(buffers)).toHaveLength(4);
    const logits = async (training: boolean) => {
      using program = await compile(toGraph(definition, { training }));
      return toFloat64((await program.run({ ...start, ...buffers, input: x }))["logits"]!);
    };
    const [evaluated, trained] = [await logits(false), await logits(true)];
    evaluated.forEach((v, i) => expect(v).toBeCloseTo(trained[i]!, 2)); // variances differ by m / (m - 1)
  });

  it("needs a batch, and nothing where nothing is kept", async () => {
    const norm: ModelDefinition = {
      name: "norm",
      inputShape: [2, 3, 3],
      classes: 2,
      ...batchNorm(2, { affine: false }),
    };
    await expect(reestimate(defaultEngine(), norm, {}, [])).rejects.toThrow(/at least one batch/);
    expect(await reestimate(defaultEngine(), { ...norm, buffers: {} }, {}, [])).toEqual({});
  });
});
