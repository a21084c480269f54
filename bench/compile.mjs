/**
 * `node bench/compile.mjs [batch] [--passes] [--kept]`: how long a fresh process takes from the definition of ResNet-18 to a
 * session that can take training steps, stage by stage (`--passes`: each pass of the lowering too, in a
 * second lowering, where code is warm), in seconds. `--kept`: from the cache on disk, once it is filled. The
 * runtime's start (library loaded, block size asked) comes once a process, and counts.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { model } from "../dist/models/index.js";
import { createOptimizer, optimizers } from "../dist/optim/index.js";
import { blockSize, keepIn, loweringSteps, physicalCores } from "../dist/runtime/index.js";
import { encode } from "../dist/runtime/encode.js";
import { askHere, lower } from "../dist/runtime/local.js";
import { createSession } from "../dist/runtime/session.js";
import { createSteps, objectives, trainStepGraph } from "../dist/train/index.js";

const { values: flags, positionals } = parseArgs({
  options: { passes: { type: "boolean", default: false }, kept: { type: "boolean", default: false } },
  allowPositionals: true,
});
const batch = Number(positionals[0] ?? 64);
const stages = {};
const timed = async (stage, work) => {
  const began = performance.now();
  const result = await work();
  stages[stage] = (stages[stage] ?? 0) + (performance.now() - began) / 1000;
  return result;
};

if (flags.kept) keepIn(join(tmpdir(), "temper-bench-kept"));
const block = await timed("start", blockSize);
const graph = await timed("differentiate", async () => {
  const definition = model("resnet-18", { inputShape: [3, 32, 32], classes: 10 });
  const apply = (...args) => {
    const began = performance.now();
    const result = definition.apply(...args);
    stages.trace = (performance.now() - began) / 1000;
    return result;
  };
  const optimizer = createOptimizer(optimizers.sgd, { momentum: 0.9, weightDecay: 5e-4 });
  const step = trainStepGraph({ ...definition, apply }, objectives.standard, optimizer, {});
  const parameters = Object.fromEntries(Object.entries(definition.parameters).map(([name, p]) => [name, p.shape]));
  const buffers = Object.fromEntries(Object.entries(definition.buffers).map(([name, p]) => [name, p.shape]));
  const states = Object.entries(optimizer.init(parameters)).map(([name, tensor]) => [name, tensor.shape]);
  const shapes = { ...parameters, ...buffers, ...Object.fromEntries(states) };
  let compiled;
  // Compiled stage by stage below instead.
  const asked = { compile: async (given) => ((compiled = given), {}) };
  await createSteps(asked, step, shapes, { batchSize: batch });
  return compiled;
});
stages.differentiate -= stages.trace;
const lowered = await timed("lower", () => lower(graph, { winograd: true }, askHere));
const bytes = flags.kept
  ? await timed("lower", lowered.model)
  : await timed("lower", lowered.graph).then((made) => timed("encode", () => encode(made)));
await timed("session", () => createSession(bytes, "cpu", physicalCores()));

if (flags.passes)
  for (const { pass, seconds } of loweringSteps(graph, { block, winograd: true }))
    console.log(`  ${pass.name.padEnd(26)} ${seconds.toFixed(3)}`);
const total = Object.values(stages).reduce((a, b) => a + b, 0);
const names = ["trace", "differentiate", "lower", "encode", "session", "start"];
console.log(`${names.map((name) => `${name} ${(stages[name] ?? 0).toFixed(3)}`).join(", ")}: ${total.toFixed(3)} s`);
process.exit(0);
