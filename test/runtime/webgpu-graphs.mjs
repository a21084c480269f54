// Small graphs for the WebGPU device, and, run by itself, what the devices give for them.
import { attackStepGraph, gradientGraph } from "../../dist/attack/index.js";
import { createRng, f32, i64, scalar } from "../../dist/core/index.js";
import { bind, BATCH, constant, emit, float32, trace } from "../../dist/graph/index.js";
import { model, toGraph } from "../../dist/models/index.js";
import { initialize } from "../../dist/nn/index.js";
import { logSoftmax, Mean, sign, Sum } from "../../dist/ops/index.js";
import { createLocalRuntime } from "../../dist/runtime/index.js";

const definition = model("small-cnn", { inputShape: [1, 8, 8], classes: 5 }, { channels: [4, 8], dense: [16] });
const weights = Object.entries(initialize(definition, createRng(3))).map(([name, t]) => [name, constant(t, name)]);
const network = bind(toGraph(definition), Object.fromEntries(weights));
const pixels = new Float32Array(3 * 64);
createRng(5).fillUniform(pixels, 0, 1);
const x = f32(pixels, [3, 1, 8, 8]),
  labels = i64([0, 4, 2]);

/** Operators that WebGPU lacks, each an output. */
const lacking = trace("lacking", { x: float32(BATCH, 6) }, ({ x }) => ({
  sign: sign(x),
  sum: emit(Sum, [x, x, x]),
  mean: emit(Mean, [x, sign(x)]),
  "log-softmax": logSoftmax(x),
  "log-softmax of columns": logSoftmax(x, 0),
}));

export const cases = {
  lacking: { graph: lacking, feeds: { x: f32([1e-30, -2, 0, 50, 3, -0.5, 1, 1, -1e-30, 2, -80, 4], [2, 6]) } },
  gradient: { graph: gradientGraph(network, "cross-entropy"), feeds: { input: x, labels } },
  "attack step": {
    graph: attackStepGraph(network, "cross-entropy"),
    feeds: {
      input: x,
      labels,
      original: x,
      epsilon: scalar(0.1),
      step_size: scalar(0.02),
      low: scalar(0),
      high: scalar(1),
    },
  },
};

if (process.argv[2] === "run") {
  const runtime = createLocalRuntime(),
    found = [];
  for (const [name, { graph, feeds }] of Object.entries(cases)) {
    const [cpu, webgpu] = await Promise.all(
      ["cpu", "webgpu"].map(async (device) => (await runtime.compile(graph, { device })).run(feeds)),
    );
    for (const key in cpu) found.push({ name, key, cpu: [...cpu[key].data], webgpu: [...webgpu[key].data] });
  }
  process.stdout.write(JSON.stringify(found), () => process.exit(0));
}
