import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng, f32, type Tensor } from "temper/core";
import { decodeTrainable, loadClassifier, loadTrainable, toGraph, type Trainable } from "temper/models";
import { initialize } from "temper/nn";
import { decodeModel, type ModelProto, readModelFile, tensorFromProto, writeModelFile } from "temper/onnx";
import { evaluateGraph } from "temper/ops";
import { compile } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { difference, randomTensor, runModel } from "../ops/model-file.ts";
import { hasShared, shared } from "../shared.ts";
import { asArray, asTensor, bytesOf, everything, gradientError, images, read } from "./trainable.ts";

/** A file without the values of its tensors: all else must survive. */
const withoutValues = (model: ModelProto): unknown =>
  JSON.parse(
    JSON.stringify(decodeModel(bytesOf(model)), (key, value: unknown) =>
      ["rawData", "floatData"].includes(key) ? "values" : typeof value === "bigint" ? String(value) : value,
    ),
  );

/** Values that differ from the starting ones a little, statistics included. */
const moved = (net: Trainable): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(initialize(net.definition, createRng(0))).map(([name, t]) => [
      name,
      { ...t, data: t.data.map((v, i) => 0.9 * v + 0.01 * (i % 7)) },
    ]),
  );

/** Names of initializers with other values. */
const changedIn = (before: ModelProto, after: ModelProto): string[] =>
  before
    .graph!.initializer!.flatMap((t, i) => {
      const [a, b] = [t, after.graph!.initializer![i]!].map((v) => Buffer.from(v.rawData ?? v.floatData ?? []));
      return a!.equals(b!) ? [] : [t.name!];
    })
    .sort();
const softmaxAtEnd = ({ graph }: ModelProto): boolean => graph!.node!.at(-1)!.opType === "Softmax";
const softmaxOf = ({ shape, data }: Tensor): Tensor => {
  const classes = shape[1]!;
  const exps = Float32Array.from(data as Float32Array, (v, i) => {
    const row = (data as Float32Array).subarray(i - (i % classes), i - (i % classes) + classes);
    return 1 / row.reduce((s, w) => s + Math.exp(w - v), 0);
  });
  return { dtype: "float32", shape, data: exps };
};
const resultOf = ({ data }: Tensor, shape: readonly number[]) => ({
  shape,
  data: Float64Array.from(data as Float32Array),
});

describe("the file with other values", () => {
  const ours = (net: Trainable, values: Record<string, Tensor>, x: Parameters<typeof asTensor>[0]) =>
    evaluateGraph(toGraph(net.definition), {
      input: x,
      ...Object.fromEntries(Object.entries(values).map(([name, t]) => [name, asArray(t)])),
    })["logits"]!;

  it("differs in them alone, wherever they are stored, and gives our scores in ONNX Runtime", async () => {
    const base = everything();
    const file: ModelProto = {
      ...base,
      metadataProps: [{ key: "author", value: "somebody" }],
      graph: {
        ...base.graph,
        docString: "as it was",
        initializer: base.graph!.initializer!.map(({ rawData, ...t }) =>
          t.name === "conv.w" ? { ...t, floatData: rawData! } : { ...t, rawData: rawData! },
        ),
      },
    };
    const net = await read(file);
    const values = moved(net),
      written = net.withWeights(values);
    expect(withoutValues(written)).toEqual(withoutValues(file));
    expect(net.metadata).toEqual({ author: "somebody" });
    const stored = Object.fromEntries(written.graph!.initializer!.map((t) => [t.name!, tensorFromProto(t)]));
    expect(stored["conv.w"]).toEqual(values["conv.w"]);
    expect(stored["bn.v"]).toEqual(values["bn.v"]);
    expect(stored["mean"]).toEqual(tensorFromProto(file.graph!.initializer!.find((t) => t.name === "mean")!));
    const held = written.graph!.node!.find(({ opType }) => opType === "Constant")!;
    expect(tensorFromProto(held.attribute![0]!.t!).data).toEqual(values["dense.w"]!.data);
    const x = images(3, [2, 6, 6], 3);
    const [before, after] = [
      await runModel(file, { image: asTensor(x) }),
      await runModel(written, { image: asTensor(x) }),
    ];
    expect(difference({ scores: ours(net, values, x) }, after)).toBeLessThan(1e-5);
    expect(difference(before, after)).toBeGreaterThan(1e-3);
    expect(withoutValues(net.withWeights({}))).toEqual(withoutValues(file));
    expect(bytesOf(net.withWeights({}))).toEqual(bytesOf(file));
  });

  it("holds what lay in other files, and can put it there again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "temper-trainable-"));
    try {
      const path = join(folder, "net.onnx");
      await writeModelFile(path, everything(), { externalAbove: 100 });
      const net = await loadTrainable(path);
      const values = moved(net),
        written = net.withWeights(values);
      expect(written.graph!.initializer!.every((t) => t.dataLocation !== 1)).toBe(true);
      await writeModelFile(join(folder, "tuned.onnx"), written, { externalAbove: 100 });
      const { model, external } = await readModelFile(join(folder, "tuned.onnx"));
      const kernel = model.graph!.initializer!.find((t) => t.name === "conv.w")!;
      expect(kernel.dataLocation).toBe(1);
      expect(tensorFromProto(kernel, { external }).data).toEqual(values["conv.w"]!.data);
      await expect(decodeTrainable(bytesOf((await readModelFile(path)).model))).rejects.toThrow(
        /is in the file "net.onnx.data"/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("refuses names and shapes that it does not have", async () => {
    const net = await read(everything());
    expect(() => net.withWeights({ "conv.x": f32([1]) })).toThrow(/no weight "conv.x"/);
    expect(() => net.withWeights({ mean: randomTensor("float32", [1, 2, 1, 1], 1) })).toThrow(/no weight "mean"/);
    expect(() => net.withWeights({ "conv.b": f32([1]) })).toThrow(/"conv.b" is float32 \[3\], got float32 \[1\]/);
  });
});

describe.skipIf(!hasShared)("real files", () => {
  it.each([
    ["models/cifar10_resnet20.onnx", 1, 40],
    ["models/kw_mnist_eps0.1.onnx", 2, 8],
    ["models/mnist_cntk_opt.onnx", 2, 6],
    ["models/sdp_cifar_cnn_a_adv.onnx", 1, 8],
    ["vnncomp/vit/pgd_2_3_16.onnx", 2, 40],
  ] as const)("%s: every weight has the gradient of central differences", async (path, n, count) => {
    const { definition } = await loadTrainable(shared(path));
    const errors = gradientError(definition, n, 1);
    expect(Object.keys(errors).length).toBe(count);
    for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(1e-4);
  });

  it.each([
    "models/cifar10_resnet20.onnx",
    "models/mnist_lenet5_clntrained.onnx",
    "models/mnist_cntk_opt.onnx",
    "models/kw_mnist_eps0.1.onnx",
    "onnx-light/light_resnet50.onnx",
    "onnx-light/light_squeezenet.onnx",
    "vnncomp/vit/pgd_2_3_16.onnx",
  ])("%s with other weights: same file but for them, same scores as our own graph", async (path) => {
    const folder = await mkdtemp(join(tmpdir(), "temper-trainable-"));
    try {
      const { model: file } = await readModelFile(shared(path));
      const net = await loadTrainable(shared(path)),
        { inputShape } = net.definition;
      const values = moved(net),
        written = net.withWeights(values);
      expect(withoutValues(written)).toEqual(withoutValues(file));
      await writeModelFile(join(folder, "tuned.onnx"), written);
      const classifier = await loadClassifier(join(folder, "tuned.onnx"), inputShape);
      const x = asTensor(images(2, inputShape, 5));
      using loaded = await compile(classifier.graph);
      using own = await compile(toGraph(net.definition));
      const scores = Object.values(await loaded.run({ [classifier.graph.inputs[0]!.node.name]: x }))[0]!;
      const logits = (await own.run({ input: x, ...values }))["logits"]!;
      const compared = softmaxAtEnd(file) ? softmaxOf(logits) : logits;
      expect(
        difference({ scores: resultOf(scores, compared.shape) }, { scores: resultOf(compared, compared.shape) }),
      ).toBeLessThan(1e-4);
      const one = { ...x, shape: [1, ...inputShape], data: x.data.slice(0, x.data.length / 2) };
      const name = classifier.graph.inputs[0]!.node.name,
        classes = compared.shape[1]!;
      const [before, stock] = [await runModel(file, { [name]: one }), await runModel(written, { [name]: one })];
      const first = resultOf(compared, [1, classes]).data.subarray(0, classes),
        stocked = Object.values(stock)[0]!;
      expect(difference({ scores: stocked }, { scores: { ...stocked, data: first } })).toBeLessThan(1e-4);
      const known = Object.keys({ ...net.definition.parameters, ...net.definition.buffers }).sort();
      expect(changedIn(file, written)).toEqual(known);
      // all weights of the light files are alike, and so are their scores, whatever these few say
      if (!path.startsWith("onnx-light")) expect(difference(before, stock)).toBeGreaterThan(1e-6);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
