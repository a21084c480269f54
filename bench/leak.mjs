/**
 * `node bench/leak.mjs [--rounds 1000] [--local]`: compiles, runs and disposes one graph a round, each with other
 * constants so that no cache can hide a leak, through the engine's worker (or `--local`: in this thread). Prints every
 * 100 rounds the smallest resident memory seen in them. Bar: from the second hundred to the end it grows by at most 5 %.
 * Exit 1 where it grows more.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { f32 } from "../dist/core/index.js";
import { constant, createGraph, input } from "../dist/graph/index.js";
import { add, matmul, relu } from "../dist/ops/index.js";
import { createEngine, createLocalRuntime } from "../dist/runtime/index.js";

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "1000" }, local: { type: "boolean", default: false } },
});
const rounds = Number(flags.rounds),
  every = Math.max(1, Math.floor(rounds / 10));

// What counts is memory that cannot be freed. So garbage is collected every 50 rounds, and V8's young generation, which
// would otherwise double once some hundred rounds in, by more than the bar, keeps its size.
const FLAGS = ["--expose-gc", "--min-semi-space-size=1", "--max-semi-space-size=1"];
if (!process.execArgv.includes(FLAGS[0])) {
  const self = fileURLToPath(import.meta.url);
  const { status } = spawnSync(process.execPath, [...FLAGS, self, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(status ?? 1);
}

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

const runtime = flags.local ? createLocalRuntime() : createEngine();
const feeds = { x: f32(new Float32Array(8 * WIDTH).fill(1), [8, WIDTH]) };
const floors = [];
let floor = Infinity;
for (let round = 1; round <= rounds; round++) {
  const program = await runtime.compile(graphOf(round));
  await program.run(feeds);
  program.dispose();
  if (round % 50 === 0) globalThis.gc();
  if (round % 5 === 0) floor = Math.min(floor, process.memoryUsage.rss() / 1e6);
  if (round % every > 0) continue;
  floors.push(floor);
  console.log(`${String(round).padStart(6)} rounds: ${floor.toFixed(1)} MB`);
  floor = Infinity;
}
const [, settled, ...later] = floors;
const growth = Math.min(...later.slice(-2)) / settled - 1; // a leak stays; a passing peak does not
const holds = growth <= 0.05;
console.log(
  `growth from round ${2 * every} to the end: ${(100 * growth).toFixed(1)} % (bar 5 %): ${holds ? "pass" : "FAIL"}`,
);
process.exit(holds ? 0 : 1);
