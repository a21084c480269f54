/**
 * `node bench/batch.mjs [network] [--seconds 20] [--threads 1]`: what the batch of an attack changes. The time of one
 * gradient of one example, in steps of the gradient ascent that `evaluate` takes, at batches of 16 to 256 in
 * turns; least and median of the rounds, and the least beside that of the default batch. One thread, as a lane has.
 * Networks: kw_mnist_eps0.1, cifar10_resnet20 (these two need ../shared/data), resnet18; default all.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createTarget } from "../dist/attack/index.js";
import { createRng } from "../dist/core/index.js";
import { defaultBatch } from "../dist/evaluate/batch.js";
import { bind, constant } from "../dist/graph/index.js";
import { loadClassifier, model, toGraph } from "../dist/models/index.js";
import { initialize } from "../dist/nn/index.js";
import { createLocalRuntime } from "../dist/runtime/index.js";

const BATCHES = [16, 32, 64, 128, 256];
const { values: flags, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "20" }, threads: { type: "string", default: "1" } },
  allowPositionals: true,
});

const resnet18 = () => {
  const definition = model("resnet-18", { inputShape: [3, 32, 32], classes: 10 }),
    weights = Object.entries(initialize(definition, createRng(0))).map(([name, tensor]) => [name, constant(tensor)]);
  return bind(toGraph(definition), Object.fromEntries(weights));
};
const graphOf = async (network) => {
  if (network === "resnet18") return resnet18();
  const file = fileURLToPath(new URL(`../../shared/data/models/${network}.onnx`, import.meta.url));
  return existsSync(file) ? (await loadClassifier(file)).graph : undefined;
};

for (const network of positionals.length > 0 ? positionals : ["kw_mnist_eps0.1", "cifar10_resnet20", "resnet18"]) {
  const graph = await graphOf(network);
  if (!graph) {
    console.log(`${network}: not measured without ../shared/data`);
    continue;
  }
  const target = await createTarget(createLocalRuntime(), graph, { threads: Number(flags.threads) }),
    rng = createRng(1);
  const inputs = BATCHES.map((batch) => {
    const x = new Float32Array(batch * target.d);
    rng.fillUniform(x, 0, 1);
    return {
      x,
      labels: new Int32Array(batch),
      climb: { length: 1e-3, ranges: { low: x, high: x }, steps: Math.min(8, target.stepsInCall(batch)) },
    };
  });
  /** Milliseconds of a gradient of one example. */
  const once = async ({ x, labels, climb }) => {
    const began = performance.now();
    await target.ascend(x, labels, "cross-entropy", { ...climb, exhaustive: false });
    return (performance.now() - began) / (labels.length * climb.steps);
  };
  for (const input of inputs) await once(input);
  const times = inputs.map(() => []),
    end = performance.now() + 1000 * Number(flags.seconds);
  while (performance.now() < end) for (const [i, input] of inputs.entries()) times[i].push(await once(input));
  const least = times.map((of) => Math.min(...of)),
    usual = least[BATCHES.indexOf(defaultBatch(target.shape, "cpu"))];
  console.log(`${network}: ${times[0].length} rounds`);
  for (const [i, batch] of BATCHES.entries()) {
    const median = times[i].toSorted((a, b) => a - b)[times[i].length >> 1];
    console.log(
      `  ${String(batch).padStart(3)}  least ${least[i].toFixed(4)} ms, median ${median.toFixed(4)}; least / default's ${(least[i] / usual).toFixed(3)}`,
    );
  }
}
process.exit(0);
