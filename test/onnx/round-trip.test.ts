import { readdirSync, readFileSync, statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { gunzipSync } from "node:zlib";
import {
  concatChunks,
  decodeModel,
  decodeTensor,
  encodeModel,
  encodeTensor,
  mapTensors,
  type ModelProto,
  modelTensors,
  readModelFile,
  tensorFromProto,
  tensorToProto,
  validateModel,
} from "temper/onnx";
import { describe, expect, it } from "vitest";
import { sampleModels } from "../../scripts/mutate/sample-models.mjs";
import { hasShared, shared } from "../shared.ts";
import { runModel } from "./ort.ts";

const write = (model: ModelProto): Uint8Array => concatChunks(encodeModel(model));

/** The same model with every tensor taken apart and made anew, so that all values stand in rawData. */
const remade = (model: ModelProto): ModelProto =>
  mapTensors(model, (tensor) =>
    tensor.dataType === 8 ? tensor : tensorToProto(tensor.name ?? "", tensorFromProto(tensor)),
  );

/** Every file of a kind below a folder of the shared data. */
const filesBelow = (folder: string, name: RegExp): string[] =>
  readdirSync(folder).flatMap((entry) => {
    const path = `${folder}/${entry}`;
    return statSync(path).isDirectory() ? filesBelow(path, name) : name.test(entry) ? [path] : [];
  });

/** Empty lists are written as nothing, as the format has it. */
const withoutEmpty = (value: unknown): unknown => {
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(withoutEmpty);
  const kept = Object.entries(value).filter(([, inner]) => !Array.isArray(inner) || inner.length > 0);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutEmpty(inner)]));
};

describe.each(Object.entries(sampleModels()))("sample model %s", (_, { model }) => {
  it("comes back equal", () => {
    const bytes = write(model);
    const again = decodeModel(bytes);
    expect(again).toEqual(withoutEmpty(model));
    expect(write(again)).toEqual(bytes);
    validateModel(again);
  });

  it("computes in ONNX Runtime, and the same bits with every tensor made anew", async () => {
    const expected = await runModel(write(model));
    expect(Object.values(expected)[0]).toMatch(/^\S+ \S+$/);
    const other = write(remade(decodeModel(write(model))));
    expect(await runModel(other)).toEqual(expected);
  });
});

it("sample models: results by hand", async () => {
  const { functions, sparse } = sampleModels();
  const read = async (model: ModelProto): Promise<number[]> => {
    const [, base64] = (await runModel(write(model), 5))["y"]!.split(" ");
    return [...new Float32Array(new Uint8Array(Buffer.from(base64!, "base64")).buffer)];
  };
  const x = async (size: number): Promise<number[]> =>
    read({
      irVersion: 8,
      opsetImport: [{ version: 17 }],
      graph: {
        name: "same",
        node: [{ opType: "Identity", input: ["x"], output: ["y"] }],
        input: [{ name: "x", type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: size }] } } } }],
        output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
      },
    });
  const three = await x(3);
  expect(await read(functions.model)).toEqual(three.map((v) => Math.fround(Math.fround(v * 7) * -0.5)));
  const last = (await x(12)).slice(8); // the sparse matrix has 1 at (0, 0), -2 at (1, 2), 3 at (3, 4)
  const y = [last[0]!, 0, -2 * last[1]!, 0, Math.min(1.5, 3 * last[3]!)];
  expect(await read(sparse.model)).toEqual(y.map((v) => expect.closeTo(v, 6) as unknown));
});

describe("encodeModel", () => {
  it("passes big tensors on without copying them, and decodeModel does not copy either", () => {
    const data = new Float32Array(5000).fill(1.5);
    const tensor = tensorToProto("w", { dtype: "float32", shape: [5000], data });
    const chunks = encodeModel({ irVersion: 8, graph: { initializer: [tensor] } });
    expect(chunks.some((chunk) => chunk.buffer === data.buffer && chunk.byteOffset === 0)).toBe(true);
    const bytes = concatChunks(chunks);
    expect(decodeModel(bytes).graph!.initializer![0]!.rawData!.buffer).toBe(bytes.buffer);
  });

  it("keeps fields that it does not know", () => {
    const extra = Uint8Array.of(0xf2, 0x3f, 2, 7, 8); // field 1022, two bytes
    const bytes = concatChunks([write({ irVersion: 8 }), extra]);
    const model = decodeModel(bytes);
    expect(model.unknown).toEqual([extra]);
    expect(write(model)).toEqual(bytes);
  });

  it("keeps 64-bit integers", () => {
    const ints = [0, 1, -1, 2 ** 53 - 1, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), -(2 ** 53) + 1, -(2n ** 53n) - 1n];
    const model = { graph: { node: [{ attribute: [{ ints }] }] }, modelVersion: -(2n ** 62n) };
    expect(decodeModel(write(model))).toEqual(model);
    // a bigint that is exact as a number comes back as one
    expect(decodeModel(write({ modelVersion: 5n }))).toEqual({ modelVersion: 5 });
  });

  it.each([
    [{ irVersion: 2 ** 53 }, "ModelProto.irVersion cannot hold 9007199254740992"],
    [{ graph: { node: [{ attribute: [{ i: 0.5 }] }] } }, "AttributeProto.i cannot hold 0.5"],
    [{ modelVersion: 2n ** 63n }, "ModelProto.modelVersion cannot hold 9223372036854775808"],
    [{ graph: { initializer: [{ dataType: 2 ** 31 }] } }, "TensorProto.dataType cannot hold 2147483648"],
  ] satisfies [ModelProto, string][])("refuses numbers that a field cannot hold, case %#", (model, message) => {
    expect(() => encodeModel(model)).toThrow(expect.objectContaining({ code: "bad-data", message: `${message}.` }));
  });

  it("refuses 2 GiB before writing a byte", () => {
    // 32 views of the same 64 MiB: nothing of that size is allocated
    const rawData = new Uint8Array(2 ** 26);
    const initializer = Array.from({ length: 32 }, () => ({ rawData }));
    expect(() => encodeModel({ graph: { initializer } })).toThrow(expect.objectContaining({ code: "unsupported" }));
  });
});

describe.runIf(hasShared)("shared files", () => {
  const plain = (path: string): Uint8Array =>
    path.endsWith(".gz") ? gunzipSync(readFileSync(path)) : readFileSync(path);

  it("every model comes back byte for byte, and is valid", async () => {
    const paths = ["models", "onnx-light", "onnx-pytorch", "vnncomp"].flatMap((folder) =>
      filesBelow(shared(folder), /\.onnx(\.gz)?$/),
    );
    paths.push(...filesBelow(shared("onnx-node"), /\.onnx$/).filter((_, i) => i % 5 === 0));
    expect(paths.length).toBeGreaterThan(200);
    for (const path of paths) {
      const { model } = await readModelFile(path);
      validateModel(model);
      const bytes = write(model);
      expect(Buffer.compare(bytes, plain(path)), path).toBe(0);
      expect(isDeepStrictEqual(decodeModel(bytes), model), path).toBe(true); // toEqual takes minutes on big arrays
      for (const { tensor, place } of modelTensors(model))
        if (tensor.dataType !== 8) tensorFromProto(tensor, { place });
    }
  });

  it("every fifth tensor file comes back byte for byte, and has values", () => {
    const paths = filesBelow(shared("onnx-node"), /\.pb$/).filter((_, i) => i % 5 === 0);
    expect(paths.length).toBeGreaterThan(300);
    for (const path of paths) {
      const bytes = readFileSync(path);
      const tensor = decodeTensor(bytes);
      expect(Buffer.compare(concatChunks(encodeTensor(tensor)), bytes), path).toBe(0);
      expect(tensorFromProto(tensor).shape, path).toEqual(tensor.dims ?? []);
    }
  });

  it.each([
    "models/cifar10_resnet20.onnx",
    "models/kw_mnist_eps0.1.onnx",
    "models/mnist_cntk_opt.onnx",
    "models/jfb_mnist/head.onnx",
    "onnx-light/light_squeezenet.onnx",
    "vnncomp/vit/pgd_2_3_16.onnx",
    "vnncomp/cgan/cGAN_imgSz32_nCh_1.onnx",
    "vnncomp/tllverifybench/tllBench_n=2_N=M=16_m=1_instance_1_0.onnx.gz",
  ])("%s computes the same bits when written again", async (name) => {
    const original = plain(shared(name));
    const { model } = await readModelFile(shared(name));
    const expected = await runModel(original);
    expect(await runModel(write({ ...model, producerName: "temper" }))).toEqual(expected);
    expect(await runModel(write(remade(model)))).toEqual(expected);
  });
});
