// Damages model and data files many times over and reads them: node scripts/mutate.mjs [--rounds 20000] [--seed 1]
// Each case must be accepted or refused with a TemperError within 5 seconds. Needs the built package (npm run build).
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20000" }, seed: { type: "string", default: "1" } },
});
const rounds = Number(values.rounds),
  seed = Number(values.seed);
const LIMIT_SECONDS = 5;
const LIMIT_MIB = 1024;
const BATCH = 2000;

/** Runs cases from..to in a thread of their own. @returns what it reported, and the case that hung or died if one did */
const runBatch = (from, to) =>
  new Promise((resolve) => {
    const clock = new SharedArrayBuffer(16);
    const state = new Float64Array(clock);
    state[0] = -1;
    const report = { outcomes: {}, slowest: { seconds: 0, what: "" }, failures: [], next: to };
    const worker = new Worker(new URL("./mutate/worker.mjs", import.meta.url), {
      workerData: { from, to, seed, clock },
      resourceLimits: { maxOldGenerationSizeMb: LIMIT_MIB },
    });
    const stop = (text) => {
      report.failures.push(`case ${state[0]}: ${text}`);
      report.next = state[0] < 0 ? to : state[0] + 1;
      void worker.terminate();
    };
    const watch = setInterval(() => {
      if (state[0] >= 0 && Date.now() - state[1] > LIMIT_SECONDS * 1000)
        stop(`took more than ${LIMIT_SECONDS} seconds`);
    }, 250);
    worker.on("message", ({ failure, ...rest }) => {
      if (failure) report.failures.push(failure);
      else Object.assign(report, rest);
    });
    worker.on("error", (error) => stop(String(error)));
    worker.on("exit", () => {
      clearInterval(watch);
      resolve(report);
    });
  });

const began = performance.now();
const totals = {};
const failures = [];
let slowest = { seconds: 0, what: "" };
for (let at = 0; at < rounds;) {
  const report = await runBatch(at, Math.min(rounds, at + BATCH));
  at = report.next;
  failures.push(...report.failures);
  if (report.slowest.seconds > slowest.seconds) slowest = report.slowest;
  for (const [corpus, row] of Object.entries(report.outcomes))
    for (const [outcome, count] of Object.entries(row))
      (totals[corpus] ??= {})[outcome] = (totals[corpus][outcome] ?? 0) + count;
}

for (const [corpus, row] of Object.entries(totals)) {
  const cells = Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
  process.stdout.write(`${corpus}: ${cells.map(([outcome, count]) => `${outcome} ${count}`).join(", ")}\n`);
}
const peak = process.resourceUsage().maxRSS / 1024;
process.stdout.write(
  `${rounds} cases in ${((performance.now() - began) / 1000).toFixed(1)} s, ${failures.length} failures; ` +
    `slowest ${(slowest.seconds * 1000).toFixed(1)} ms (${slowest.what}); peak memory ${peak.toFixed(0)} MiB\n`,
);
for (const failure of failures.slice(0, 20)) process.stdout.write(`${failure}\n`);
if (failures.length > 0 || peak > LIMIT_MIB) process.exitCode = 1;
