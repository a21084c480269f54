/**
 * `node bench/leak.mjs [--rounds 1000] [--local]`: compiles, runs and disposes one graph a round, each with other
 * constants so that no cache can hide a leak, through the engine's worker (or `--local`: in this thread). Nothing is
 * collected by force; in this thread V8's young generation would grow once by more than the bar, so hold it:
 * `node --max-semi-space-size=2 bench/leak.mjs --local`.
 *
 * `--train [--network mnist] [--batch 128]`: a run of `train()` with augmentation, as many steps as rounds in ten epochs.
 *
 * Prints resident memory every tenth of the rounds. Bar: after the first tenth it stays flat within 5 %. Exit 1 where it
 * does not.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { f32 } from "../dist/core/index.js";
import { constant, createGraph, input } from "../dist/graph/index.js";
import { add, matmul, relu } from "../dist/ops/index.js";
import { createEngine, createLocalRuntime } from "../dist/runtime/index.js";
import { networks } from "./networks.mjs";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    local: { type: "boolean", default: false },
    train: { type: "boolean", default: false },
    network: { type: "string", default: "mnist" },
    batch: { type: "string", default: "128" },
  },
});
const rounds = Number(flags.rounds),
  every = Math.max(1, Math.floor(rounds / 10));

const WIDTH = 128;
const weights = (shift) =>
  f32(
    Float32Array.from({ length: WIDTH ** 2 }, (_, i) => shift + (i % 13) / 100),
    [WIDTH, WIDTH],
  );

/** Two dense layers of 64 KB weights each, different in every round. */
const graphOf = (round) => {
  const x = input("x", "float32", [-1, WIDTH]);
  const hidden = relu(add(matmul(x, constant(weights(round * 1e-6))), constant(f32([round]))));
  return createGraph("leak", [x], { y: matmul(hidden, constant(weights(-round * 1e-6))) });
};

const sizes = [];
const note = (round) => {
  sizes.push(process.memoryUsage.rss() / 1e6);
  console.log(`${String(round).padStart(6)} rounds: ${sizes.at(-1).toFixed(1)} MB`);
};

const compiling = async () => {
  const runtime = flags.local ? createLocalRuntime() : createEngine();
  const feeds = { x: f32(new Float32Array(8 * WIDTH).fill(1), [8, WIDTH]) };
  for (let round = 1; round <= rounds; round++) {
    const program = await runtime.compile(graphOf(round));
    await program.run(feeds);
    program.dispose();
    if (round % every === 0) note(round);
  }
};

const training = async () => {
  const [{ trainingImages }, { takeExamples }, { train }] = await Promise.all(
    ["./us-loop.mjs", "../dist/data/index.js", "../dist/train/index.js"].map((module) => import(module)),
  );
  const batchSize = Number(flags.batch),
    { model, options: modelOptions } = networks[flags.network],
    folder = mkdtempSync(join(tmpdir(), "temper-leak-"));
  await train({
    recipe: "standard",
    model,
    modelOptions,
    options: { batchSize, epochs: 10, lr: 0.01, augment: "crop,flip", validation: 0 },
    train: takeExamples(await trainingImages(flags.network), every * batchSize),
    folder,
    onProgress: ({ kind, record }) => kind === "epoch" && note(record.step),
  });
  rmSync(folder, { recursive: true });
};

await (flags.train ? training() : compiling());
const growth = sizes.at(-1) / sizes[0] - 1;
const holds = growth <= 0.05;
console.log(
  `growth from round ${every} to ${every * sizes.length}: ${(100 * growth).toFixed(1)} % (bar 5 %): ${holds ? "pass" : "FAIL"}`,
);
process.exit(holds ? 0 : 1);
