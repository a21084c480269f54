/**
 * `node bench/history.mjs`: every row's newest figures on this machine beside those of the last run of another commit.
 * The machine's own speed drifts from run to run, so the change is also given against the first peer of the same run.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describeMachine, machineName } from "./machine.mjs";

const folder = fileURLToPath(new URL("results/", import.meta.url));
const { physicalCores } = await import("../dist/runtime/index.js");
const here = machineName(describeMachine(physicalCores()));

/** Newest first. */
const runs = (existsSync(folder) ? readdirSync(folder) : [])
  .filter((name) => name.endsWith(`-${here}.json`))
  .sort()
  .reverse()
  .map((name) => JSON.parse(readFileSync(`${folder}${name}`, "utf8")))
  .filter(({ commit }) => commit);

/** What a run says of a row: our median, and how many times that its first peer takes. */
const figuresOf = (run, id) => {
  const [ours, peer] = run.rows.find((row) => row.id === id)?.sides ?? [];
  return (
    ours?.seconds && { commit: run.commit, seconds: ours.seconds.median, peer: peer?.name, ratio: peer?.ratio?.median }
  );
};

const time = (seconds) => (seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(1000 * seconds).toPrecision(3)} ms`);
const times = ({ ratio }) => (ratio === undefined ? "-" : ratio.toFixed(2));
const lines = [...new Set(runs.flatMap((run) => run.rows.map((row) => row.id)))].flatMap((id) => {
  const found = runs.map((run) => figuresOf(run, id)).filter(Boolean),
    [now] = found,
    then = found.find(({ commit }) => commit !== now.commit);
  if (!then) return [];
  const change = (now.seconds / then.seconds).toFixed(2);
  const peers = now.peer ? `${now.peer}: ${times(then)} -> ${times(now)}` : "-";
  return [
    `| ${id} | ${then.commit} | ${time(then.seconds)} | ${now.commit} | ${time(now.seconds)} | ${change} | ${peers} |`,
  ];
});
if (lines.length === 0)
  console.log(`No row was measured at two commits on ${here} yet. Run \`npm run bench\` at both.`);
else
  console.log(
    ["| row | then | ours | now | ours | now / then | times ours |", "|---|---|---|---|---|---|---|", ...lines].join(
      "\n",
    ),
  );
