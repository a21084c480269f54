import { createRng, lookup, type Tensor, toFloat64 } from "temper/core";
import { type Array64, graphNodes } from "temper/graph";
import { type AnyModel, createModel, model, type ModelDefinition, models, toGraph } from "temper/models";
import { countParameters, initialize } from "temper/nn";
import { bindParameters, evaluateGraph, importModel } from "temper/ops";
import { readModelFile } from "temper/onnx";
import { describe, expect, it } from "vitest";
import { hasShared, shared } from "../shared.ts";

const cifar = { inputShape: [3, 32, 32] as const, classes: 10 };
const mnist = { inputShape: [1, 28, 28] as const, classes: 10 };

const images = (n: number, shape: readonly number[], seed: number): Array64 => {
  const rng = createRng(seed),
    full = [n, ...shape];
  return {
    dtype: "float32",
    shape: full,
    data: Float64Array.from({ length: full.reduce((a, b) => a * b) }, () => rng.uniform()),
  };
};
const asArray = (t: Tensor): Array64 => ({ dtype: t.dtype, shape: t.shape, data: toFloat64(t) });
const run = (net: ModelDefinition, x: Array64, training = false, seed = 0): Record<string, Array64> => {
  const weights = initialize(net, createRng(seed));
  const feeds = Object.fromEntries(Object.entries(weights).map(([name, t]) => [name, asArray(t)]));
  return evaluateGraph(toGraph(net, { training }), { input: x, ...feeds });
};

describe("parameter counts are the published ones", () => {
  it.each([
    ["resnet-18", cifar, {}, 11_173_962],
    ["preact-resnet-18", cifar, {}, 11_172_170],
    ["preact-resnet-18", cifar, { finalNorm: false }, 11_171_146],
    ["wide-resnet-28-10", cifar, {}, 36_479_194],
    ["wide-resnet-34-10", cifar, {}, 46_160_474],
    ["wide-resnet-34-12", cifar, {}, 66_457_818],
    ["wide-resnet-34-r", cifar, {}, 68_116_698],
    ["wide-resnet", cifar, { depths: [1, 1, 1], widths: [24, 48, 72] }, 124_266],
    ["wide-resnet", cifar, { depths: [1, 1, 1], widths: [32, 64, 48] }, 124_666],
    ["vgg-16", cifar, {}, 14_728_266],
    ["vgg-11", cifar, {}, 9_231_114],
    ["densenet-121", cifar, {}, 6_956_298],
    ["mobilenet-v2", cifar, {}, 2_236_682],
    ["mobilenet-v2", { ...cifar, classes: 1000 }, {}, 3_504_872],
    ["unet", { ...cifar, classes: 2 }, {}, 31_037_698],
    ["vit", cifar, {}, 5_362_762],
    ["vit", { inputShape: [3, 224, 224], classes: 1000 }, { patch: 16 }, 5_717_416],
    ["lstm", mnist, {}, 82_186],
    ["co-net", mnist, {}, 31_410],
    ["small-cnn", mnist, {}, 166_406],
    ["lenet", mnist, {}, 61_706],
    ["lenet", mnist, { channels: [20, 50], padding: [0, 0], dense: [500] }, 431_080],
    ["lenet", mnist, { channels: [32, 64], padding: [2, 2], dense: [1024] }, 3_274_634],
    ["mlp", mnist, { sizes: [300, 100] }, 266_610],
  ] as const)("%s", (name, task, options, count) => {
    expect(countParameters(model(name, task, options))).toBe(count);
  });
});

describe("layers are as deep as the names say", () => {
  it.each([
    ["resnet-18", 17 + 3], // and the dense layer
    ["preact-resnet-18", 17 + 3],
    ["wide-resnet-28-10", 25 + 3],
    ["wide-resnet-16-1", 13 + 2], // stem and first stage have 16 channels: two shortcuts
    ["vgg-16", 13], // the last two of the sixteen are dense layers that this form lacks
    ["vgg-19", 16],
    ["densenet-121", 1 + 2 * 58 + 3],
    ["densenet-169", 1 + 2 * 82 + 3],
    ["mobilenet-v2", 1 + 3 * 17 - 1 + 1],
    ["unet", 2 * 9 + 1],
    ["vit", 1],
  ])("%s has %i convolutions", (name, count) => {
    const nodes = graphNodes(toGraph(model(name, cifar)));
    expect(nodes.filter(({ op }) => op.name === "Conv").length).toBe(count);
    const dense = { unet: 0, vit: 12 * 4 + 1 }[name] ?? 1;
    expect(nodes.filter(({ op }) => op.name === "Gemm").length).toBe(dense);
  });

  it("weights have the names that published checkpoints use", () => {
    const names = Object.keys(model("resnet-18", cifar).parameters);
    for (const name of [
      "conv1.weight",
      "bn1.bias",
      "layer1.1.conv2.weight",
      "layer4.0.shortcut.1.weight",
      "linear.bias",
    ])
      expect(names).toContain(name);
    const wide = Object.keys(model("wide-resnet-34-10", cifar).parameters);
    for (const name of ["conv1.weight", "block1.layer.0.convShortcut.weight", "block3.layer.4.bn2.weight", "fc.weight"])
      expect(wide).toContain(name);
    expect(names.some((name) => name.includes("layer1.0.shortcut"))).toBe(false);
    for (const [network, name] of [
      ["vgg-16", "features.40.weight"],
      ["densenet-121", "features.denseblock4.denselayer16.conv2.weight"],
      ["mobilenet-v2", "features.17.conv.2.weight"],
      ["unet", "up4.conv.double_conv.3.weight"],
      ["vit", "blocks.11.attn.qkv.bias"],
      ["lstm", "lstm.weight_hh_l0"],
    ] as const)
      expect(Object.keys(model(network, cifar).parameters)).toContain(name);
  });
});

describe("blocks are wired as published", () => {
  const addsOf = (name: string) => {
    const nodes = graphNodes(toGraph(model(name, cifar)));
    const producers = nodes
      .filter(({ op }) => op.name === "Add")
      .map(({ inputs }) => inputs.map((v) => v!.node.op.name).sort());
    const shortcuts = nodes
      .filter(({ op, attributes }) => op.name === "Conv" && String(attributes["kernel_shape"]) === "1,1")
      .map(({ inputs }) => inputs[0]!.node.op.name);
    return { producers: producers.map((p) => p.join("+")), shortcuts };
  };
  it("resnet-18 adds normalized branches to rectified inputs", () => {
    const { producers, shortcuts } = addsOf("resnet-18");
    const [same, other] = ["BatchNormalization+Relu", "BatchNormalization+BatchNormalization"];
    expect(producers).toEqual([same, same, other, same, other, same, other, same]);
    expect(shortcuts).toEqual(["Relu", "Relu", "Relu"]);
  });
  it("pre-activation networks add convolutions to sums, and shortcuts start at the first activation", () => {
    const preact = addsOf("preact-resnet-18");
    expect(preact.producers).toEqual(["Conv+Conv", "Add+Conv", ...[1, 2, 3].flatMap(() => ["Conv+Conv", "Add+Conv"])]);
    expect(preact.shortcuts).toEqual(["Relu", "Relu", "Relu"]);
    const wide = addsOf("wide-resnet-16-4");
    expect(wide.producers).toEqual([1, 2, 3].flatMap(() => ["Conv+Conv", "Add+Conv"]));
    expect(wide.shortcuts).toEqual(["Relu", "Relu", "Relu"]);
  });
});

/** Options of the networks that would take long at their usual size. */
const SMALL: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "wide-resnet": { depths: [1, 1, 1], widths: [4, 8, 8], stem: 4 },
  vgg: { depths: [1, 2], widths: [4, 8] },
  densenet: { depths: [2, 2], growth: 4 },
  "mobilenet-v2": { width: 0.1 },
  unet: { width: 4, levels: 2 },
  vit: { width: 12, depth: 2 },
  lstm: { units: 8 },
};

describe.each(Object.keys(models))("%s", (name) => {
  const task = { inputShape: [3, 16, 16] as const, classes: 7 };
  const small = SMALL[name] ?? {};
  const net = model(name, task, small);

  it("is listed under its own name", () => expect(lookup<AnyModel>(models, name, "model").name).toBe(name));

  it("gives finite logits of a sensible size, one row an image, whatever the batch", () => {
    const x = images(2, task.inputShape, 1);
    const logits = run(net, x)["logits"]!;
    expect(logits.shape).toEqual([2, 7]);
    expect(logits.data.every((v) => Number.isFinite(v) && Math.abs(v) < 50)).toBe(true);
    const alone = run(net, { ...x, shape: [1, ...task.inputShape], data: x.data.subarray(x.data.length / 2) })[
      "logits"
    ]!;
    alone.data.forEach((v, k) => expect(v).toBeCloseTo(logits.data[7 + k]!, 9));
    expect(new Set(logits.data).size).toBeGreaterThan(7);
  });

  it("has inputs for the image and every weight, and updates for every buffer in training", () => {
    const graph = toGraph(net, { training: true });
    expect(graph.inputs.map((v) => v.node.name)).toEqual([
      "input",
      ...Object.keys(net.parameters),
      ...Object.keys(net.buffers),
    ]);
    expect(Object.keys(graph.outputs).sort()).toEqual(
      ["logits", ...Object.keys(net.buffers).map((b) => `next.${b}`)].sort(),
    );
    for (const [key, { shape }] of Object.entries(net.buffers))
      expect(graph.outputs[`next.${key}`]!.shape).toEqual(shape);
    expect(Object.keys(toGraph(net).outputs)).toEqual(["logits"]);
  });

  it("takes standardization in", () => {
    const adapted = model(name, { ...task, mean: [0.1, 0.2, 0.3], std: [0.5] }, small);
    const x = images(1, task.inputShape, 2);
    const by = x.data.map((v, i) => (v - [0.1, 0.2, 0.3][Math.floor(i / 256)]!) / 0.5);
    const [a, b] = [run(adapted, x)["logits"]!, run(net, { ...x, data: by })["logits"]!];
    a.data.forEach((v, k) => expect(v).toBeCloseTo(b.data[k]!, 5));
  });
});

it("batch statistics in training make a deep network's logits independent of the weights' scale", () => {
  const net = model(
    "wide-resnet",
    { inputShape: [1, 8, 8], classes: 3 },
    { depths: [1, 1, 1], widths: [4, 4, 8], stem: 4 },
  );
  const x = images(4, [1, 8, 8], 3);
  const weights = initialize(net, createRng(1));
  const logits = (factor: number): Float64Array => {
    const feeds = Object.fromEntries(
      Object.entries(weights).map(([name, t]) => {
        const a = asArray(t);
        return [name, name === "block3.layer.0.conv1.weight" ? { ...a, data: a.data.map((v) => factor * v) } : a];
      }),
    );
    return evaluateGraph(toGraph(net, { training: true }), { input: x, ...feeds })["logits"]!.data;
  };
  const [a, b] = [logits(1), logits(100)];
  a.forEach((v, i) => expect(b[i]).toBeCloseTo(v, 2));
});

describe("names and options", () => {
  it("unknown ones are refused with the nearest", () => {
    expect(() => model("resnet18", cifar)).toThrow(/Did you mean resnet-18/);
    expect(() => model("wide-resnet-27-10", cifar)).toThrow(/6n \+ 4/);
    expect(() => model("wide-resnet-4-1", cifar)).toThrow(/6n \+ 4/);
    expect(() => model("resnet-18", cifar, { depth: 3 })).toThrow(/resnet-18 has no option depth/);
    expect(() => model("mlp", cifar, { sizes: [1.5] })).toThrow(/whole numbers/);
    expect(() => model("lenet", cifar, { channels: [1] })).toThrow(/two channels/);
    expect(() => model("wide-resnet", cifar, { depths: [1, 1] })).toThrow(/three whole numbers/);
    expect(() => model("vgg-17", cifar)).toThrow(/11, 13, 16, 19/);
    expect(() => model("vgg", cifar, { depths: [1, 1] })).toThrow(/as many whole numbers/);
    expect(() => model("densenet", cifar, { depths: [1.5] })).toThrow(/whole numbers/);
    expect(() => model("vit", cifar, { heads: 5 })).toThrow(/heads must divide the width 192, got 5/);
  });
  it("impossible tasks are refused", () => {
    expect(() => createModel(models.mlp, { inputShape: [1, 28, 0], classes: 10 })).toThrow(/inputShape/);
    expect(() => createModel(models.mlp, { ...mnist, classes: 1 })).toThrow(/classes/);
    expect(() => createModel(models.lenet, { inputShape: [1, 8, 8], classes: 10 })).toThrow(/at least 16 x 16/);
    expect(() => createModel(models.vgg, mnist)).toThrow(/at least 32 x 32/);
    expect(() => createModel(models.densenet, { inputShape: [1, 4, 4], classes: 10 })).toThrow(/at least 8 x 8/);
    expect(() => createModel(models.unet, mnist)).toThrow(/that 16 divides, got 28 x 28/);
    expect(() => createModel(models.vit, { inputShape: [1, 30, 32], classes: 10 })).toThrow(/do not tile/);
    expect(() => createModel(models.mlp, { ...cifar, mean: [0.5, 0.5] })).toThrow(/mean must be/);
  });
});

it.skipIf(!hasShared)("small-cnn with the weights of the published network gives its outputs", async () => {
  const { model: proto, external } = await readModelFile(shared("models/kw_mnist_eps0.1.onnx"));
  const imported = importModel(proto, { external });
  const net = model("small-cnn", mnist);
  const names = Object.keys(net.parameters);
  const theirs = Object.values(imported.parameters).filter((t) => t.dtype === "float32");
  const x = images(2, mnist.inputShape, 9);
  const feeds = names.map((name) => {
    const { shape } = net.parameters[name]!;
    const match = theirs.find((t) => t.shape.join() === shape.join());
    return [name, asArray(match!)] as const;
  });
  const ours = evaluateGraph(toGraph(net), { input: x, ...Object.fromEntries(feeds) })["logits"]!;
  const bound = bindParameters(imported);
  const reference = Object.values(evaluateGraph(bound, { [bound.inputs[0]!.node.name]: x }))[0]!;
  ours.data.forEach((v, i) => expect(v).toBeCloseTo(reference.data[i]!, 6));
});
