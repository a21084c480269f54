/** A training step on our side: the graph that `temper train` runs, its outputs fed back, in the loop's own thread. */
import { createRng, f32, i64, release } from "../dist/core/index.js";
import { withBatch } from "../dist/graph/index.js";
import { model } from "../dist/models/index.js";
import { countParameters, initialize } from "../dist/nn/index.js";
import { createOptimizer, optimizers } from "../dist/optim/index.js";
import { blockSize, createLocalRuntime, isPackable, packEnds, packTensor } from "../dist/runtime/index.js";
import { objectives, trainStepGraph } from "../dist/train/index.js";
import { networks } from "./networks.mjs";
import { commonBatch } from "./us-network.mjs";

const NAMES = { resnet18: "resnet-18", mnist: "small-cnn" };

/** SGD with momentum 0.9 and weight decay 5e-4, batch norm in training mode; as in peer.py. */
export const trainTask = async ({ network, batch }, threads) => {
  const { shape } = networks[network];
  const definition = model(NAMES[network], { inputShape: shape, classes: 10 });
  const optimizer = createOptimizer(optimizers.sgd, { momentum: 0.9, weightDecay: 5e-4 });
  const graph = withBatch(trainStepGraph(definition, objectives.standard, optimizer, {}), batch);
  const shapes = Object.fromEntries(Object.entries(definition.parameters).map(([name, p]) => [name, p.shape]));
  const start = { ...initialize(definition, createRng(0)), ...optimizer.init(shapes) };
  // As `temper train` does: convolution weights and their velocities stay in the runtime's order.
  const block = await blockSize(),
    ordered = Object.keys(start).filter((name) => isPackable(start[name].shape, block));
  const packed = packEnds(graph, [...ordered, ...ordered.map((name) => `next.${name}`)], block);
  const program = await createLocalRuntime().compile(packed, { threads, winograd: true });
  let tensors = { ...start, ...Object.fromEntries(ordered.map((name) => [name, packTensor(start[name], block)])) };
  const { x, labels } = commonBatch(network, batch);
  const views = { "x.clean": f32(x, [batch, ...shape]), labels: i64(Array.from(labels)) };
  let step = 0;
  return {
    facts: { parameters: countParameters(definition) },
    run: async () => {
      const scalars = Object.entries(optimizer.scalars(0.01, ++step)).map(([name, value]) => [name, f32([value], [])]);
      const { loss, ...next } = await program.run({ ...views, ...Object.fromEntries(scalars), ...tensors });
      const before = Object.entries(tensors);
      tensors = Object.fromEntries(before.map(([name, old]) => [name, next[`next.${name}`] ?? old]));
      release(before.filter(([name, old]) => tensors[name] !== old).map(([, { data }]) => data));
      if (!Number.isFinite(loss.data[0])) throw new Error(`The loss is ${loss.data[0]} after ${step} steps.`);
    },
  };
};
