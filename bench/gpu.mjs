/**
 * `npm run bench:gpu -- [--devices cuda,webgpu] [--batches 64,256] [--rounds 5]`: ResNet-18 on the GPU of this machine: forward
 * pass, input gradient and PGD-20, on every device that is ready, on the CPU, and by PyTorch on CUDA where bench/.venv
 * has it. Prints one table and writes bench/results/<date>-gpu-<machine>.{json,md}. Says so where there is no GPU.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ensureBuilt } from "../scripts/ensure.mjs";
import { python } from "./child.mjs";
import { describeCommit, describeMachine, machineName } from "./machine.mjs";
import { spread } from "./measure.mjs";
import { networks } from "./networks.mjs";

const { values: flags } = parseArgs({
  options: {
    devices: { type: "string" },
    batches: { type: "string", default: "64,256" },
    rounds: { type: "string", default: "5" },
    "as-built": { type: "boolean", default: false },
  },
});
const batches = flags.batches.split(",").map(Number),
  rounds = Number(flags.rounds);
if (![...batches, rounds].every((n) => Number.isInteger(n) && n > 0)) {
  console.error("--batches wants whole numbers separated by commas, --rounds one.");
  process.exit(2);
}
if (!flags["as-built"]) ensureBuilt();

const { attacks, createTarget, gradientGraph, runAttack } = await import("../dist/attack/index.js");
const { createRng, f32, i64 } = await import("../dist/core/index.js");
const { bind, constant } = await import("../dist/graph/index.js");
const { model, toGraph } = await import("../dist/models/index.js");
const { initialize } = await import("../dist/nn/index.js");
const { createLocalRuntime, gpuStatus, physicalCores } = await import("../dist/runtime/index.js");
const { threat } = await import("../dist/threat/index.js");

const status = gpuStatus();
for (const { name, ready, found, remedy } of status)
  console.log(`${name}: ${ready ? "ready" : "not here"}: ${found}. ${remedy}`);
const devices = flags.devices?.split(",") ?? status.filter(({ ready }) => ready).map(({ name }) => name);
if (devices.length === 0) {
  console.log("This machine has no GPU that Temper can use: nothing was measured. `npm run bench` measures the CPU.");
  process.exit(0);
}

const { shape, epsilon, step } = networks.resnet18;
const definition = model("resnet-18", { inputShape: shape, classes: 10 });
const weights = Object.entries(initialize(definition, createRng(0))).map(([name, t]) => [name, constant(t, name)]);
const network = bind(toGraph(definition), Object.fromEntries(weights)),
  inputName = network.inputs[0].node.name;
const size = shape.reduce((a, b) => a * b, 1);

/** What is measured on a device at a batch size: each function is one run. */
const tasksOn = async (runtime, device, batch) => {
  const x = new Float32Array(batch * size);
  createRng(1).fillUniform(x, 0, 1);
  const image = f32(x, [batch, ...shape]);
  const forward = await runtime.compile(network, { device });
  const gradient = await runtime.compile(gradientGraph(network, "cross-entropy"), { device, winograd: true });
  const target = await createTarget(runtime, network, { device });
  const logits = (await forward.run({ [inputName]: image }))[Object.keys(network.outputs)[0]].data;
  const labels = Int32Array.from({ length: batch }, (_, i) => {
    const row = logits.subarray(10 * i, 10 * i + 10);
    return row.indexOf(Math.max(...row));
  });
  return {
    forward: () => forward.run({ [inputName]: image }),
    gradient: () => gradient.run({ [inputName]: image, labels: i64(Array.from(labels)) }, ["gradient"]),
    "PGD-20": () =>
      runAttack(target, {
        attack: attacks.pgd,
        options: { steps: 20, stepSize: step },
        threat: threat({ norm: "linf", epsilon }),
        x,
        labels,
        seed: 0,
        exhaustive: true,
      }),
  };
};

const rows = [];
for (const device of [...new Set([...devices, "cpu"])]) {
  const runtime = createLocalRuntime();
  for (const batch of batches) {
    try {
      for (const [task, run] of Object.entries(await tasksOn(runtime, device, batch))) {
        await run(); // kernels and shaders are chosen in the first run
        const seconds = [];
        for (let round = 0; round < rounds; round++) {
          const began = performance.now();
          await run();
          seconds.push((performance.now() - began) / 1000);
        }
        rows.push({ side: `temper ${device}`, task, batch, seconds: spread(seconds) });
      }
    } catch (error) {
      rows.push({ side: `temper ${device}`, task: "-", batch, failure: error.message });
    }
  }
}

/** PyTorch on CUDA, where there is one; else why not. */
const peer = () => {
  if (!existsSync(python)) return { failure: "PyTorch is not installed (node bench/setup.mjs)" };
  const script = new URL("gpu.py", import.meta.url).pathname;
  const {
    stdout,
    stderr,
    status: code,
  } = spawnSync(python, [script, batches.join(","), String(rounds)], { encoding: "utf8" });
  return code === 0 ? JSON.parse(stdout) : { failure: stderr.trim().split("\n").at(-1) };
};
const { rows: theirs = [], failure, torch } = peer();
if (failure) console.log(`PyTorch: ${failure}.`);
rows.push(...theirs.map(({ seconds, ...row }) => ({ ...row, seconds: spread(seconds) })));

const ms = (seconds) => (1000 * seconds).toPrecision(3);
const cpuOf = ({ task, batch }) => rows.find((r) => r.side === "temper cpu" && r.task === task && r.batch === batch);
const lines = rows.map((row) => {
  const { side, task, batch, seconds } = row;
  if (!seconds) return `| ${task} | ${batch} | ${side} | did not run: ${row.failure.replaceAll(/[|\n]/g, " ")} | | |`;
  const cpu = cpuOf(row)?.seconds?.median;
  const faster = cpu ? (cpu / seconds.median).toFixed(2) : "-";
  return `| ${task} | ${batch} | ${side} | ${ms(seconds.median)} | ${ms(seconds.min)} - ${ms(seconds.max)} | ${faster} |`;
});
const table = [
  "| ResNet-18 | batch | side | median ms | range | times the CPU's speed |",
  "|---|---|---|---|---|---|",
  ...lines,
].join("\n");
console.log(`\n${table}`);

const machine = describeMachine(physicalCores());
const result = {
  date: new Date().toISOString(),
  commit: describeCommit(),
  machine,
  devices: status,
  torch,
  rounds,
  rows,
};
const results = new URL("results/", import.meta.url);
mkdirSync(results, { recursive: true });
const name = `${result.date.slice(0, 16).replace(/[-:]/g, "")}-gpu-${machineName(machine)}`;
writeFileSync(new URL(`${name}.json`, results), `${JSON.stringify(result, undefined, 1)}\n`);
writeFileSync(new URL(`${name}.md`, results), `${table}\n`);
console.log(`\nWritten: bench/results/${name}.md and .json`);
process.exit(0);
