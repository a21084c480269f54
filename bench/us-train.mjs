/** A training step on our side: the graph that `temper train` runs, as many steps a call, in the loop's own thread. */
import { createRng, f32, i64, release } from "../dist/core/index.js";
import { countParameters, initialize } from "../dist/nn/index.js";
import { blockSize, createLocalRuntime, isPackable, packEnds, profile } from "../dist/runtime/index.js";
import { callLength, createSteps, recipes, settingsOf, trainStep } from "../dist/train/index.js";
import { commonBatch, definitionOf, flopsOf, portableRuntime } from "./us-network.mjs";

/** SGD with momentum 0.9 and weight decay 5e-4, batch norm in training mode; as in peer.py. */
export const trainTask = async ({ network, batch, winograd = true, portable }, threads) => {
  const definition = definitionOf(network);
  const settings = settingsOf(recipes.standard, { batchSize: batch });
  const { graph, optimizer } = trainStep({ model: definition, recipe: recipes.standard, settings });
  const parameters = Object.fromEntries(Object.entries(definition.parameters).map(([name, p]) => [name, p.shape]));
  const start = { ...initialize(definition, createRng(0)), ...optimizer.init(parameters) };
  const shapes = Object.fromEntries(Object.entries(start).map(([name, tensor]) => [name, tensor.shape]));
  const steps = await createSteps(portable ? portableRuntime() : createLocalRuntime(), graph, shapes, {
    threads,
    winograd,
  });
  const { x, labels } = commonBatch(network, batch);
  let tensors = steps.pack(start),
    step = 0,
    count = 1;
  /** What a step takes, stacked anew at each call, as a loop over data does. */
  const feeds = () => {
    const pixels = new Float32Array(count * x.length),
      classes = [],
      scalars = [];
    for (let i = 0; i < count; i++) {
      pixels.set(x, i * x.length);
      classes.push(...labels);
      scalars.push(optimizer.scalars(0.01, ++step));
    }
    const names = Object.keys(scalars[0]).map((name) => [name, f32(scalars.map((values) => values[name]))]);
    return {
      x: f32(pixels, [count, batch, ...definition.inputShape]),
      labels: i64(classes, [count, batch]),
      ...Object.fromEntries(names),
    };
  };
  return {
    facts: {
      parameters: countParameters(definition),
      flops: flopsOf(network, "train", batch),
      winograd: winograd && batch > 1,
    },
    /** Of one step, the loop's body. */
    profile: async () => {
      const block = await blockSize(),
        ordered = Object.keys(shapes).filter((name) => isPackable(shapes[name], block)),
        one = packEnds(graph, [...ordered, ...ordered.map((name) => `next.${name}`)], block);
      const scalars = Object.entries(optimizer.scalars(0.01, 1)).map(([name, value]) => [name, f32([value], [])]);
      const views = { x: f32(x, [batch, ...definition.inputShape]), labels: i64(Array.from(labels)) };
      return profile(one, { ...views, ...Object.fromEntries(scalars), ...tensors }, { threads, winograd });
    },
    /** One call, of as many steps as `temper train` would do in it. */
    run: async () => {
      const done = count,
        began = performance.now();
      const before = tensors;
      const { reports, tensors: after } = await steps.run(before, feeds());
      tensors = after;
      release(Object.values(before).map(({ data }) => data));
      const losses = reports.loss.data;
      if (!losses.every(Number.isFinite)) throw new Error(`The loss is ${losses.at(-1)} after ${step} steps.`);
      count = callLength((performance.now() - began) / done, x.byteLength);
      return done;
    },
  };
};
