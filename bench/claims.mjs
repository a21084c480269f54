/**
 * `node bench/claims.mjs`: the bars that are no rows of the benchmark.
 *
 * - exported gradients of two published networks: the onnx checker accepts them, they use standard operators only, and
 *   Python's onnxruntime computes the same gradient with them as the runtime in Node, to 1e-6 (relative, each of 64
 *   test images); beside it, the distance to the form that Temper itself runs;
 * - exported training steps of three recipes: standard operators only; Python's onnxruntime trains 80 steps with them,
 *   the loss falls, and steps from the same weights are Temper's own to rounding (`claims-step.mjs`);
 * - a network is imported and differentiated in less than a second;
 * - a model file of 100 MB is parsed in less than 20 ms.
 *
 * Needs ../shared/data and `node bench/setup.mjs`. Exit 1 where a bar does not hold.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTarget, gradientGraph } from "../dist/attack/index.js";
import { f32, i64 } from "../dist/core/index.js";
import { batchBetween, loadDataset } from "../dist/data/index.js";
import { constant, createGraph, input } from "../dist/graph/index.js";
import { loadClassifier } from "../dist/models/index.js";
import { concatChunks, decodeModel, encodeModel } from "../dist/onnx/index.js";
import { add, toOnnx } from "../dist/ops/index.js";
import { createLocalRuntime, loadOrt } from "../dist/runtime/index.js";
import { checkSteps } from "./claims-step.mjs";

const { InferenceSession, Tensor } = await loadOrt();
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const data = here("../../shared/data");
if (!existsSync(data)) {
  console.log("claims: nothing to check without ../shared/data");
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "temper-claims-"));
const run = (command, ...args) => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args[0]}: ${stderr.slice(-500)}`);
  return stdout.trim();
};
let failed = false;
const show = (what, value, holds) => {
  failed ||= !holds;
  console.log(`${what}: ${value}: ${holds ? "pass" : "FAIL"}`);
};
const IMAGES = 64;
const temper = (...args) => run(process.execPath, here("../bin/temper.js"), ...args),
  python = (script, ...args) => run(here(".venv/bin/python"), here(script), ...args);

for (const [name, dataset] of [
  ["cifar10_resnet20", "cifar10"],
  ["kw_mnist_eps0.1", "mnist"],
]) {
  const path = `${data}/models/${name}.onnx`,
    exported = join(folder, `${name}.onnx`);
  const began = performance.now();
  const { graph } = await loadClassifier(path);
  gradientGraph(graph, "cross-entropy");
  const seconds = (performance.now() - began) / 1000;
  show(`${name} imported and differentiated`, `${seconds.toFixed(3)} s (bar 1 s)`, seconds < 1);
  temper("export", "gradient", path, "--out", exported);
  const { x, labels } = batchBetween(await loadDataset(`${data}/${dataset}`, { split: "test" }), 0, IMAGES);
  const target = await createTarget(createLocalRuntime(), graph, { winograd: false });
  const shape = [IMAGES, ...target.shape];
  const session = await InferenceSession.create(exported);
  for (const [kind, shift] of [
    ["true labels", 0],
    ["other labels", 1],
  ]) {
    const asked = labels.map((label) => (label + shift) % target.classes);
    const feeds = { [session.inputNames[0]]: f32(x, shape), labels: i64([...asked]) };
    const tensors = Object.entries(feeds).map(([key, t]) => [key, new Tensor(t.dtype, t.data, t.shape)]);
    const here32 = (await session.run(Object.fromEntries(tensors), ["gradient"])).gradient.data;
    const engine = (await target.evaluate(x, asked, "cross-entropy")).gradient;
    writeFileSync(
      `${exported}.json`,
      JSON.stringify({ shape, x: [...x], labels: [...asked], file: [...here32], engine: [...engine] }),
    );
    const { domains, file, engine: own } = JSON.parse(python("claims.py", exported));
    if (!shift) show(`${name} exported: checker, domains`, domains.join(" "), domains.join() === "ai.onnx");
    const text = ([median, worst]) => `median ${median.toExponential(1)}, worst ${worst.toExponential(1)} of ${IMAGES}`;
    show(`${name} exported: the file in Python and here, ${kind}`, text(file), file[1] <= 1e-6);
    // Another form of the same network. Where it is sure and right, the gradient is the tail of a softmax, which
    // magnifies the rounding of the logits.
    console.log(`${name} exported: the file in Python and Temper's own form, ${kind}: ${text(own)}`);
  }
}

await checkSteps({ folder, temper, python, show });

const SIZE = 100e6 / 4;
const x = input("x", "float32", [SIZE]);
const weights = constant(f32(new Float32Array(SIZE).fill(0.5), [SIZE]));
const bytes = concatChunks(encodeModel(toOnnx(createGraph("large", [x], { y: add(x, weights) }))));
const times = Array.from({ length: 9 }, () => {
  const began = performance.now();
  decodeModel(bytes);
  return performance.now() - began;
}).sort((a, b) => a - b);
show(
  `${(bytes.length / 1e6).toFixed(0)} MB parsed`,
  `median ${times[4].toFixed(2)} ms, worst ${times[8].toFixed(2)} ms (bar 20 ms)`,
  times[8] < 20,
);
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
