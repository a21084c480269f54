/** A training step on our side: the graph that `temper train` runs, its outputs fed back, in the loop's own thread. */
import { createRng, f32, i64 } from "../dist/core/index.js";
import { model } from "../dist/models/index.js";
import { countParameters, initialize } from "../dist/nn/index.js";
import { createOptimizer, optimizers } from "../dist/optim/index.js";
import { createLocalRuntime } from "../dist/runtime/index.js";
import { objectives, trainStepGraph } from "../dist/train/index.js";
import { networks } from "./networks.mjs";
import { commonBatch } from "./us-network.mjs";

const NAMES = { resnet18: "resnet-18", mnist: "small-cnn" };

/** SGD with momentum 0.9 and weight decay 5e-4, batch norm in training mode; as in peer.py. */
export const trainTask = async ({ network, batch }, threads) => {
  const { shape } = networks[network];
  const definition = model(NAMES[network], { inputShape: shape, classes: 10 });
  const optimizer = createOptimizer(optimizers.sgd, { momentum: 0.9, weightDecay: 5e-4 });
  const program = await createLocalRuntime().compile(trainStepGraph(definition, objectives.standard, optimizer, {}), {
    threads,
  });
  const shapes = Object.fromEntries(Object.entries(definition.parameters).map(([name, p]) => [name, p.shape]));
  let tensors = { ...initialize(definition, createRng(0)), ...optimizer.init(shapes) };
  const { x, labels } = commonBatch(network, batch);
  const views = { "x.clean": f32(x, [batch, ...shape]), labels: i64(Array.from(labels)) };
  let step = 0;
  return {
    facts: { parameters: countParameters(definition) },
    run: async () => {
      const scalars = Object.entries(optimizer.scalars(0.01, ++step)).map(([name, value]) => [name, f32([value], [])]);
      const { loss, ...next } = await program.run({ ...views, ...Object.fromEntries(scalars), ...tensors });
      tensors = Object.fromEntries(Object.entries(tensors).map(([name, old]) => [name, next[`next.${name}`] ?? old]));
      if (!Number.isFinite(loss.data[0])) throw new Error(`The loss is ${loss.data[0]} after ${step} steps.`);
    },
  };
};
