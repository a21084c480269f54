/**
 * `node bench/slower.mjs`: docs/slower-than-pytorch.md, from the newest measurement of each row that is in
 * bench/results of this machine (`npm run bench`; with `--profile` the page shows where the time goes). The reasons are
 * the sentences below; a row that is slower and has none stands there without.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describeMachine, machineName } from "./machine.mjs";
import { isDisturbed } from "./report.mjs";

const { physicalCores } = await import("../dist/runtime/index.js");
const machine = describeMachine(physicalCores());
const folder = fileURLToPath(new URL("results/", import.meta.url));

/** Why a row is slower, by the beginning of its name. */
const REASONS = {
  "lstm-":
    "The 64 steps go one after the other, back as forward, as bodies of two Scans: their small products run at the rate of small products, between element by element operators that are calls of their own.",
  "resnet18-forward-":
    "Direct convolutions at the machine's own ceiling on both sides; verdicts never use Winograd's (`temper, with Winograd` in the bench: what `compile(graph, { winograd: true })` gains where no verdict is taken).",
  "mobilenet-v2-":
    "1 x 1 convolutions and depthwise ones have few products a number moved: batch norm, masks and gradients are passes over memory of their own here, where PyTorch joins some of them.",
  "densenet121-": "Each layer reads all before it: concatenations and the gradients of their parts are copied.",
  "vit-": "Both sides spend the time in the same matrix products.",
  "odd-":
    "Channels, groups and examples that fill no block of the runtime's layout are filled up with zeros, which are multiplied too (100 channels: 1.25 times the products, groups of 25: 1.64, gradients by weights of 50 examples 1.28 times more).",
  "resnet18-train-1":
    "In batches of one the step reads and writes every weight for a single image: memory bounds both sides.",
};
const reasonOf = (id) => Object.entries(REASONS).find(([start]) => id.startsWith(start))?.[1] ?? "not looked into";

/** Newest measurement of every row against PyTorch, undisturbed ones first. */
const newest = () => {
  const runs = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => /^\d{8}T\d{4}-/.test(name) && name.endsWith(`-${machineName(machine)}.json`))
    .sort()
    .map((name) => JSON.parse(readFileSync(`${folder}${name}`, "utf8")));
  const found = new Map();
  for (const { date, commit, versions, rows } of runs)
    for (const row of rows) {
      const before = found.get(row.id);
      if (isDisturbed(row) && before && !isDisturbed(before)) continue;
      found.set(row.id, { ...row, date, commit, versions, profile: row.profile ?? before?.profile });
    }
  return [...found.values()];
};

/** PyTorch's sides of a row: the fastest of eager and channels_last, and what torch.compile makes. */
const against = ({ sides }) => {
  const peers = sides.filter(({ kind, task, ratio }) => kind === "peer" && task.task === "network" && ratio);
  const least = (list) => list.toSorted((a, b) => a.ratio.median - b.ratio.median)[0];
  const isCompiled = ({ task }) => task.variant === "compile";
  return { eager: least(peers.filter((side) => !isCompiled(side))), compiled: peers.find(isCompiled) };
};

const ms = ({ median }) => (median >= 1 ? `${median.toPrecision(3)} s` : `${(1000 * median).toPrecision(3)} ms`);
const times = (side) => (side ? side.ratio.median.toFixed(2) : "-");
const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
const rows = newest()
  .map((row) => ({ ...row, ours: row.sides[0], ...against(row) }))
  .filter(({ ours, eager, compiled }) => ours.seconds && (eager || compiled));

/** Operators that take at least a fiftieth of a run, with their share. */
const operatorsOf = ({ profile }) => {
  if (!profile) return "not traced; `npm run bench -- --profile`";
  const seconds = new Map();
  for (const { operator, seconds: s } of profile.entries) seconds.set(operator, (seconds.get(operator) ?? 0) + s);
  return [...seconds]
    .sort(([, a], [, b]) => b - a)
    .filter(([, s]) => s >= profile.seconds / 50)
    .map(([operator, s]) => `${operator} ${((100 * s) / profile.seconds).toFixed(0)} %`)
    .join(", ");
};

const slower = rows.filter(
  ({ eager, compiled }) => Math.min(eager?.ratio.median ?? 9, compiled?.ratio.median ?? 9) < 1,
);
const lineOf = (row) =>
  `| ${row.title} | ${ms(row.ours.seconds)} | ${times(row.eager)} | ${times(row.compiled)} | ${row.commit}${isDisturbed(row) ? ", disturbed" : ""} |`;
const larger = rows.filter(({ ours, eager }) => eager && ours.peakBytes > eager.peakBytes);

const page = [
  "# What is slower than PyTorch",
  "",
  "Written by `node bench/slower.mjs` out of the newest measurement of each row on one machine; not to be edited. Times",
  "are of one run; a factor is PyTorch's time over ours in the same round, median of the rounds (below 1: we are slower).",
  "PyTorch eager is the faster of its two memory layouts. Rows are explained in [bench/README.md](../bench/README.md).",
  "",
  `${machine.cpu}, ${machine.threads} threads. ${Object.entries(rows.at(-1)?.versions ?? {})
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.`,
  "",
  `Of ${rows.length} rows that were measured, ${slower.length} are slower than one of PyTorch's forms.`,
  "",
  "| row | ours | eager | torch.compile | commit |",
  "|---|---|---|---|---|",
  ...slower.map(lineOf),
  "",
  "## Why, and where the time goes",
  "",
  ...slower.flatMap((row) => [`- **${row.title}**: ${reasonOf(row.id)}`, `  Profile: ${operatorsOf(row)}.`]),
  "",
  "## More memory than PyTorch",
  "",
  ...(larger.length === 0
    ? ["None of the rows."]
    : [
        "Peak of the whole process. Weights lie in a process more than once (the graph, the runtime's copy, filters that",
        "Winograd's convolutions transform), and activations are kept as long as ONNX Runtime's order of operators asks.",
        "",
        "| row | ours, MB | PyTorch, MB |",
        "|---|---|---|",
        ...larger.map(
          ({ title, ours, eager }) => `| ${title} | ${megabytes(ours.peakBytes)} | ${megabytes(eager.peakBytes)} |`,
        ),
      ]),
  "",
  "## Rows that are not slower",
  "",
  "| row | ours | eager | torch.compile | commit |",
  "|---|---|---|---|---|",
  ...rows.filter((row) => !slower.includes(row)).map(lineOf),
  "",
].join("\n");

if (rows.length === 0) {
  console.log("No row was measured on this machine yet. Run `npm run bench`.");
  process.exit(1);
}
const docs = fileURLToPath(new URL("../docs/", import.meta.url));
mkdirSync(docs, { recursive: true });
writeFileSync(`${docs}slower-than-pytorch.md`, page);
console.log(`${slower.length} of ${rows.length} rows are slower: docs/slower-than-pytorch.md`);
