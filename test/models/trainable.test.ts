import { createRng, f32, i64, isTemperError, scalar, type Tensor } from "temper/core";
import { decodeClassifier, decodeTrainable, toGraph } from "temper/models";
import { countParameters, initialize } from "temper/nn";
import { tensorToProto } from "temper/onnx";
import { evaluateGraph } from "temper/ops";
import { describe, expect, it } from "vitest";
import { difference, infoOf, modelOf, nodeOf, randomTensor, runModel } from "../ops/model-file.ts";
import { asTensor, bytesOf, everything, gradientError, images, read, small, start } from "./trainable.ts";

describe("which tensors are weights", () => {
  it("those that layers multiply and add, by their parts", async () => {
    const { definition, notes } = await read(everything());
    expect(Object.fromEntries(Object.entries(definition.parameters).map(([name, { role }]) => [name, role]))).toEqual({
      "conv.w": "weight",
      "conv.b": "bias",
      "bn.s": "scale",
      "bn.b": "bias",
      "dense.w": "weight",
      "dense.b": "bias",
      gamma: "scale",
    });
    expect(Object.keys(definition.buffers)).toEqual(["bn.m", "bn.v"]);
    expect(definition.inputShape).toEqual([2, 6, 6]);
    expect(definition.classes).toBe(5);
    expect(notes).toEqual([
      "Not trained: mean, std (arithmetic on pixels before the first layer).",
      "Not trained: one (constants of arithmetic).",
    ]);
    expect(countParameters(definition)).toBe(3 * 2 * 9 + 3 + 6 + 48 * 5 + 5 + 5);
    const values = initialize(definition, createRng(5));
    expect(values["conv.w"]).toEqual(initialize(definition, createRng(6))["conv.w"]);
    expect(values["bn.m"]!.data).toEqual(randomTensor("float32", [3], 6).data);
  });

  it("through copies and arithmetic among tensors; shared ones once", async () => {
    const { definition } = await read(
      small(
        [
          nodeOf("Transpose", "k", "kt", { perm: { ints: [1, 0] } }),
          nodeOf("Identity", "kt", "same"),
          nodeOf("Flatten", "x", "g"),
          nodeOf("MatMul", "g same", "p"),
          nodeOf("MatMul", "p k", "h"),
        ],
        { k: randomTensor("float32", [4, 8], 1) },
      ),
    );
    expect(Object.keys(definition.parameters)).toEqual(["k", "w", "b"]);
    expect(definition.parameters["k"]!.role).toBe("weight");
    for (const error of Object.values(gradientError(definition, 2, 3))) expect(error).toBeLessThan(1e-6);
  });

  it("not those that gradients do not reach, and says which", async () => {
    const { definition, notes } = await read(
      small(
        [
          nodeOf("Conv", "x k", "c", { kernel_shape: { ints: [1, 1] } }),
          nodeOf("Sign", "c", "t"),
          nodeOf("Add", "t x", "h"),
        ],
        { k: randomTensor("float32", [2, 2, 1, 1], 1) },
      ),
    );
    expect(Object.keys(definition.parameters)).toEqual(["w", "b"]);
    expect(notes).toEqual(["Not trained: k (no gradient reaches them)."]);
  });

  it("not those before an operator without a gradient rule", async () => {
    const file = small(
      [
        nodeOf("Conv", "x k", "c", { kernel_shape: { ints: [1, 1] } }),
        nodeOf("Strange", "c", "t", {}, { domain: "mine", name: "odd" }),
        nodeOf("Add", "t c", "h"),
      ],
      { k: randomTensor("float32", [2, 2, 1, 1], 1) },
    );
    const { definition, notes } = await read({
      ...file,
      opsetImport: [...file.opsetImport!, { domain: "mine", version: 1 }],
      graph: { ...file.graph, valueInfo: [infoOf("t", "float32", ["N", 2, 2, 2])] },
    });
    expect(Object.keys(definition.parameters)).toEqual(["w", "b"]);
    expect(notes.join()).toMatch(/Not trained: k \(gradients do not pass Strange "odd"\)/);
  });

  it("not what an exporter fills in where a network has no scale and bias", async () => {
    const held = (name: string, data: number[]) =>
      nodeOf("Constant", "", name, { value: { t: f32(data) } }, { name: `${name}_node` });
    const file = (factor: number) =>
      small([held("s", [1, factor]), held("o", [0, 0]), nodeOf("InstanceNormalization", "x s o", "h")], {});
    const { definition, notes } = await read(file(1));
    expect(Object.keys(definition.parameters)).toEqual(["w", "b"]);
    expect(notes).toEqual(["Not trained: s, o (constants that do nothing)."]);
    expect(Object.keys((await read(file(2))).definition.parameters).sort()).toEqual(["b", "s", "w"]);
  });

  it("not numbers of Constant nodes that say shapes, and not sparse tensors", async () => {
    const held = (name: string, t: Tensor) => nodeOf("Constant", "", name, { value: { t } });
    const nodes = [
      nodeOf("Shape", "x", "s"),
      nodeOf("Cast", "s", "sf", { to: { i: 1 } }),
      held("ones", f32([1, 1, 1, 1])),
      nodeOf("Mul", "sf ones", "tf"),
      nodeOf("Cast", "tf", "t", { to: { i: 7 } }),
      nodeOf("Reshape", "x t", "r"),
      held("k", randomTensor("float32", [2, 2, 1, 1], 1)),
      nodeOf("Conv", "r k", "c"),
      nodeOf("Mul", "c sparse", "h"),
    ];
    const file = small(nodes, {});
    const sparse = {
      dims: [2, 1, 1],
      values: tensorToProto("sparse", f32([3, 4])),
      indices: tensorToProto("", i64([0, 1])),
    };
    const { definition, notes } = await read({ ...file, graph: { ...file.graph, sparseInitializer: [sparse] } });
    expect(Object.keys(definition.parameters)).toEqual(["w", "b"]);
    expect(notes[0]).toMatch(/^Not trained: numbers in Constant nodes. Reshape/);
    expect(notes[1]).toBe("Not trained: sparse (stored sparse).");
  });

  it("says where the exporter has folded batch normalization", async () => {
    const file = (name: string) =>
      small([nodeOf("Conv", `x ${name}`, "h", { kernel_shape: { ints: [1, 1] } })], {
        [name]: randomTensor("float32", [2, 2, 1, 1], 1),
      });
    expect((await read(file("onnx::Conv_12"))).notes.join()).toMatch(/folded into 1 convolutions/);
    expect((await read(file("conv1.weight"))).notes).toEqual([]);
  });
});

it("every weight has the gradient of central differences, batch norm and dropout included", async () => {
  const { definition } = await read(everything());
  const errors = gradientError(definition, 4, 2);
  expect(Object.keys(errors).length).toBe(7);
  for (const [name, error] of Object.entries(errors)) expect(error, name).toBeLessThan(1e-6);
});

describe("images and scores", () => {
  it("NHWC files, other normalization and flat inputs are adapted as for attacks", async () => {
    const gemm = [nodeOf("Transpose", "x", "t", { perm: { ints: [0, 3, 1, 2] } }), nodeOf("Identity", "t", "h")];
    const file = bytesOf(small(gemm, {}, { shape: ["N", 2, 2, 2] }));
    const nhwc = bytesOf(small([nodeOf("Identity", "x", "h")], {}, { shape: ["N", 1, 4, 2] }));
    for (const [bytes, image, adapter] of [
      [file, [2, 2, 2], { layout: "NHWC", mean: [0.5], std: [2, 3] }],
      [nhwc, [2, 1, 4], {}],
      [nhwc, [8, 1, 1], { mean: [0.25] }],
    ] as const) {
      const { definition, notes } = await decodeTrainable(bytes, image, adapter);
      const classifier = await decodeClassifier(bytes, image, adapter);
      expect(notes).toEqual(classifier.notes);
      const x = images(3, image, 7);
      const ours = evaluateGraph(toGraph(definition), { input: x, ...start(definition) })["logits"]!;
      const theirs = Object.values(evaluateGraph(classifier.graph, { x }))[0]!;
      expect(ours).toEqual(theirs);
      expect(definition.inputShape).toEqual(image);
    }
    const { definition } = await decodeTrainable(nhwc, [2, 1, 4]);
    const x = images(1, [2, 1, 4], 7);
    const ours = evaluateGraph(toGraph(definition), { input: x, ...start(definition) })["logits"]!;
    const last = x.data.map((_, i) => x.data[(i % 2) * 4 + Math.floor(i / 2)]!);
    const theirs = await runModel(nhwc, { x: asTensor({ ...x, shape: [1, 1, 4, 2], data: last }) });
    expect(difference(theirs, { y: ours })).toBeLessThan(1e-6);
  });

  it("files of batch one take any batch, and keep it", async () => {
    const file = small([nodeOf("Identity", "x", "h")], {}, { shape: [1, 2, 2, 2] });
    const { definition, withWeights } = await read(file);
    const x = images(3, [2, 2, 2], 7);
    const logits = evaluateGraph(toGraph(definition), { input: x, ...start(definition) })["logits"]!;
    expect(logits.shape).toEqual([3, 3]);
    expect(withWeights({}).graph!.input).toEqual(file.graph!.input);
    await expect(read(small([nodeOf("Identity", "x", "h")], {}, { shape: [4, 2, 2, 2] }))).rejects.toThrow(
      /takes \[4, 2, 2, 2\], and training needs any number of examples/,
    );
  });

  it("a final Softmax is left to the loss", async () => {
    const file = small([nodeOf("Identity", "x", "h")], {});
    const graph = {
      ...file.graph!,
      node: [...file.graph!.node!, nodeOf("Softmax", "y", "p")],
      output: [infoOf("p", "float32", ["N", 3])],
    };
    const { definition, notes } = await read({ ...file, graph });
    expect(notes).toEqual(["The scores are what goes into the file's final Softmax."]);
    const plain = await read(file);
    const feeds = { input: images(2, [2, 2, 2], 7), ...start(definition) };
    expect(evaluateGraph(toGraph(definition), feeds)).toEqual(evaluateGraph(toGraph(plain.definition), feeds));
  });
});

describe("refusals name the culprit and the remedy", () => {
  const int8: Tensor = { dtype: "int8", shape: [2, 2, 1, 1], data: Int8Array.of(1, 2, 3, 4) };
  it.each([
    [
      "QuantizeLinear",
      small([nodeOf("QuantizeLinear", "x q", "i", {}, { name: "quant" }), nodeOf("DequantizeLinear", "i q", "h")], {
        q: scalar(0.1),
      }),
      /QuantizeLinear "quant" computes with quantized numbers.*float32 network/,
    ],
    [
      "int8 weights",
      small([nodeOf("Cast", "k", "kf", { to: { i: 1 } }), nodeOf("Conv", "x kf", "h")], { k: int8 }),
      /tensor "k" holds int8 numbers.*float32 network/,
    ],
    ["ConvInteger", small([nodeOf("ConvInteger", "x k", "h", {}, { name: "c" })], { k: int8 }), /ConvInteger "c"/],
    [
      "com.microsoft",
      small([nodeOf("MatMulNBits", "x k", "h", {}, { name: "c", domain: "com.microsoft" })], { k: int8 }),
      /MatMulNBits "c"/,
    ],
  ] as const)("%s", async (_, file, message) => {
    const refused = read(file);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toSatisfy(isTemperError);
    await expect(refused).rejects.toThrow(/^model: /);
  });

  it("files without weights, other element types and inputs that are no images", async () => {
    const none = modelOf({
      opset: 13,
      inputs: [infoOf("x", "float32", ["N", 3])],
      outputs: [infoOf("y", "float32", ["N", 3])],
      nodes: [nodeOf("Relu", "x", "y")],
    });
    await expect(read(none)).rejects.toThrow(/takes \[N, 3\], no images/);
    await expect(read(none, [3, 1, 1])).rejects.toThrow(/no weights that gradients reach/);
    const wide = small([nodeOf("Cast", "k", "kf", { to: { i: 1 } }), nodeOf("Conv", "x kf", "h")], {
      k: { dtype: "float64", shape: [2, 2, 1, 1], data: Float64Array.of(1, 2, 3, 4) },
    });
    await expect(read(wide)).rejects.toThrow(/weight "k" is float64; only float32/);
  });
});
