import { createRng, f32, i64, type Tensor } from "temper/core";
import { batchBetween } from "temper/data";
import type { Graph } from "temper/graph";
import { model, type ModelDefinition } from "temper/models";
import { initialize } from "temper/nn";
import { createOptimizer, optimizers } from "temper/optim";
import { createLocalRuntime, type Feeds } from "temper/runtime";
import { readManifest, recipes, settingsOf, stepWithin, train } from "temper/train";
import { describe, expect, it } from "vitest";
import { newFolder, requests, training } from "./setting.ts";

const BATCH = 48;
const definition = model("small-cnn", { inputShape: [1, 28, 28], classes: 10 }, { channels: [16, 32], dense: [32] });
const optimizer = createOptimizer(optimizers.sgd, { momentum: 0.9, weightDecay: 5e-4 });

const fitting = (memory: number, of: ModelDefinition = definition) =>
  stepWithin({
    model: of,
    recipe: recipes.standard,
    settings: settingsOf(recipes.standard, { batchSize: BATCH, winograd: false, memory }),
    heldBytes: 0,
    validated: false,
  });

/** A batch of digits, weights, and an optimizer that is under way. */
const feeds = (of: ModelDefinition): Feeds => {
  const { x, labels } = batchBetween(training, 0, BATCH),
    shapes = Object.fromEntries(Object.entries(of.parameters).map(([name, { shape }]) => [name, shape]));
  const state = Object.entries(optimizer.init(shapes)).map(([name, { shape, data }]): [string, Tensor] => [
    name,
    f32(
      data.map(() => 0.01),
      shape,
    ),
  ]);
  const scalars = Object.entries(optimizer.scalars(0.1, 3)).map(([name, value]): [string, Tensor] => [
    name,
    f32([value], []),
  ]);
  return {
    x: f32(x, [BATCH, 1, 28, 28]),
    labels: i64(Array.from(labels)),
    ...initialize(of, createRng(1)),
    ...Object.fromEntries([...state, ...scalars]),
  };
};

const run = async (graph: Graph, of = definition, memory = 0): Promise<Record<string, Tensor>> => {
  using program = await createLocalRuntime().compile(graph, { memory });
  return await program.run(feeds(of));
};

describe("a stated limit of memory", () => {
  it("splits the step into equal parts, which give what the whole gives", async () => {
    const [whole, parts] = [await fitting(0), await fitting(155e6)];
    expect(whole.rows).toBe(BATCH);
    expect(parts.rows).toBeLessThan(BATCH);
    expect(BATCH % parts.rows).toBe(0);
    const [expected, found] = [await run(whole.graph), await run(parts.graph)];
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, { shape, data }] of Object.entries(expected)) {
      expect(found[name]!.shape, name).toEqual(shape);
      const [a, b] = [data as Float32Array, found[name]!.data as Float32Array];
      const size = Math.sqrt(a.reduce((sum, v) => sum + v * v, 0)),
        error = Math.sqrt(a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0));
      expect(error, name).toBeLessThan(1e-5 * size);
    }
  });

  it("makes activations twice where parts would train another network: the same bits", async () => {
    const normalized = model("wide-resnet-10-1", { inputShape: [1, 28, 28], classes: 10 });
    const free = await fitting(0, normalized),
      limited = await fitting(195e6, normalized);
    expect(free).toMatchObject({ rows: BATCH, memory: 0 });
    expect(limited.rows).toBe(BATCH);
    expect(limited.memory).toBeGreaterThan(0);
    expect(await run(limited.graph, normalized, limited.memory)).toEqual(await run(free.graph, normalized));
  });

  it("is refused where parts would train another network, and where no part is small enough", async () => {
    const normalized = model("resnet-18", { inputShape: [3, 8, 8], classes: 10 });
    await expect(fitting(200e6, normalized)).rejects.toThrow(
      /^A memory of 200 MB is too little: a step of 48 examples takes about [\d.]+ [MG]B\..* normalizes over the batch.*--batch-size/,
    );
    await expect(fitting(1e8)).rejects.toThrow(
      /100 MB is too little: training on one example at a time takes about 15\d MB/,
    );
  });

  it("trains the same network, which is then attacked in parts too", async () => {
    const modelOptions = { channels: [32, 64], dense: [16] }, // activations beside which the rest is little
      request = { ...requests.plain, modelOptions, recipe: "pgd-at" },
      lossUnder = async (memory: number) => {
        const folder = newFolder();
        const { history } = await train({
          ...request,
          options: { ...request.options, epochs: 1, steps: 2, memory },
          folder,
        });
        expect((await readManifest(folder)).config.options.memory).toBe(memory);
        return history[0]!.loss;
      };
    const [free, limited] = [await lossUnder(0), await lossUnder(205e6)];
    expect(limited).not.toBe(free);
    expect(limited).toBeCloseTo(free, 4);
  });
});
