import { createRng, f32, sizeOf, type Tensor } from "temper/core";
import { gradientGraph } from "temper/attack";
import { constant, createGraph, emit, graphNodes, input, named, type Graph } from "temper/graph";
import { model } from "temper/models";
import { initialize } from "temper/nn";
import { add, conv, Relu, relu, scan, tanh } from "temper/ops";
import { lowerForCpu, profile } from "temper/runtime";
import { describe, expect, it } from "vitest";

const numbers = (seed: number, shape: readonly number[]): Tensor => {
  const rng = createRng(seed);
  return f32(
    Float32Array.from({ length: sizeOf(shape) }, () => rng.uniform() - 0.5),
    shape,
  );
};

/** Two convolutions that differ in nothing but their weights, and one between them. */
const three = (): Graph => {
  const x = input("x", "float32", [-1, 32, 12, 12]);
  const layer = (name: string, v: typeof x, size: number): typeof x =>
    named(name, () => relu(conv(v, constant(numbers(size, [32, 32, size, size])), undefined, same(size))));
  const same = (size: number): { pads: number[] } => ({ pads: Array<number>(4).fill((size - 1) / 2) });
  return createGraph("three", [x], { y: layer("last", layer("middle", layer("first", x, 3), 5), 3) });
};

describe("profile", () => {
  it("says which layer's convolution takes how long, also in the runtime's own layout", async () => {
    const { seconds, entries } = await profile(three(), { x: numbers(1, [4, 32, 12, 12]) }, { runs: 3 });
    const convolutions = entries.filter(({ operator }) => operator === "Conv");
    expect(convolutions.map(({ name }) => name).toSorted()).toEqual(["first", "last", "middle"]);
    expect(convolutions.map(({ calls }) => calls)).toEqual([1, 1, 1]);
    expect(entries).toEqual(entries.toSorted((a, b) => b.seconds - a.seconds));
    const sum = entries.reduce((total, entry) => total + entry.seconds, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThanOrEqual(seconds);
  });

  it("counts what is inside of loops, not the loops", async () => {
    const s = input("s", "float32", [2]),
      slice = input("slice", "float32", [2]);
    const next = named("inside", () => tanh(add(s, slice)));
    const [start, slices] = [input("start", "float32", [2]), input("slices", "float32", [-1, 2])];
    const [last] = scan(createGraph("body", [s, slice], { next }), [start], [slices]);
    const { entries } = await profile(createGraph("loop", [start, slices], { last: last! }), {
      start: f32([0, 0]),
      slices: numbers(1, [3, 2]),
    });
    expect(entries.map(({ name, operator, calls }) => `${calls} ${operator} ${name}`).toSorted()).toEqual([
      "3 Add inside",
      "3 Tanh inside",
    ]);
  });

  it("refuses the reference device, and feeds that do not fit", async () => {
    await expect(profile(three(), { x: numbers(1, [4, 32, 12, 12]) }, { device: "reference" })).rejects.toThrow(
      /trace/,
    );
    await expect(profile(three(), { x: numbers(1, [4, 32, 12, 11]) })).rejects.toThrow(/"x"/);
  });
});

describe("names of nodes", () => {
  const definition = model("small-cnn", { inputShape: [1, 28, 28], classes: 10 });
  const weights = Object.entries(initialize(definition, createRng(0))).map(([name, t]) => [name, constant(t)] as const);
  const x = input("x", "float32", [-1, 1, 28, 28]);
  const forward = createGraph("small-cnn", [x], {
    logits: definition.apply(Object.fromEntries(weights), x, { training: false }).y,
  });
  const layers = ["conv1", "conv2", "fc1", "fc2"];

  it("tell the layer, and its gradient, through differentiation and lowering", () => {
    const lowered = graphNodes(lowerForCpu(gradientGraph(forward, "cross-entropy"), { block: 16 }));
    const products = lowered.filter(({ op }) => ["Conv", "ConvTranspose", "MatMul", "Gemm"].includes(op.name));
    expect(new Set(products.map(({ name }) => name))).toEqual(
      new Set(layers.flatMap((layer) => [layer, `${layer}.grad`])),
    );
  });

  it("nest, and leave those alone that have one", () => {
    const inner = named("outer", () => named("inner", () => [relu(x), emit(Relu, [x], {}, "own")]));
    expect(inner.map((v) => v.node.name)).toEqual(["outer.inner", "own"]);
    expect(relu(x).node.name).toBe("");
  });
});
