/**
 * `npm run bench -- [--only word,...] [--rounds 9] [--seconds 16] [--frozen] [--compiled] [--profile]
 * [--as-built] [--list]`: Temper and PyTorch in one run,
 * in turns. Prints a table and writes bench/results/<date>-<machine>.{json,md}. Exit 1 where a bar does not hold.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ensureBuilt } from "../scripts/ensure.mjs";
import { python, startChild } from "./child.mjs";
import { describeCommit, describeMachine, machineName } from "./machine.mjs";
import { measure, spread } from "./measure.mjs";
import { profileLines } from "./profile.mjs";
import { ceilingOf, HEADER, isDisturbed, markdown, rowLines, verdictsOf } from "./report.mjs";
import { allRows } from "./rows.mjs";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "16" },
    frozen: { type: "boolean", default: false },
    compiled: { type: "boolean", default: false },
    profile: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    "as-built": { type: "boolean", default: false },
  },
});
const words = flags.only?.split(",");
const every = allRows(flags);
const exact = new Set(every.map((row) => row.id));
/** A word is a row's name, or part of the names of several. */
const matches = (id, word) => (exact.has(word) ? id === word : id.includes(word));
const rows = every.filter((row) => !words || words.some((word) => matches(row.id, word)));

const stop = (message) => {
  console.error(message);
  process.exit(2);
};
if (flags.list) {
  for (const row of rows) console.log(`${row.id.padEnd(26)} ${row.title}: ${row.sides.map((s) => s.name).join(", ")}`);
  process.exit(0);
}
const rounds = Number(flags.rounds),
  budget = Number(flags.seconds);
if (!Number.isInteger(rounds) || rounds < 1 || !(budget > 0))
  stop("--rounds wants a whole number, --seconds a positive one.");
if (rows.length === 0) stop(`No row matches ${flags.only}. \`--list\` shows them.`);
if (!existsSync(python))
  stop("PyTorch is not installed. Run `node bench/setup.mjs` once (into bench/.venv, about 5 GB).");
if (!flags["as-built"]) ensureBuilt();

const { physicalCores, MIN_CHANNELS } = await import("../dist/runtime/index.js").catch(() => ({
  physicalCores: availableParallelism,
}));
const threads = physicalCores();
const folder = mkdtempSync(join(tmpdir(), "temper-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** One request to a fresh side. */
const once = async (kind, task, ...commands) => {
  const child = startChild(kind);
  try {
    let answer = await child.ask({ cmd: "prepare", task, threads });
    for (const cmd of commands) answer = await child.ask({ cmd });
    return answer;
  } finally {
    await child.close();
  }
};

/** Our side writes the networks; the logits and gradients of both sides are compared before anything is timed. */
const files = { report: join(folder, "report.html") },
  agreement = [];
const sides = rows.flatMap((row) => row.sides);
const needed = sides.map(({ kind, task }) => (kind === "command" ? "mnist" : task.network)); // commands: the tiny model
for (const network of new Set(needed.filter(Boolean))) {
  files[network] = join(folder, `${network}.onnx`);
  await once("us", { task: "export", network, file: files[network] });
  const task = { task: "network", network, mode: "gradient", batch: 4, file: files[network] };
  const theirs = await once("peer", task, "compare");
  const ours = await once("us", task, "compare").catch((error) => stop(`Our side does not run: ${error.message}`));
  // The median: where an activation lies within rounding of 0, its ReLU may open on one side only, and some pixels of
  // that image differ by more.
  const difference = (key) => {
    const largest = theirs[key].reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    return spread(theirs[key].map((v, i) => Math.abs(v - ours[key][i]) / largest)).median;
  };
  const found = { network, logits: difference("logits"), gradient: difference("gradient") };
  if (!(found.logits < 1e-5 && found.gradient < 1e-5))
    stop(`${network}: the two sides do not compute the same: ${JSON.stringify(found)}. Nothing was measured.`);
  agreement.push(found);
}
for (const network of new Set(sides.filter(({ task }) => task?.task === "loop").map(({ task }) => task.network)))
  await once("us", { task: "images", network, file: files[network] });
const { versions } = await once("peer", { task: "versions" });
const ort = JSON.parse(readFileSync(new URL("../node_modules/onnxruntime-node/package.json", import.meta.url), "utf8"));
const own = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

const done = [];
console.log(HEADER.join("\n"));
for (const row of rows) {
  const result = await measure(row, { rounds, threads, budget, files });
  done.push(result);
  console.log(rowLines(result, ceilingOf(done)).join("\n"));
  const { task } = row.sides[0];
  if (!flags.profile || task?.task !== "network") continue;
  result.profile = await once("us", { ...task, file: files[task.network] }, "profile");
  console.log([...profileLines(result), ...HEADER].join("\n"));
}

const machine = { ...describeMachine(threads), winogradChannels: MIN_CHANNELS };
const result = {
  date: new Date().toISOString(),
  commit: describeCommit(),
  machine,
  versions: { temper: own.version, "onnxruntime-node": ort.version, node: process.versions.node, ...versions },
  rounds,
  agreement,
  ceilingGflops: ceilingOf(done),
  // Without the commands: they hold paths of this machine.
  rows: done.map((row) => ({
    ...row,
    sides: row.sides.map((side) => ({ ...side, command: undefined, pattern: undefined })),
    verdicts: verdictsOf(row),
  })),
};
const results = fileURLToPath(new URL("results/", import.meta.url));
mkdirSync(results, { recursive: true });
const base = join(results, `${result.date.slice(0, 16).replace(/[-:]/g, "")}-${machineName(machine)}`);
writeFileSync(`${base}.json`, `${JSON.stringify(result, undefined, 1)}\n`);
writeFileSync(`${base}.md`, markdown(result));
const verdicts = done.flatMap(verdictsOf),
  failed = verdicts.filter((v) => !v.holds);
const disturbed = done.filter(isDisturbed).length;
console.log(
  `\n${verdicts.length - failed.length} of ${verdicts.length} bars hold. ${disturbed} of ${done.length} rows were disturbed by other processes.`,
);
console.log(`Written: ${base}.md and .json`);
process.exitCode = failed.length > 0 ? 1 : 0;
