import { f32, sizeOf, type Tensor } from "../core/index.ts";
import { createGraph, emit, input, type Value } from "../graph/index.ts";
import { Conv, MatMul } from "../ops/index.ts";
import { defaultEngine } from "./engine.ts";
import type { CompileOptions } from "./program.ts";
import type { JobContext } from "./protocol.ts";

/** Arithmetic that the machine reaches through ONNX Runtime: what every other speed is a share of. */
export interface Ceiling {
  readonly name: string;
  readonly gigaflops: number;
  /** Median time of one run. */
  readonly seconds: number;
}

interface Workload {
  readonly name: string;
  readonly flops: number;
  readonly inputs: readonly (readonly number[])[];
  readonly build: (inputs: readonly Value[]) => Value;
}

const conv = (channels: number, size: number, batch: number): Workload => ({
  name: `convolution 3x3, ${channels} channels at ${size}x${size}, batch ${batch}`,
  flops: 2 * batch * size * size * channels * channels * 9,
  inputs: [
    [batch, channels, size, size],
    [channels, channels, 3, 3],
  ],
  build: ([x, w]) => emit(Conv, [x, w], { pads: [1, 1, 1, 1] }),
});

const workloads: readonly Workload[] = [
  {
    name: "matrix product 2048x2048x2048",
    flops: 2 * 2048 ** 3,
    inputs: [
      [2048, 2048],
      [2048, 2048],
    ],
    build: ([a, b]) => emit(MatMul, [a, b]),
  },
  conv(64, 32, 16),
  conv(256, 8, 64),
];

/** Deterministic numbers of ordinary size: kernels take the same time for all of them. */
const filled = (shape: readonly number[]): Tensor => {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = ((i * 7919) % 1024) / 1024 - 0.5;
  return f32(data, shape);
};

/** Measures in the engine's thread. Weights are constants, as in a model. */
export const measureCeilings = async (options: CompileOptions = {}): Promise<readonly Ceiling[]> =>
  defaultEngine().job(new URL("./ceiling.js", import.meta.url), "ceilingJob", options);

export const ceilingJob = async ({ runtime }: JobContext, options: CompileOptions): Promise<Ceiling[]> => {
  const found: Ceiling[] = [];
  for (const { name, flops, inputs, build } of workloads) {
    const values = inputs.map((shape, i) => input(`x${i}`, "float32", shape));
    using program = await runtime.compile(createGraph(name, values, { y: build(values) }), options);
    const feeds = Object.fromEntries(inputs.map((shape, i) => [`x${i}`, filled(shape)]));
    const times: number[] = [];
    for (let began = performance.now(); times.length < 5 || (performance.now() - began < 1000 && times.length < 50);) {
      const start = performance.now();
      await program.run(feeds);
      times.push((performance.now() - start) / 1000);
    }
    const seconds = times.slice(1).sort((a, b) => a - b)[Math.floor((times.length - 1) / 2)]!;
    found.push({ name, seconds, gigaflops: flops / seconds / 1e9 });
  }
  return found;
};
