// Reads damaged files one after the other. The main thread sees in shared memory which case runs since when.
// oxlint-disable unicorn/require-post-message-target-origin -- that is for windows, these are threads
import { parentPort, workerData } from "node:worker_threads";
import { isTemperError } from "temper/core";
import { corpora } from "./corpora.mjs";

const { from, to, seed, clock } = workerData;
const now = new Float64Array(clock); // [case, its start]
const all = await corpora();
const outcomes = {};
let slowest = { seconds: 0, what: "" };

const outcomeOf = async (corpus, bytes) => {
  try {
    await corpus.read(bytes);
    return "accepted";
  } catch (error) {
    return isTemperError(error) ? `refused: ${error.code}` : error;
  }
};

for (let i = from; i < to; i++) {
  const corpus = all[i % all.length];
  const round = Math.floor(i / all.length);
  const subject = corpus.seeds[round % corpus.seeds.length];
  const { kind, bytes } = corpus.damage(subject, seed, i);
  const start = Date.now();
  now[1] = start;
  now[0] = i;
  const began = performance.now();
  const outcome = await outcomeOf(corpus, bytes);
  const seconds = (performance.now() - began) / 1000;
  const what = `case ${i}: ${corpus.name}, ${subject.name}, ${kind}`;
  if (seconds > slowest.seconds) slowest = { seconds, what };
  if (typeof outcome !== "string") parentPort.postMessage({ failure: `${what}: ${outcome?.stack ?? outcome}` });
  const row = (outcomes[corpus.name] ??= {});
  const name = typeof outcome === "string" ? outcome : "FAILED";
  row[name] = (row[name] ?? 0) + 1;
}
parentPort.postMessage({ outcomes, slowest });
