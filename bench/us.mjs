/** Our side of the benchmark: what a user of the library would write, on the built package. */
import { createTarget, gradientGraph, predictionOf } from "../dist/attack/index.js";
import { constant, createGraph, input } from "../dist/graph/index.js";
import { f32 } from "../dist/core/index.js";
import { countParameters } from "../dist/nn/index.js";
import { add, conv, matmul, mul, relu } from "../dist/ops/index.js";
import { createEngine, createLocalRuntime, createPool, profile } from "../dist/runtime/index.js";
import { pgdJob } from "./us-job.mjs";
import { networks } from "./networks.mjs";
import {
  commonBatch,
  definitionOf,
  feedsOf,
  flopsOf,
  portableRuntime,
  readNetwork,
  writeNetwork,
} from "./us-network.mjs";
import { serve } from "./serve.mjs";

const numbers = (length, scale = 1) => Float32Array.from({ length }, (_, i) => scale * (((i * 7919) % 1009) / 1009));

/** Compiled where the caller's loop runs, without messages (as attacks and training do), or through the engine. */
const runtimeOf = ({ via, portable }) =>
  via === "engine" ? createEngine() : portable ? portableRuntime() : createLocalRuntime();

const networkTask = async (task, threads) => {
  const { network, mode, batch, file, winograd = mode === "gradient" && batch > 1 } = task;
  if (mode === "train") return (await import("./us-train.mjs")).trainTask(task, threads);
  const graph = readNetwork(file);
  const runtime = runtimeOf(task);
  const { x, labels } = commonBatch(network, batch);
  const feeds = feedsOf(network, x, labels);
  const forward = mode === "forward";
  const whole = forward ? graph : gradientGraph(graph, "cross-entropy");
  const program = await runtime.compile(whole, {
    threads,
    winograd, // default: as the library's attacks compile it
  });
  const given = forward ? { input: feeds.input } : feeds,
    wanted = forward ? ["logits"] : ["gradient"];
  return {
    facts: { parameters: countParameters(definitionOf(network)), flops: flopsOf(network, mode, batch), winograd },
    run: () => program.run(given, wanted),
    profile: () => profile(whole, given, { threads, winograd }),
    compare: async () => {
      const { logits, gradient } = await program.run(feeds);
      return { logits: Array.from(logits.data), gradient: Array.from(gradient.data) };
    },
  };
};

/** `count` input gradients, one after the other, nothing else: the floor of an attack of as many steps. */
const gradientsTask = async ({ network, batch, file, count }, threads) => {
  const { x, labels } = commonBatch(network, batch);
  const program = await createLocalRuntime().compile(gradientGraph(readNetwork(file), "cross-entropy"), {
    threads,
    winograd: true,
  });
  const feeds = feedsOf(network, x, labels);
  return {
    run: async () => {
      for (let i = 0; i < count; i++) await program.run(feeds, ["gradient"]);
    },
  };
};

/** What the network says of the images: attacks begin where it is right. */
const predictionsAt = async (file, x) => {
  const target = await createTarget(createLocalRuntime(), readNetwork(file));
  const logits = await target.logits(x);
  const labels = Int32Array.from({ length: logits.length / target.classes }, (_, i) =>
    predictionOf(logits, i, target.classes),
  );
  target[Symbol.dispose]();
  return labels;
};

/** The library's PGD: `via` the engine's worker (default), or the same loop in this thread. */
const pgdTask = async ({ network, batch, file, via = "worker" }, threads) => {
  const { x } = commonBatch(network, batch);
  const { epsilon, step } = networks[network];
  const args = { file, threads, x, labels: await predictionsAt(file, x), epsilon, step, seed: 0 };
  const engine = createEngine();
  const here = { runtime: createLocalRuntime(createPool()), report: () => undefined, cancelled: () => false };
  const run =
    via === "worker"
      ? () => engine.job(new URL("us-job.mjs", import.meta.url), "pgdJob", args)
      : () => pgdJob(here, args);
  const { adv } = await run();
  const linf = adv.reduce((most, v, i) => Math.max(most, Math.abs(v - x[i])), 0);
  return {
    facts: { linf, epsilon, flops: 20 * flopsOf(network, "gradient", batch) },
    run,
    probe: () => eventLoopDelay(run),
  };
};

/** Longest time that a timer of 1 ms was late while `run` went on: what an application beside it would feel. */
const eventLoopDelay = async (run) => {
  let last = performance.now(),
    most = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    most = Math.max(most, now - last - 1);
    last = now;
  }, 1);
  await run();
  clearInterval(timer);
  return { eventLoopDelayMs: Math.max(most, performance.now() - last - 1) };
};

const exportTask = ({ network, file }) => {
  writeNetwork(network, file);
  return {};
};

const single = async (graph, feeds, threads) => {
  const program = await createLocalRuntime().compile(graph, { threads });
  return { run: () => program.run(feeds) };
};
const matmulTask = ({ size }, threads) => {
  const a = input("a", "float32", [size, size]),
    b = input("b", "float32", [size, size]);
  const data = f32(numbers(size * size), [size, size]);
  return single(createGraph("matmul", [a, b], { y: matmul(a, b) }), { a: data, b: data }, threads);
};
const convTask = ({ batch, channels, side }, threads) => {
  const shape = [batch, channels, side, side],
    x = input("x", "float32", shape);
  const w = constant(f32(numbers(channels * channels * 9, 1e-3), [channels, channels, 3, 3]));
  const graph = createGraph("conv", [x], { y: conv(x, w, undefined, { pads: [1, 1, 1, 1] }) });
  return single(graph, { x: f32(numbers(batch * channels * side * side), shape) }, threads);
};

/** From a traced function to its first result; a new constant each time, so that no cache can help. */
const chainTask = async ({ nodes }, threads) => {
  const runtime = createLocalRuntime();
  let count = 0;
  const build = () => {
    const x = input("x", "float32", [4, 16]),
      w = constant(f32(numbers(256, 1 / 16), [16, 16]));
    const shift = constant(f32(new Float32Array(16).fill(1e-3 * ++count)));
    let v = x;
    for (let i = 0; i < nodes / 4; i++) v = mul(relu(add(matmul(v, w), shift)), constant(f32([0.9 + i * 1e-6])));
    return createGraph("chain", [x], { y: v });
  };
  const feeds = { x: f32(numbers(64), [4, 16]) };
  return {
    run: async () => {
      const program = await runtime.compile(build(), { threads });
      await program.run(feeds);
      program.dispose();
    },
  };
};

/** Of us-loop.mjs, which loads what trains only where it is asked for. */
const training =
  (name) =>
  async (...args) =>
    (await import("./us-loop.mjs"))[name](...args);

await serve({
  network: networkTask,
  gradients: gradientsTask,
  pgd: pgdTask,
  matmul: matmulTask,
  conv: convTask,
  chain: chainTask,
  export: exportTask,
  loop: training("loopTask"),
  steps: training("stepsTask"),
  images: training("imagesTask"),
});
