/**
 * `node bench/estimate.mjs [--images 10000] [--epochs 2]`: FGSM-RS on CIFAR-10, pre-activation ResNet-18, 8/255, cyclic
 * schedule. What `temper train --epochs 0` says an epoch takes, beside a run; and that run, the whole command, beside
 * PyTorch's loop, from the network's construction on. One after the other, about 25 minutes: the machine's speed drifts
 * meanwhile, so the ratio to PyTorch is better taken from the row loop-fgsm-rs-preact18-128. Needs ../shared/data. Prints,
 * and writes bench/results/estimate-<date>-<machine>.json; exit 1 where a bar does not hold.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startChild } from "./child.mjs";
import { describeCommit, describeMachine, machineName } from "./machine.mjs";
import { networks } from "./networks.mjs";
import { LOOPS } from "./rows-loop.mjs";

const { physicalCores } = await import("../dist/runtime/index.js");
const { values: flags } = parseArgs({
  options: { images: { type: "string", default: "10000" }, epochs: { type: "string", default: "2" } },
});
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const data = here("../../shared/data/cifar10");
if (!existsSync(data)) {
  console.log("estimate: nothing to measure without ../shared/data");
  process.exit(0);
}
const images = Number(flags.images),
  epochs = Number(flags.epochs),
  threads = physicalCores();
const { network, batch, recipe, settings } = LOOPS.find(({ id }) => id === "fgsm-rs-preact18");
const folder = mkdtempSync(join(tmpdir(), "temper-estimate-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const seconds = async (work) => {
  const began = performance.now();
  const value = await work();
  return { value, took: (performance.now() - began) / 1000 };
};
const flagOf = (name) => `--${name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
/** `temper train`, and the document that it prints. */
const train = (...more) =>
  new Promise((resolve, reject) => {
    const options = Object.entries({ ...settings, batchSize: batch, range: `0:${images}`, validation: 0, data });
    const args = ["train", recipe, "--model", networks[network].model, "--json", ...more];
    const child = spawn(
      process.execPath,
      [here("../bin/temper.js"), ...args, ...options.flatMap(([name, value]) => [flagOf(name), String(value)])],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let output = "",
      complaint = "";
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (complaint = (complaint + text).slice(-1000)));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`temper train ended (${code}). ${complaint}`)),
    );
  });
const torch = async () => {
  const file = join(folder, "network.onnx"),
    us = startChild("us"),
    peer = startChild("peer");
  for (const task of ["export", "images"]) await us.ask({ cmd: "prepare", task: { task, network, file }, threads });
  await us.close();
  await peer.ask({ cmd: "prepare", task: { task: "versions" }, threads }); // libraries are loaded
  const task = { task: "loop", network, batch, images, recipe, settings, file, variant: "channels_last" };
  const { took } = await seconds(async () => {
    await peer.ask({ cmd: "prepare", task, threads });
    await peer.ask({ cmd: "run", iterations: epochs });
  });
  await peer.close();
  return took;
};

let failed = false;
const show = (what, value, holds) => {
  failed ||= !holds;
  console.log(`${what}: ${value}: ${holds ? "pass" : "FAIL"}`);
};
const { estimate } = await train("--epochs", "0");
const run = await seconds(() => train("--epochs", String(epochs), "--out", join(folder, "run")));
const measured = run.value.history.at(-1).seconds,
  estimated = epochs * estimate.seconds,
  off = estimated / measured - 1;
show(
  `${epochs} epochs of ${images} images, estimated and measured`,
  `${estimated.toFixed(1)} s, ${measured.toFixed(1)} s, ${(100 * off).toFixed(0)} % (bar 25 %)`,
  Math.abs(off) <= 0.25,
);
const theirs = await torch();
show(
  "the whole command, and PyTorch's loop",
  `${run.took.toFixed(1)} s, ${theirs.toFixed(1)} s, ${(theirs / run.took).toFixed(2)}x (bar 1x)`,
  theirs / run.took >= 1,
);

const machine = describeMachine(threads),
  date = new Date().toISOString(),
  results = here("results/");
mkdirSync(results, { recursive: true });
const file = `${results}estimate-${date.slice(0, 16).replace(/[-:]/g, "")}-${machineName(machine)}.json`;
const figures = { images, epochs, estimated, measured, whole: run.took, torch: theirs, history: run.value.history };
writeFileSync(file, `${JSON.stringify({ date, commit: describeCommit(), machine, figures }, undefined, 1)}\n`);
console.log(`Written: ${file}`);
process.exitCode = failed ? 1 : 0;
