/**
 * `node bench/winograd.mjs [verdicts] [co-mnist] [cifar] [--images 10000] [--seeds 0]` (default: all, about fifteen minutes;
 * cifar six more for each further seed): what Winograd's convolutions change. Prints, and writes bench/results/winograd-<date>-<machine>.json; exit 1 where a bar does not hold.
 *
 * - verdicts: `evaluate` with and without, on two published networks and two that are trained here (64 channels, so that
 *   Winograd is used), on the same examples. Verdicts are taken by direct convolutions, but gradients that differ by
 *   rounding lead attacks to other points. Bar: clean predictions the same, and no more verdicts changed than by
 *   another seed of the random start, which is the noise of the measurement.
 * - co-mnist: PGD-5 training on 5,000 digits; its own network has four channels and the same graph either way, so that
 *   one of 64 is trained beside it. cifar: an epoch of preact-resnet-18 on the 10,000 images that there are (or
 *   --images of them), measured on the 2,000 others. Bar: the same accuracy within a point, in the mean over --seeds: runs
 *   that differ in the last digit of one input end points apart from each other.
 *
 * Needs ../shared/data.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadDataset, takeExamples } from "../dist/data/index.js";
import { attackDataset, evaluate } from "../dist/evaluate/index.js";
import { hashGraph, printGraph, withBatch } from "../dist/graph/index.js";
import { loadClassifier } from "../dist/models/index.js";
import { conv2d, flatten, linear, relu, sequential } from "../dist/nn/index.js";
import { lowerForCpu, physicalCores } from "../dist/runtime/index.js";
import { recipes, settingsOf, train, trainStep } from "../dist/train/index.js";
import { describeCommit, describeMachine, machineName } from "./machine.mjs";

const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));
if (!existsSync(shared)) {
  console.log("winograd: nothing to measure without ../shared/data");
  process.exit(0);
}
const { values: flags, positionals: parts } = parseArgs({
  options: { images: { type: "string", default: "10000" }, seeds: { type: "string", default: "0" } },
  allowPositionals: true,
});
const seeds = flags.seeds.split(",").map(Number);
const wanted = (part) => parts.length === 0 || parts.includes(part);
const folder = mkdtempSync(join(tmpdir(), "temper-winograd-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const figures = [];
let failed = false;
const show = (figure, text, holds) => {
  failed ||= !holds;
  figures.push({ ...figure, holds });
  console.log(`${text}: ${holds ? "pass" : "FAIL"}`);
};
const percent = (share) => `${(100 * share).toFixed(2)} %`;

let runs = 0;
/** Trains in a folder of its own; gives the file. */
const trained = async (request, winograd, seed = seeds[0]) => {
  const began = performance.now(),
    out = join(folder, `run-${runs++}`);
  const { modelPath, history } = await train({
    ...request,
    folder: out,
    options: { ...request.options, seed, winograd, validation: 0, checkpoint: 1e6 },
  });
  return { path: modelPath, loss: history.at(-1).loss, seconds: (performance.now() - began) / 1000 };
};

const digits = await loadDataset(`${shared}mnist`, { split: "train" }),
  tests = await loadDataset(`${shared}mnist`, { split: "test" });
/** Two convolutions of 64 channels at 14 x 14 behind one of 32. */
const WIDE = { model: "vgg", modelOptions: { depths: [1, 2], widths: [32, 64] } };
const SHORT = { optimizer: "adam", lr: 2e-3, weightDecay: 0, epochs: 3, epsilon: 0.1, steps: 5 };

/** What `evaluate` and one attack say of a network, with and without. */
const verdicts = async (name, path, data, epsilon) => {
  const model = await loadClassifier(path, data.shape);
  const robust = {},
    clean = {};
  for (const winograd of [true, false]) {
    const result = await evaluate(model, data, { epsilon, winograd, sweep: [], pictures: 0 });
    robust[winograd] = result.robustAccuracy.value;
    clean[winograd] = JSON.stringify(result.confusion.clean);
  }
  const attack = { name: "pgd", options: { steps: 40 } };
  const broken = async (winograd, seed) =>
    (await attackDataset(model, data, { attack, epsilon, winograd, seed })).broken;
  const [fast, direct, other] = [await broken(true, 0), await broken(false, 0), await broken(false, 1)];
  const changed = (list) => list.reduce((count, verdict, i) => count + (verdict === direct[i] ? 0 : 1), 0);
  const n = direct.length,
    used = printGraph(lowerForCpu(withBatch(model.graph, 64), { block: 16, winograd: true })).includes("group=36");
  const figure = {
    part: "verdicts",
    name,
    epsilon,
    examples: n,
    used,
    robust,
    changed: changed(fast),
    noise: changed(other),
  };
  show(
    figure,
    `${name}, epsilon ${epsilon.toPrecision(3)}, ${n} examples${used ? "" : " (no layer wide enough: the same graphs)"}: robust ` +
      `${percent(robust[true])} with, ${percent(robust[false])} without; PGD-40 changes ${figure.changed} verdicts, another seed ${figure.noise}`,
    clean[true] === clean[false] && figure.changed <= Math.max(figure.noise, n / 200),
  );
};

if (wanted("verdicts")) {
  const images = await loadDataset(`${shared}cifar10`, { split: "test" });
  await verdicts("kw_mnist", `${shared}models/kw_mnist_eps0.1.onnx`, takeExamples(tests, 500), 0.1);
  await verdicts("resnet20", `${shared}models/cifar10_resnet20.onnx`, takeExamples(images, 300), 1 / 255);
  for (const [name, recipe, epsilon] of [
    ["64 channels, trained plainly", "standard", 0.03],
    ["64 channels, trained against PGD-5", "pgd-at", 0.1],
  ]) {
    const { path } = await trained({ ...WIDE, recipe, options: SHORT, train: takeExamples(digits, 3000) }, true);
    await verdicts(name, path, takeExamples(tests, 300), epsilon);
  }
}

const meanOf = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** Accuracy, clean and under PGD-20, of what a recipe gives with and without: means over seeds and sets of images. */
const accuracies = async (name, request, sets, epsilon, bar) => {
  const found = {};
  const text = ({ clean, robust, loss, seconds }) =>
    `clean ${percent(clean)}, PGD-20 ${percent(robust)}, loss ${loss.toFixed(4)}, ${seconds.toFixed(0)} s`;
  for (const winograd of [true, false]) {
    const each = [];
    for (const seed of seeds) {
      const { path, loss, seconds } = await trained(request, winograd, seed);
      const model = await loadClassifier(path, sets[0].shape),
        attack = { name: "pgd", options: { steps: epsilon > 0 ? 20 : 1, stepSize: epsilon / 4 } },
        measured = [];
      for (const data of sets) measured.push(await attackDataset(model, data, { attack, epsilon, winograd: false }));
      each.push({
        seed,
        clean: meanOf(measured.map(({ cleanAccuracy }) => cleanAccuracy.value)),
        robust: meanOf(measured.map(({ robustAccuracy }) => robustAccuracy.value)),
        loss,
        seconds,
      });
      console.log(`${name}, seed ${seed}, ${winograd ? "with" : "without"}: ${text(each.at(-1))}`);
    }
    found[winograd] = {
      ...Object.fromEntries(["clean", "robust"].map((key) => [key, meanOf(each.map((e) => e[key]))])),
      each,
    };
  }
  const [fast, direct] = [found[true], found[false]];
  show(
    { part: name, ...found },
    `${name}: ${bar.map((key) => `${key} ${percent(fast[key])} with, ${percent(direct[key])} without`).join("; ")}`,
    bar.every((key) => Math.abs(fast[key] - direct[key]) <= 0.01),
  );
};

if (wanted("co-mnist")) {
  const network = sequential({ conv: conv2d(1, 4, 3, { padding: 1 }), relu, flatten, fc: linear(3136, 10) });
  const definition = { ...network, name: "co-mnist", inputShape: [1, 28, 28], classes: 10 };
  const settings = settingsOf(recipes["pgd-at"], { optimizer: "adam" });
  const { graph: step } = trainStep({ model: definition, recipe: recipes["pgd-at"], settings });
  const [fast, direct] = [true, false].map((winograd) => hashGraph(lowerForCpu(step, { block: 16, winograd })));
  show(
    { part: "co-mnist", own: fast === direct },
    "co-mnist's own network: one graph, with and without",
    fast === direct,
  );
  const options = { optimizer: "adam", lr: 3e-3, epochs: 5, epsilon: 0.2, steps: 5, batchSize: 128 };
  await accuracies(
    "co-mnist, 64 channels, 5 epochs of PGD-5",
    { ...WIDE, recipe: "pgd-at", options, train: takeExamples(digits, 5000) },
    [takeExamples(tests, 1000)],
    0.2,
    ["clean", "robust"],
  );
}

if (wanted("cifar")) {
  const request = {
    recipe: "standard",
    model: "preact-resnet-18",
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.247, 0.2435, 0.2616],
    options: { epochs: 1, lr: 0.1, batchSize: 128 },
    train: takeExamples(await loadDataset(`${shared}cifar10`, { split: "train" }), Number(flags.images)),
  };
  const others = [
    await loadDataset(`${shared}cifar10`, { split: "test" }),
    await loadDataset(`${shared}cifar10/val_train_10000-10999.bin.gz`),
  ];
  await accuracies(`cifar, preact-resnet-18, an epoch of ${flags.images} images`, request, others, 0, ["clean"]);
}

const machine = describeMachine(physicalCores()),
  results = fileURLToPath(new URL("results/", import.meta.url)),
  date = new Date().toISOString();
mkdirSync(results, { recursive: true });
const file = `${results}winograd-${date.slice(0, 16).replace(/[-:]/g, "")}-${machineName(machine)}.json`;
writeFileSync(file, `${JSON.stringify({ date, commit: describeCommit(), machine, figures }, undefined, 1)}\n`);
console.log(`Written: ${file}`);
process.exit(failed ? 1 : 0);
