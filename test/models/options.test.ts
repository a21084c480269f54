import { createRng } from "temper/core";
import { type Array64, graphNodes, input, type Value } from "temper/graph";
import { model, type ModelDefinition, toGraph } from "temper/models";
import { initialize } from "temper/nn";
import { evaluateGraph } from "temper/ops";
import { describe, expect, it } from "vitest";

const mnist = { inputShape: [1, 28, 28] as const, classes: 10 };
const cifar = { inputShape: [3, 32, 32] as const, classes: 10 };
const tiny = { inputShape: [1, 8, 8] as const, classes: 3 };
const SMALL_WIDE = { depths: [1, 1, 1], widths: [4, 4, 8], stem: 4 };

const deviation = (data: Float32Array): number => Math.sqrt(data.reduce((s, v) => s + v * v, 0) / data.length);
const opsOf = (net: ModelDefinition, name: string): number =>
  graphNodes(toGraph(net)).filter(({ op }) => op.name === name).length;

describe("co-net", () => {
  it("starts with deviations √(2 / 9F) and √(2 / HWF), and zero biases", () => {
    const start = initialize(model("co-net", cifar, { filters: 16 }), createRng(3));
    expect(deviation(start["conv.weight"]!.data)).toBeCloseTo(Math.sqrt(2 / (9 * 16)), 1);
    expect(deviation(start["fc.weight"]!.data) / Math.sqrt(2 / (1024 * 16))).toBeCloseTo(1, 2);
    for (const name of ["conv.bias", "fc.bias"]) expect(new Set(start[name]!.data)).toEqual(new Set([0]));
  });
});

describe.each([
  ["co-net", {}, 1],
  ["small-cnn", {}, 3],
  ["resnet-18", {}, 17],
  ["preact-resnet-18", {}, 17],
  ["wide-resnet", SMALL_WIDE, 7],
] as const)("the activation of %s", (name, options, places) => {
  it.each([
    ["relu", "Relu"],
    ["softplus", "Softplus"],
    ["silu", "Sigmoid"],
    ["gelu", "Gelu"],
  ])("%s is everywhere", (activation, op) => {
    const net = model(name, tiny, { ...options, activation });
    expect(opsOf(net, op)).toBe(places);
    expect(opsOf(net, "Relu")).toBe(activation === "relu" ? places : 0);
  });
});

it("softplus and silu are as steep as beta says", () => {
  const at = (activation: string, activationBeta: number, x: number): number => {
    const net = model("co-net", { inputShape: [1, 1, 1], classes: 2 }, { filters: 1, activation, activationBeta });
    const one = (shape: readonly number[], value: number): Array64 => ({
      dtype: "float32",
      shape,
      data: new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(value),
    });
    const feeds = Object.fromEntries(
      Object.entries(net.parameters).map(([key, { shape }]) => [key, one(shape, key.endsWith("weight") ? 1 : 0)]),
    );
    return evaluateGraph(toGraph(net), { input: one([1, 1, 1, 1], x), ...feeds })["logits"]!.data[0]!;
  };
  for (const x of [-1.3, 0, 0.4, 30]) {
    expect(at("softplus", 5, x)).toBeCloseTo(Math.max(x, 0) + Math.log1p(Math.exp(-5 * Math.abs(x))) / 5, 6);
    expect(at("silu", 2, x)).toBeCloseTo(x / (1 + Math.exp(-2 * x)), 6);
    expect(at("softplus", 1, x)).toBeCloseTo(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), 6);
  }
});

describe("a larger stride of the stem keeps the last feature maps", () => {
  const shapesOf = (name: string, task: typeof mnist | typeof cifar, stemStride: number): Record<string, number[]> => {
    const net = model(name, task, { stemStride });
    const seen: Record<string, number[]> = {};
    const weights = Object.fromEntries(
      Object.entries({ ...net.parameters, ...net.buffers }).map(([n, { shape }]) => [n, input(n, "float32", shape)]),
    );
    const tap = (part: string, v: Value): Value => {
      seen[part] = v.shape.slice(2);
      return v;
    };
    net.apply(weights, input("x", "float32", [1, ...task.inputShape]), { training: false, tap });
    return seen;
  };
  it.each(["resnet-18", "preact-resnet-18"])("%s", (name) => {
    const [plain, wide] = [shapesOf(name, cifar, 1), shapesOf(name, cifar, 2)];
    expect([plain, wide].map((s) => [s["conv1"], s["layer1"], s["layer2"], s["layer4"]])).toEqual([
      [[32, 32], [32, 32], [16, 16], [4, 4]],
      [[16, 16], [16, 16], [16, 16], [4, 4]],
    ]); // prettier-ignore
    expect(model(name, cifar, { stemStride: 2 }).parameters["conv1.weight"]!.shape).toEqual([64, 3, 4, 4]);
  });
  it("small-cnn, whose stem strides by 2 as published", () => {
    const [plain, wide] = [shapesOf("small-cnn", mnist, 1), shapesOf("small-cnn", mnist, 2)];
    expect([plain["conv1"], plain["conv2"]]).toEqual([[28, 28], [7, 7]]); // prettier-ignore
    expect([wide["conv1"], wide["conv2"]]).toEqual([[14, 14], [7, 7]]); // prettier-ignore
    expect(model("small-cnn", cifar, { stemStride: 1 }).parameters["fc1.weight"]!.shape).toEqual([100, 2048]);
  });
});

describe("dropout", () => {
  it.each([
    ["wide-resnet", SMALL_WIDE, 3, [-1, 4, 8, 8]],
    ["lenet", {}, 2, [-1, 120]],
    ["mobilenet-v2", { width: 0.1 }, 1, [-1, 1280]],
    ["densenet", { depths: [2, 2], growth: 4 }, 4, [-1, 4, 8, 8]],
    ["vit", { width: 12, depth: 2 }, 1 + 2 * 3, [-1, 5, 12]],
  ] as const)("%s takes random numbers at every place in training, and none else", (name, options, places, first) => {
    const task = name === "lenet" ? mnist : tiny;
    const net = model(name, task, { ...options, dropout: 0.3 });
    const drawn = (graph: ReturnType<typeof toGraph>): Value[] =>
      graph.inputs.filter((v) => v.node.name.startsWith("uniform."));
    expect(drawn(toGraph(net, { training: true })).length).toBe(places);
    expect(drawn(toGraph(net, { training: true }))[0]!.shape).toEqual(first);
    expect(drawn(toGraph(net))).toEqual([]);
    expect(drawn(toGraph(model(name, task, options), { training: true }))).toEqual([]);
  });

  it("lies between the two convolutions of a wide block", () => {
    const net = model("wide-resnet", tiny, { ...SMALL_WIDE, dropout: 0.3 });
    const weights = Object.fromEntries(
      Object.entries({ ...net.parameters, ...net.buffers }).map(([n, { shape }]) => [n, input(n, "float32", shape)]),
    );
    const order: string[] = [];
    net.apply(weights, input("x", "float32", [1, ...tiny.inputShape]), {
      training: false,
      tap: (part, v) => {
        if (part.startsWith("block1.layer.0.")) order.push(part.slice("block1.layer.0.".length));
        return v;
      },
    });
    expect(order).toEqual(["bn1", "conv1", "bn2", "dropout", "conv2"]);
  });
});
