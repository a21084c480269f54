/** The benchmark's networks on our side. Our side writes each as ONNX, and its weights for the peer, so that both have the same. */
import { readFileSync, writeFileSync } from "node:fs";
import { createRng, i64 } from "../dist/core/index.js";
import { constant, bind, graphNodes, withBatch } from "../dist/graph/index.js";
import { createModel, model, toGraph } from "../dist/models/index.js";
import { initialize } from "../dist/nn/index.js";
import { concatChunks, decodeModel, encodeModel } from "../dist/onnx/index.js";
import { bindParameters, importModel, toOnnx } from "../dist/ops/index.js";
import { createLocalRuntime, createPool, MIN_CHANNELS, productsOfNode } from "../dist/runtime/index.js";
import { networks } from "./networks.mjs";
import { odd } from "./odd.mjs";

export const definitionOf = (name) => {
  const { model: architecture, shape, options } = networks[name],
    task = { inputShape: shape, classes: 10 };
  return architecture === "odd" ? createModel(odd, task) : model(architecture, task, options);
};

/** Our side without the runtime's own layout. */
export const portableRuntime = () =>
  createLocalRuntime(createPool(), { block: async () => 0, minChannels: async () => MIN_CHANNELS });

/** The network as a graph `input -> logits`, weights bound. */
export const readNetwork = (file) => bindParameters(importModel(decodeModel(readFileSync(file))));

/** Starting weights; those of batch norm are moved off 0 and 1, so that they count. */
const weightsOf = (definition) => {
  const rng = createRng(0),
    weights = initialize(definition, rng);
  for (const [name, { data }] of Object.entries(weights))
    if (name.endsWith("running_mean")) rng.split(name).fillUniform(data, -0.1, 0.1);
    else if (name.endsWith("running_var") || definition.parameters[name].role === "scale")
      rng.split(name).fillUniform(data, 0.8, 1.2);
  return weights;
};

/** Writes `file`, the network as ONNX, and `file.weights`: parameters, then running statistics, as float32 in order. */
export const writeNetwork = (name, file) => {
  const definition = definitionOf(name),
    weights = weightsOf(definition);
  const bound = Object.fromEntries(Object.entries(weights).map(([key, tensor]) => [key, constant(tensor, key)]));
  writeFileSync(file, concatChunks(encodeModel(toOnnx(bind(toGraph(definition), bound)))));
  writeFileSync(`${file}.weights`, concatChunks(Object.values(weights).map(({ data }) => new Uint8Array(data.buffer))));
};

const size = ({ shape }) => shape.reduce((a, b) => a * b, 1);
/** Products of a node's states with its weights: back through time in any case, and once more where those are trained. */
const STATES = { LSTM: ([x, , r]) => (size(x) / x.shape[2]) * size(r) };

/**
 * Floating point operations of one run: two a product, once forward, and once backward for each factor that depends on
 * what is differentiated by (the input; in training the weights).
 */
export const flopsOf = (name, mode, batch) => {
  const graph = withBatch(toGraph(definitionOf(name)), batch);
  const [image, ...weights] = graph.inputs;
  const reached = new Set({ forward: [], gradient: [image], train: weights }[mode].map(({ node }) => node));
  let total = 0;
  for (const node of graphNodes(graph)) {
    const active = node.inputs.filter((v) => v && reached.has(v.node));
    if (active.length > 0) reached.add(node);
    const states = STATES[node.op.name]?.(node.inputs) ?? 0,
      products = productsOfNode(node, batch) - states;
    total += 2 * products * (1 + active.filter((v) => node.inputs.indexOf(v) < 2).length);
    total += 2 * states * (1 + Number(active.length > 0) + Number(active.includes(node.inputs[2])));
  }
  return total;
};

/** Feeds of a gradient graph: n images and their labels. */
export const feedsOf = (name, x, labels) => ({
  input: { dtype: "float32", shape: [labels.length, ...networks[name].shape], data: x },
  labels: i64(Array.from(labels)),
});

/** Images that both sides can form, and labels 0, 1, 2, ...; as in peer.py. */
export const commonBatch = (name, batch) => {
  const length = batch * size(networks[name]);
  return {
    x: Float32Array.from({ length }, (_, i) => ((i * 7919) % 1009) / 1009),
    labels: Int32Array.from({ length: batch }, (_, i) => i % 10),
  };
};
