import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTarget, predictionOf } from "temper/attack";
import { createRng, f32, i64, type Rng, sizeOf, type Tensor, toFloat64, zeros } from "temper/core";
import { batchBetween, countOf, glyphs } from "temper/data";
import { loadClassifier, model, toGraph } from "temper/models";
import { toArray64 } from "temper/graph";
import { initialize } from "temper/nn";
import { evaluateGraph } from "temper/ops";
import { compile, createLocalRuntime } from "temper/runtime";
import {
  type AnyRecipe,
  createSteps,
  decodeSafetensors,
  readManifest,
  train,
  type TrainProgress,
  recipes,
  settingsOf,
  trainStep,
} from "temper/train";
import { describe, expect, it } from "vitest";
import { newFolder, requests, training, validation } from "./setting.ts";

const accuracy = async (path: string, data = glyphs({ split: "test", count: 500 })): Promise<number> => {
  using target = await createTarget(createLocalRuntime(), (await loadClassifier(path, data.shape)).graph);
  const { x, labels } = batchBetween(data, 0, countOf(data));
  const logits = await target.logits(x);
  return labels.reduce((sum, label, i) => sum + (predictionOf(logits, i, 10) === label ? 1 : 0), 0) / labels.length;
};

/** From 1 down to `least`. */
const wave = (least: number, part: number): number => least + ((1 - least) * (1 + Math.cos(Math.PI * part))) / 2;

describe("train", () => {
  it("learns digits in seconds, tells how it goes, and writes a model that others can load", async () => {
    const data = glyphs({ split: "train", count: 2000 }),
      folder = newFolder(),
      told: TrainProgress[] = [];
    const { finished, history, modelPath } = await train({
      ...requests.plain,
      train: data,
      validation,
      modelOptions: { channels: [8, 16], dense: [32] },
      options: { epochs: 4, batchSize: 50, optimizer: "adam", lr: 0.01, weightDecay: 0, epsilon: 0.05, validation: 60 },
      folder,
      onProgress: (p) => told.push(p),
    });
    expect(finished).toBe(true);
    expect(history.map(({ epoch, step }) => [epoch, step])).toEqual([1, 2, 3, 4].map((e) => [e, 40 * e]));
    expect(history[0]!.loss).toBeGreaterThan(2 * history[3]!.loss);
    expect(history[3]!.trainAccuracy).toBeGreaterThan(0.9);
    expect(history[3]!.validationAccuracy).toBeGreaterThan(0.9);
    expect(history[3]!.validationRobustAccuracy).toBeLessThanOrEqual(history[3]!.validationAccuracy!);
    expect(history.map((h) => h.gradientEvaluations)).toEqual([2000, 4000, 6000, 8000]);
    expect(await accuracy(modelPath!)).toBeGreaterThan(0.9);

    const steps = told.flatMap((p) => (p.kind === "step" ? [p] : []));
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 160 }, (_, i) => i + 1));
    expect(steps.map(({ epoch }) => epoch)).toEqual(steps.map((_, i) => 1 + Math.floor(i / 40)));
    expect(steps.every(({ total }) => total === 160)).toBe(true);
    const mean = steps.slice(120).reduce((sum, { loss }) => sum + loss, 0) / 40;
    expect(history[3]!.loss).toBeCloseTo(mean, 10);
    expect(told.filter((p) => p.kind === "epoch").length).toBe(4);

    const { metadata } = await loadClassifier(modelPath!);
    expect(metadata["temper.inputRange"]).toBe("0:1");
    expect(JSON.parse(metadata["temper.classes"]!)).toEqual(data.classes);
    expect(metadata["temper.dataHash"]).toBe(data.hash);
    const { config } = await readManifest(folder);
    expect(JSON.parse(metadata["temper.recipe"]!)).toEqual(config);
    expect(config).toMatchObject({
      recipe: "standard",
      model: "small-cnn",
      options: { optimizer: "adam", seed: 0 },
    });
    const lines = readFileSync(join(folder, "history.jsonl"), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(history);
  });

  it("makes a network robust that plain training leaves open", async () => {
    const data = glyphs({ split: "train", count: 1500 });
    const robustOf = async (recipe: string, more: object): Promise<number> => {
      const { history } = await train({
        ...requests.plain,
        recipe,
        train: data,
        validation,
        options: { epochs: 5, batchSize: 50, optimizer: "adam", lr: 5e-3, epsilon: 0.1, validation: 60, ...more },
        folder: newFolder(),
      });
      return history.at(-1)!.validationRobustAccuracy!;
    };
    const [plain, robust] = [await robustOf("standard", {}), await robustOf("pgd-at", { steps: 4, ramp: 2 })];
    expect(robust).toBeGreaterThan(plain + 0.3);
  });

  it("writes the network that it trained: running statistics and standardization inside", async () => {
    const folder = newFolder(),
      request = requests.robust;
    const { modelPath } = await train({ ...request, folder });
    const { tensors: file, config } = await readManifest(folder);
    const { tensors } = decodeSafetensors(file, readFileSync(join(folder, file)));
    const definition = model(
      request.model,
      { inputShape: training.shape, classes: 10, mean: request.mean, std: request.std },
      config.modelOptions,
    );
    for (const [name, spec] of Object.entries(definition.buffers)) {
      const fresh = new Float32Array(tensors[name]!.data.length);
      spec.init(fresh, spec.shape, createRng(0));
      expect(tensors[name]!.data, name).not.toEqual(fresh); // the statistics have moved
    }
    const x = batchBetween(validation, 0, 20).x as Float32Array<ArrayBuffer>;
    const input = f32(x, [20, ...training.shape]);
    using trained = await compile(toGraph(definition));
    using saved = await compile((await loadClassifier(modelPath!, training.shape)).graph);
    const weights = Object.fromEntries(Object.keys(trained.inputs).map((name) => [name, tensors[name]!]));
    const a = toFloat64((await trained.run({ ...weights, input }))["logits"]!);
    const b = toFloat64(Object.values(await saved.run({ [Object.keys(saved.inputs)[0]!]: input }))[0]!);
    const scale = a.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    a.forEach((v, i) => expect(Math.abs(v - b[i]!) / scale).toBeLessThan(1e-5));
  });

  it.each([
    ["sgd", "cyclic", 0.2],
    ["adam", "step", 0.01],
    ["adamw", "cosine", 0.01],
    ["sgd", "one-cycle", 0.2],
  ] as const)("follows %s with the %s schedule", async (optimizer, schedule, lr) => {
    const folder = newFolder();
    const options = { ...requests.plain.options, optimizer, schedule, lr, epochs: 4 };
    const { history } = await train({ ...requests.plain, options, folder });
    expect(history[3]!.loss).toBeLessThan(history[0]!.loss - 0.1);
    const shares = history.map((record) => (record.step - 1) / 24);
    const expected = {
      cyclic: (s: number) => (s < 0.4 ? s / 0.4 : (1 - s) / 0.6),
      step: (s: number) => (s < 0.5 ? 1 : s < 0.75 ? 0.1 : 0.01),
      cosine: (s: number) => (1 + Math.cos(Math.PI * s)) / 2,
      "one-cycle": (s: number) =>
        s < 0.3 ? 1 - (0.96 * (1 + Math.cos((Math.PI * s) / 0.3))) / 2 : wave(4e-6, (s - 0.3) / 0.7),
    }[schedule];
    history.forEach((record, i) => expect(record.lr).toBeCloseTo(lr * expected(shares[i]!), 10));
  });

  it("names what is wrong with a request before it writes anything", async () => {
    const refused = (more: object) => {
      const folder = newFolder();
      return expect(
        train({ ...requests.plain, ...more, folder }).finally(() =>
          expect(() => readFileSync(join(folder, "run.json"))).toThrow(/ENOENT/),
        ),
      ).rejects;
    };
    await refused({ recipe: "pgd-ta" }).toThrow(/No recipe is called "pgd-ta". Did you mean pgd-at\?/);
    await refused({ model: "small-cn" }).toThrow(/No model is called "small-cn". Did you mean small-cnn\?/);
    await refused({ modelOptions: { chanels: [1] } }).toThrow(/no option chanels. Did you mean channels/);
    await refused({ recipeOptions: { beta: 1 } }).toThrow(/standard has no option beta/);
    await refused({ options: { learningRate: 1 } }).toThrow(/train has no option learningRate/);
    await refused({ options: { schedule: "one-cycle", end: 0.1 } }).toThrow(/train has no option end/);
    await refused({ options: { optimizer: "adam", momentum: 0.5 } }).toThrow(/optimizer adam has no option momentum/);
    await refused({ options: { milestones: [0.5] } }).toThrow(/schedule cyclic has no option milestones, .* of step/);
    await refused({ options: { epochs: -1 } }).toThrow(/epochs must be an integer from 0/);
    await refused({ options: { batchSize: 301 } }).toThrow(/A batch of 301 is larger than the 300 training examples/);
    await refused({ mean: [1, 2, 3], std: [1, 1, 1] }).toThrow(/mean|channel/);
  });

  it("stops at once where it is told so before it begins, and can be resumed", async () => {
    const folder = newFolder();
    const stopped = await train({ ...requests.plain, folder, signal: AbortSignal.abort() });
    expect(stopped).toEqual({ finished: false, history: [], epoch: 0, ended: "", modelPath: undefined });
    expect((await readManifest(folder)).step).toBe(0);
    expect((await train({ ...requests.plain, folder, resume: true })).finished).toBe(true);
    expect((await train({ ...requests.plain, folder, resume: true })).history.length).toBe(3); // nothing left to do
  });
});

const drawn = (rng: Rng, kind: "uniform" | "normal", shape: readonly number[]): Tensor => {
  const data = new Float32Array(sizeOf(shape));
  if (kind === "uniform") rng.fillUniform(data, -1, 1);
  else rng.fillNormal(data, 0, 1);
  return f32(data, shape);
};

/** Beside the example a divergence has no slope: of that, float32 and float64 would take other signs. */
const FAR = { start: "gaussian:deviation=0.05" };
const LESS_NOISE: Readonly<Record<string, object>> = { trades: FAR, dial: FAR };

/** A network of this size has no layer1. */
const OPTIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = { slat: { taps: "conv1,conv2" } };

describe("the training step", () => {
  it.each(Object.values<AnyRecipe>(recipes))("of $name is that of float64", async (recipe) => {
    const net = model("small-cnn", { inputShape: [1, 8, 8], classes: 4 }, { channels: [3, 4], dense: [8] });
    const settings = settingsOf(recipe, {
      batchSize: 6,
      epsilon: 0.05,
      steps: 3,
      weightDecay: 0.01,
      ...LESS_NOISE[recipe.name],
    });
    const options = OPTIONS[recipe.name] ?? {};
    const { graph, network, draws, scalars, carried, optimizer } = trainStep({ model: net, recipe, options, settings });
    const rng = createRng(2),
      x = new Float32Array(6 * 64);
    rng.fillUniform(x, 0, 1);
    const shapes = Object.fromEntries(Object.entries(network.parameters).map(([name, { shape }]) => [name, shape]));
    const values: Readonly<Record<string, number>> = {
      lr: 0.1,
      epsilon: 0.05,
      stepSize: 0.03,
      awp: 0.01,
      threshold: 0.1,
      progress: 0.3,
    };
    const feeds: Record<string, Tensor> = {
      x: f32(x, [6, 1, 8, 8]),
      labels: i64([0, 1, 2, 3, 0, 1]),
      ...Object.fromEntries(scalars.map((name) => [name, name === "steps" ? i64([3], []) : f32([values[name]!], [])])),
      ...Object.fromEntries(draws.map(({ name, kind, shape }) => [name, drawn(rng.split(name), kind, shape)])),
      ...Object.fromEntries(Object.entries(carried).map(([name, shape]) => [name, zeros("float32", shape)])),
      ...initialize(network, rng),
      ...optimizer.init(shapes),
    };
    using fast = await compile(graph);
    const arrays = Object.entries(feeds).map(([name, tensor]) => [name, toArray64(tensor)] as const);
    const [a, b] = [await fast.run(feeds), evaluateGraph(graph, Object.fromEntries(arrays))];
    const states = Object.keys({ ...shapes, ...optimizer.init(shapes), ...carried }).map((n) => `next.${n}`);
    expect(Object.keys(a)).toEqual(expect.arrayContaining(["loss", "right", "evaluations", ...states]));
    for (const [name, value] of Object.entries(b)) {
      const [p, q] = [toFloat64(a[name]!), value.data];
      const scale = q.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-3);
      p.forEach((v, i) => expect(Math.abs(v - q[i]!) / scale, name).toBeLessThan(1e-4));
    }
  });

  it("does the same in one call of many as in many calls, bit for bit", async () => {
    const net = model("wide-resnet-10-1", { inputShape: [3, 8, 8], classes: 3 });
    const parameters = Object.fromEntries(Object.entries(net.parameters).map(([name, { shape }]) => [name, shape]));
    const settings = settingsOf(recipes.standard, { batchSize: 2, weightDecay: 0 });
    const { graph, optimizer } = trainStep({ model: net, recipe: recipes.standard, settings });
    const start: Record<string, Tensor> = { ...initialize(net, createRng(1)), ...optimizer.init(parameters) };
    const shapes = Object.fromEntries(Object.entries(start).map(([name, { shape }]) => [name, shape]));
    using steps = await createSteps(createLocalRuntime(), graph, shapes);
    const x = new Float32Array(3 * 2 * 192);
    createRng(2).fillUniform(x, 0, 1);
    const rates = [0.1, 0.05, 0.2];
    const feedsOf = (from: number, to: number): Record<string, Tensor> => ({
      x: f32(x.slice(from * 384, to * 384), [to - from, 2, 3, 8, 8]),
      labels: i64([0, 1, 2, 1, 0, 0].slice(2 * from, 2 * to), [to - from, 2]),
      lr: f32(rates.slice(from, to)),
    });
    let tensors = steps.pack(start);
    const losses: number[] = [];
    for (let i = 0; i < 3; i++) {
      const one = await steps.run(tensors, feedsOf(i, i + 1));
      losses.push((one.reports["loss"]!.data as Float32Array)[0]!);
      tensors = one.tensors;
    }
    // One step is compiled as it is, three as a loop; then one more goes through the loop.
    const together = await steps.run(steps.pack(start), feedsOf(0, 3));
    const again = await steps.run(steps.pack(start), feedsOf(0, 1));
    expect(Array.from(together.reports["loss"]!.data as Float32Array)).toEqual(losses);
    expect(Array.from(again.reports["loss"]!.data as Float32Array)).toEqual(losses.slice(0, 1));
    expect(new Set(losses).size).toBe(3);
    expect(together.reports["right"]!.shape).toEqual([3]);
    expect(steps.unpack(together.tensors)).toEqual(steps.unpack(tensors));
    expect(steps.unpack(steps.pack(start))).toEqual(start);
  });
});
