/** One row of the table: all its sides started afresh, run in turns, and closed. */
import { busySeconds } from "./machine.mjs";
import { cpuSeconds, startChild, startCommand } from "./child.mjs";

/** OpenMP's threads spin for some milliseconds after a parallel region: the next side waits until they sleep. */
const SETTLE_MS = 30;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @returns smallest, median and largest */
export const spread = (values) => {
  const sorted = [...values].sort((a, b) => a - b),
    half = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { min: sorted[0], median, max: sorted.at(-1) };
};

/** Starts a side and runs it once (caches fill, sessions are made); a side that cannot run says why. */
const open = async (side, { threads, files }) => {
  const child = side.kind === "command" ? startCommand(side, files) : startChild(side.kind);
  try {
    const task = { ...side.task, file: files[side.task?.network] };
    const facts = await child.ask({ cmd: "prepare", task, threads: side.threads ?? threads });
    const began = performance.now();
    await child.ask({ cmd: "run", iterations: 1 });
    const first = (performance.now() - began) / 1000;
    const toFirstSeconds = facts.prepareSeconds + first;
    // A second run tells the steady time, where the first is not long anyhow.
    const estimate = first > 2 ? first : (await child.ask({ cmd: "run", iterations: 1 })).seconds;
    return { ...side, child, facts, toFirstSeconds, estimate, times: [], stages: [] };
  } catch (error) {
    await child.close();
    return { ...side, failure: error.message.slice(0, 400) };
  }
};

/**
 * Runs the sides of a row in turns: every round runs each once, in rotating order, for `slice` seconds each (at least
 * one iteration).
 *
 * @param options  `rounds`; `threads` of every side; `budget`: seconds for the row; `files`: the networks' ONNX files
 * @param row  `{ id, title, sides: [{ name, kind, task, threads }], ... }`; the first side is ours; a side may have its
 *   own number of threads
 * @returns the row with, for each side, its seconds a round, seconds to its first result, peak memory, and against each other side the ratios
 *   `theirs / ours` of the same round; `otherCpu`: share of the machine that other processes used meanwhile
 */
export const measure = async (row, options) => {
  const { threads, budget } = options,
    rounds = Math.min(options.rounds, row.mostRounds ?? Infinity);
  const opened = [];
  for (const side of row.sides) opened.push(await open(side, options));
  const sides = opened.filter((side) => !side.failure);
  const slice = budget / rounds / Math.max(1, sides.length);
  for (const side of sides) side.iterations = Math.max(1, Math.floor(slice / side.estimate));

  const busyBefore = busySeconds() - ownSeconds(sides),
    began = performance.now();
  for (let round = 0; round < rounds; round++)
    for (let turn = 0; turn < sides.length; turn++) {
      const side = sides[(turn + round) % sides.length];
      await sleep(SETTLE_MS);
      if (side.iterations > 1) await side.child.ask({ cmd: "run", iterations: 1 }); // the others emptied the caches
      const { seconds, figures } = await side.child.ask({ cmd: "run", iterations: side.iterations });
      side.times.push(seconds);
      if (figures) side.stages.push(figures);
    }
  const wall = (performance.now() - began) / 1000;
  const otherCpu = (busySeconds() - ownSeconds(sides) - busyBefore) / wall / threads;

  const ours = opened[0];
  if (row.probe && !ours.failure) ours.probe = await ours.child.ask({ cmd: "probe" });
  for (const side of sides) {
    side.peakBytes = (await side.child.ask({ cmd: "memory" })).peakBytes;
    await side.child.close();
    delete side.child;
  }
  const flops = row.flops ?? ours.facts?.flops; // of a network: counted on the graph that our side has
  return { ...row, flops, rounds, otherCpu, sides: opened.map((side) => summarize(side, ours)) };
};

/** Processor time of the harness, its ended children (whole commands) and the sides. */
const ownSeconds = (sides) => sides.reduce((sum, side) => sum + side.child.cpuSeconds(), cpuSeconds(process.pid, true));

const summarize = (side, ours) => {
  if (side.failure) return side;
  const { stages, ...rest } = side;
  const names = Object.keys(stages[0] ?? {});
  const figures = Object.fromEntries(names.map((name) => [name, spread(stages.map((figure) => figure[name]))]));
  const result = { ...rest, seconds: spread(side.times), ...(names.length > 0 && { figures }) };
  if (side === ours || ours.failure) return result;
  return { ...result, ratio: spread(side.times.map((t, i) => t / ours.times[i])) };
};
