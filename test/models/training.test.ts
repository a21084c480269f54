import { grad } from "temper/autodiff";
import { createRng, i64, scalar, type Tensor, tensor, toFloat64 } from "temper/core";
import { batchBetween, glyphs } from "temper/data";
import { BATCH, createGraph, type Graph, input, type Value } from "temper/graph";
import { crossEntropy } from "temper/loss";
import { model, type ModelDefinition } from "temper/models";
import { initialize } from "temper/nn";
import { createOptimizer, type Optimizer, optimizers, stateName } from "temper/optim";
import { reduceMean, reshape } from "temper/ops";
import { compile } from "temper/runtime";
import { describe, expect, it } from "vitest";

/** One training step: image, labels, weights, state and scalars in; loss, next weights and next state out. */
const stepGraph = (net: ModelDefinition, optimizer: Optimizer): Graph => {
  const x = input("input", "float32", [BATCH, ...net.inputShape]),
    labels = input("labels", "int64", [BATCH]);
  const named = (shapes: readonly (readonly [string, readonly number[]])[]): Record<string, Value> =>
    Object.fromEntries(shapes.map(([name, shape]) => [name, input(name, "float32", shape)]));
  const weights = named(Object.entries({ ...net.parameters, ...net.buffers }).map(([n, { shape }]) => [n, shape]));
  const states = named(
    Object.entries(net.parameters).flatMap(([n, { shape }]) =>
      optimizer.slots.map((s) => [stateName(n, s), shape] as const),
    ),
  );
  const scalars = named(optimizer.scalarNames.map((n) => [n, []]));
  const { y, updates } = net.apply(weights, x, { training: true });
  const loss = reshape(reduceMean(crossEntropy(y, labels), [0]), []);
  const names = Object.keys(net.parameters);
  const gradients = grad(
    loss,
    names.map((n) => weights[n]!),
  );
  const outputs: Record<string, Value> = { loss };
  for (const [n, v] of Object.entries(updates)) outputs[`next.${n}`] = v;
  names.forEach((name, i) => {
    const state = Object.fromEntries(optimizer.slots.map((s) => [s, states[stateName(name, s)]!]));
    const decay = net.parameters[name]!.role === "weight";
    const next = optimizer.step({ param: weights[name]!, gradient: gradients[i]!, state, scalars, decay });
    outputs[`next.${name}`] = next.param;
    for (const [s, v] of Object.entries(next.state)) outputs[`next.${stateName(name, s)}`] = v;
  });
  const inputs = [x, labels, ...[weights, states, scalars].flatMap((r) => Object.values(r))];
  return createGraph("train", inputs, outputs);
};

const start = (net: ModelDefinition, optimizer: Optimizer): Record<string, Tensor> => ({
  ...initialize(net, createRng(1)),
  ...optimizer.init(Object.fromEntries(Object.entries(net.parameters).map(([n, { shape }]) => [n, shape]))),
});
const scalarFeeds = (optimizer: Optimizer, lr: number, step: number): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(optimizer.scalars(lr, step)).map(([n, v]) => [n, scalar(v)]));

describe("a training step as one graph", () => {
  it.each([
    ["wide-resnet", { depths: [1, 1, 1], widths: [4, 8, 8], stem: 4 }, optimizers.sgd, 1e-4],
    ["lenet", {}, optimizers.adam, 2e-3], // its first step is a sign
    ["vgg", { depths: [1, 2], widths: [4, 8] }, optimizers.sgd, 1e-4],
    ["densenet", { depths: [2, 2], growth: 4 }, optimizers.sgd, 1e-4],
    ["mobilenet-v2", { width: 0.1 }, optimizers.sgd, 1e-3], // fifty batch norms of few numbers each
    ["unet", { width: 4, levels: 2 }, optimizers.sgd, 1e-4],
    ["vit", { width: 12, depth: 2 }, optimizers.sgd, 1e-4],
    ["lstm", { units: 8 }, optimizers.sgd, 1e-4],
  ] as const)("runs on ONNX Runtime as in float64 (%s)", async (name, options, type, tol) => {
    const net = model(name, { inputShape: [1, 16, 16], classes: 3, mean: [0.5], std: [0.25] }, options);
    const optimizer = createOptimizer(type as typeof optimizers.sgd, { weightDecay: 0.01 });
    const rng = createRng(3);
    const x = new Float32Array(8 * 256);
    rng.fillUniform(x, 0, 1);
    const feeds = {
      input: tensor("float32", [8, 1, 16, 16], x),
      labels: i64(Array.from({ length: 8 }, () => rng.int(3))),
      ...start(net, optimizer),
      ...scalarFeeds(optimizer, 1e-3, 1),
    };
    const graph = stepGraph(net, optimizer);
    using fast = await compile(graph, { device: "cpu", threads: 1 });
    using exact = await compile(graph, { device: "reference" });
    const [ours, reference] = [await fast.run(feeds), await exact.run(feeds)];
    expect(Object.keys(ours).length).toBe(
      1 + Object.keys(net.parameters).length * (1 + optimizer.slots.length) + Object.keys(net.buffers).length,
    );
    for (const [key, value] of Object.entries(reference)) {
      const [a, b] = [toFloat64(ours[key]!), toFloat64(value)];
      const scale = b.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-3);
      const worst = a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), 0);
      expect(worst / scale, key).toBeLessThan(tol);
    }
  });

  it("learns glyphs: batch norm, Adam and running statistics together", async () => {
    const net = model(
      "wide-resnet",
      { inputShape: [1, 28, 28], classes: 10 },
      { depths: [1, 1, 1], widths: [8, 16, 32], stem: 8 },
    );
    const optimizer = createOptimizer(optimizers.adam);
    using step = await compile(stepGraph(net, optimizer), { device: "cpu", threads: 1 });
    const data = glyphs({ split: "train", count: 640 });
    let state = start(net, optimizer);
    const losses: number[] = [];
    for (let i = 0; i < 36; i++) {
      const from = (i % 10) * 64,
        batch = batchBetween(data, from, from + 64);
      const feeds = {
        input: tensor("float32", [64, 1, 28, 28], batch.x as Float32Array<ArrayBuffer>),
        labels: i64(Array.from(batch.labels)),
      };
      const out = await step.run({ ...feeds, ...state, ...scalarFeeds(optimizer, 0.01, i + 1) });
      losses.push(toFloat64(out["loss"]!)[0]!);
      state = Object.fromEntries(Object.keys(state).map((n) => [n, out[`next.${n}`]!]));
    }
    expect(losses[0]).toBeGreaterThan(1.8); // chance is ln 10 = 2.30
    expect(losses.slice(-5).reduce((a, b) => a + b) / 5).toBeLessThan(1);
    expect(toFloat64(state["bn1.running_var"]!).some((v) => Math.abs(v - 1) > 0.1)).toBe(true);
  });
});
