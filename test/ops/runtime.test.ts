import { vjp } from "temper/autodiff";
import type { DType } from "temper/core";
import { type AnyOp, type Array64, createGraph, fromArray64, type Graph, input, type Value } from "temper/graph";
import { concatChunks, encodeModel } from "temper/onnx";
import { evaluateGraph, ops, toOnnx } from "temper/ops";
import { describe, expect, it } from "vitest";
import { build, type Built, type Feeds, floatOutputs, noise, relative } from "./check.ts";
import type { Sample } from "./sample.ts";
import { samples } from "./samples.ts";

process.env["ORT_DISABLE_TELEMETRY"] = "1"; // read when the library loads
const ort = await import("onnxruntime-node");

const TYPE_NAMES: Partial<Record<DType, "float32" | "float64" | "int64" | "int32" | "uint8" | "bool">> = {
  float32: "float32",
  float64: "float64",
  int64: "int64",
  int32: "int32",
  uint8: "uint8",
  bool: "bool",
};

/** Runs a graph in ONNX Runtime, in the element types that it declares. */
const runNative = async (graph: Graph, feeds: Feeds): Promise<Record<string, Array64>> => {
  const bytes = concatChunks(encodeModel(toOnnx(graph)));
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    const entries = graph.inputs.map(({ node, dtype }) => {
      const { data, shape } = fromArray64({ ...feeds[node.name]!, dtype });
      return [node.name, new ort.Tensor(TYPE_NAMES[dtype]!, data as Float32Array, shape)] as const;
    });
    const out = await session.run(Object.fromEntries(entries));
    return Object.fromEntries(
      Object.entries(out).map(([name, t]) => [
        name,
        { dtype: t.type as DType, shape: [...t.dims], data: Float64Array.from(t.data as Float32Array, Number) },
      ]),
    );
  } finally {
    await session.release();
  }
};

const graphOf = (leaves: readonly (Value | undefined)[], values: readonly Value[]): Graph =>
  createGraph(
    "sample",
    leaves.filter((v) => v?.node.op.name === "Input").map((v) => v!),
    Object.fromEntries(values.map((v, i) => [`y${i}`, v])),
  );

const expectSame = async (graph: Graph, feeds: Feeds, tolerance: number): Promise<void> => {
  const native = await runNative(graph, feeds);
  const exact = evaluateGraph(graph, feeds);
  for (const [name, { dtype, shape, data }] of Object.entries(exact)) {
    const got = native[name]!;
    expect({ name, dtype: got.dtype, shape: got.shape }).toEqual({ name, dtype, shape });
    data.forEach((v, i) =>
      expect(relative(v, got.data[i]!), `${name}[${i}]: ${v} ${got.data[i]}`).toBeLessThan(tolerance),
    );
  }
};

/** Cotangents of the inputs, seeds as further inputs; undefined where nothing flows back. */
const gradientOf = (built: Built): { graph: Graph; feeds: Feeds } | undefined => {
  const ys = floatOutputs(built);
  const us = ys.map((y, i) => input(`u${i}`, y.dtype, y.shape));
  const pulled = vjp(ys, us, built.xs).filter((v) => v !== undefined);
  if (pulled.length === 0) return undefined;
  const seeds = us.map((u) => [u.node.name, noise(u, built.batch, u.node.name)] as const);
  return { graph: graphOf([...built.inputs, ...us], pulled), feeds: { ...built.feeds, ...Object.fromEntries(seeds) } };
};

describe.each(Object.entries(samples))("%s", (name, cases: readonly Sample[]) => {
  const op: AnyOp = ops[name as keyof typeof ops];
  const asked = cases.filter((c) => c.noRuntime === undefined);
  const beyond = cases.filter((c) => c.noRuntime !== undefined);

  // Where the runtime learns it, this fails: then drop `noRuntime`, and the sample is compared like the others.
  it.runIf(beyond.length > 0).each(beyond)("beyond the runtime, as the sample says: $label", async (sample) => {
    const built = build(op, sample, sample.symbolic !== undefined);
    await expect(expectSame(graphOf(built.inputs, built.outputs), built.feeds, 1e-3)).rejects.toThrow();
  });

  it.each(asked)("reference agrees with the runtime: $label", async (sample) => {
    const built = build(op, sample, sample.symbolic !== undefined);
    await expectSame(graphOf(built.inputs, built.outputs), built.feeds, sample.tolerance ?? 1e-5);
  });

  it.each(asked)("gradient runs in the runtime: $label", async (sample) => {
    const gradient = gradientOf(build(op, sample, sample.symbolic !== undefined));
    if (gradient) await expectSame(gradient.graph, gradient.feeds, Math.max(sample.tolerance ?? 0, 3e-5));
  });
});
