// What gets damaged and how it is read. One corpus a file format: seeds; `damage(seed, number, index)`, case `index` of
// a run; and `read`, which must return or throw a TemperError. A new format adds an entry here.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { gzipSync } from "node:zlib";
import { createRng, f32, isTemperError } from "temper/core";
import * as onnx from "temper/onnx";
import { importModel } from "temper/ops";
import { dataCorpora } from "./data-corpora.mjs";
import { edited } from "./edits.mjs";
import { mutation, protobufTargets } from "./mutations.mjs";
import { sampleModels } from "./sample-models.mjs";

const shared = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const list = (folder) => {
  try {
    return readdirSync(shared + folder).map((name) => `${shared}${folder}/${name}`);
  } catch {
    return []; // the developers' files are not beside every checkout
  }
};
const seed = (name, bytes, targets) => ({
  name,
  bytes: new Uint8Array(bytes),
  targets: targets ?? protobufTargets(bytes),
});
const samples = () =>
  Object.entries(sampleModels()).map(([name, { model }]) => seed(name, onnx.concatChunks(onnx.encodeModel(model))));

const damageBytes = (subject, number, index) => mutation(subject.bytes, number, index, subject.targets);

/** Half of the cases damage the bytes, half the content: `decode` and `encode` lead from one to the other. */
const damaging = (decode, encode) => (subject, number, index) => {
  if (createRng(number).split(index).split("way").uniform() < 0.5) return damageBytes(subject, number, index);
  try {
    const bytes = onnx.concatChunks(encode(edited(decode(subject.bytes), number, index)));
    return { index, kind: "edit", bytes: new Uint8Array(bytes) };
  } catch (error) {
    if (!isTemperError(error)) throw error; // a number that no field can hold: nothing to read
    return damageBytes(subject, number, index);
  }
};
const damageModel = damaging(onnx.decodeModel, onnx.encodeModel);

/** Values of every tensor; types that Temper only keeps are no failure. */
const readTensors = (model, external) => {
  for (const { tensor, place } of onnx.modelTensors(model)) {
    try {
      onnx.tensorFromProto(tensor, { external, place });
    } catch (error) {
      if (!isTemperError(error) || error.code !== "unsupported") throw error;
    }
  }
  for (const sparse of model.graph.sparseInitializer ?? []) onnx.denseFromSparse(sparse, { external });
};

/** An accepted model must say the same after it is written and read again. */
const readModel = (bytes) => {
  const model = onnx.decodeModel(bytes);
  const again = onnx.decodeModel(onnx.concatChunks(onnx.encodeModel(model)));
  if (!isDeepStrictEqual(again, model)) throw new Error("written and read again, the model is another one");
  onnx.validateModel(model);
  readTensors(model);
  importModel(model);
};

const models = () => {
  const files = [
    ...list("onnx-light"),
    ...list("vnncomp/acasxu"),
    ...list("vnncomp/ml4acopf"),
    ...list("models/jfb_mnist"),
  ];
  const real = files
    .filter((path) => path.endsWith(".onnx"))
    .map((path) => seed(path.split("/").at(-1), readFileSync(path)));
  return { name: "onnx model", seeds: [...samples(), ...real], damage: damageModel, read: readModel };
};

const tensors = () => {
  const folders = list("onnx-node").filter((path) =>
    /test_(add|and|cast_|clip|gather|less|shape|where|bitshift)/.test(path),
  );
  const files = folders.flatMap((path) =>
    ["input_0.pb", "output_0.pb"].map((name) => `${path}/test_data_set_0/${name}`),
  );
  const real = files.flatMap((path) => {
    try {
      return [seed(path.slice(shared.length), readFileSync(path))];
    } catch {
      return []; // some cases have no input
    }
  });
  const { graph } = sampleModels().typedFields.model;
  const own = graph.initializer.map((t) => seed(`typedFields ${t.name}`, onnx.concatChunks(onnx.encodeTensor(t))));
  const damage = damaging(onnx.decodeTensor, onnx.encodeTensor);
  const read = (bytes) => onnx.tensorFromProto(onnx.decodeTensor(bytes));
  return { name: "onnx tensor", seeds: [...own, ...real], damage, read };
};

/** A model with an external data file on disk: the model, the data, or a gzipped model is damaged. */
const files = async () => {
  const folder = mkdtempSync(join(tmpdir(), "temper-mutate-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "inner"));
  const path = join(folder, "inner", "model.onnx");
  const { model } = sampleModels().convolution;
  const extra = onnx.tensorToProto("extra", f32(Array.from({ length: 600 }, (_, i) => i)));
  const graph = { ...model.graph, initializer: [...model.graph.initializer, extra] };
  await onnx.writeModelFile(path, { ...model, graph }, { externalAbove: 100 });
  const [modelBytes, dataBytes] = [readFileSync(path), readFileSync(`${path}.data`)];
  const readAll = async (name, bytes) => {
    writeFileSync(join(folder, "inner", name), bytes);
    const { model, external } = await onnx.readModelFile(path);
    onnx.validateModel(model);
    readTensors(model, external);
  };
  const reset = () => {
    writeFileSync(path, modelBytes);
    writeFileSync(`${path}.data`, dataBytes);
  };
  const corpus = (name, file, bytes, targets, damage = damageBytes) => ({
    name,
    seeds: [seed(file, bytes, targets)],
    damage,
    read: (damaged) => {
      reset();
      return readAll(file, damaged);
    },
  });
  const packed = gzipSync(onnx.concatChunks(onnx.encodeModel(model)));
  return [
    corpus("model with external data", "model.onnx", modelBytes, undefined, damageModel),
    corpus("external data file", "model.onnx.data", dataBytes, []),
    corpus("gzipped model", "model.onnx", packed, []),
  ];
};

/** All corpora, made anew: `{ name, seeds: { name, bytes, targets }[], damage, read }`. */
export const corpora = async () => [models(), tensors(), ...(await files()), ...dataCorpora()];
