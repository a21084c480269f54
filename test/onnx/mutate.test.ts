import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { isTemperError } from "temper/core";
import {
  concatChunks,
  decodeModel,
  denseFromSparse,
  encodeModel,
  type ExternalData,
  type ModelProto,
  modelTensors,
  readModelFile,
  tensorFromProto,
  validateModel,
  writeModelFile,
} from "temper/onnx";
import { expect, it } from "vitest";
import { edited } from "../../scripts/mutate/edits.mjs";
import { sampleModels } from "../../scripts/mutate/sample-models.mjs";
import { type Mutation, mutation, mutations, protobufTargets } from "../mutate.ts";

const samples = Object.values(sampleModels()).map(({ model }) => model);
const write = (model: ModelProto): Uint8Array => concatChunks(encodeModel(model));

/** Reads every value; types that are only kept are passed over. */
const readValues = (model: ModelProto, external?: ExternalData): void => {
  validateModel(model);
  for (const { tensor, place } of modelTensors(model)) {
    try {
      tensorFromProto(tensor, { external, place });
    } catch (error) {
      if (!isTemperError(error) || error.code !== "unsupported") throw error;
    }
  }
  for (const sparse of model.graph!.sparseInitializer ?? []) denseFromSparse(sparse, { external });
};

/** `accepted`, or the code of the TemperError; any other error ends the test, naming the case. */
const outcome = async (what: string, read: () => unknown): Promise<string> => {
  try {
    await read();
    return "accepted";
  } catch (error) {
    if (!isTemperError(error)) throw new Error(`${what} failed with ${String(error)}`, { cause: error });
    expect(error.message.length, what).toBeLessThan(2000);
    return error.code;
  }
};

const countOutcomes = async (
  cases: Iterable<Mutation>,
  read: (bytes: Uint8Array) => unknown,
): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const { index, kind, bytes } of cases) {
    const result = await outcome(`case ${index} (${kind})`, () => read(bytes));
    counts[result] = (counts[result] ?? 0) + 1;
  }
  return counts;
};

const readModel = (bytes: Uint8Array): void => {
  const model = decodeModel(bytes);
  if (!isDeepStrictEqual(decodeModel(write(model)), model)) throw new Error("written and read again, it is another");
  readValues(model);
};

it("250 models with damaged bytes are refused with a TemperError or read right", async () => {
  const files = samples.map((model) => ({ bytes: write(model), targets: protobufTargets(write(model)) }));
  const cases = Array.from({ length: 250 }, (_, i) => {
    const { bytes, targets } = files[i % files.length]!;
    return mutation(bytes, 1, i, targets);
  });
  const counts = await countOutcomes(cases, readModel);
  expect(counts["bad-file"]).toBeGreaterThan(100);
  expect(counts["accepted"]).toBeGreaterThan(10);
});

it("250 well-formed models that lie are refused with a TemperError or read right", async () => {
  const counts: Record<string, number> = {};
  for (let i = 0; i < 250; i++) {
    const model = edited(samples[i % samples.length]!, 2, i);
    const result = await outcome(`case ${i}`, () => readModel(write(model)));
    counts[result] = (counts[result] ?? 0) + 1;
  }
  for (const code of ["bad-file", "bad-graph", "accepted"]) expect(counts[code], code).toBeGreaterThan(20);
});

it("100 damaged data files, gzipped files and models with external data are refused or read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "temper-mutate-"));
  const path = join(folder, "m.onnx");
  const readFile = async (): Promise<void> => {
    const { model, external } = await readModelFile(path);
    readValues(model, external);
  };
  try {
    for (const [file, name] of [
      ["m.onnx", "m.onnx"],
      ["m.onnx.data", "m.onnx"],
      ["m.onnx", "m.onnx.gz"],
    ] as const) {
      await writeModelFile(join(folder, name), samples[0]!, { externalAbove: 16 });
      const bytes = readFileSync(join(folder, file === "m.onnx" ? name : file));
      const counts = await countOutcomes(mutations(new Uint8Array(bytes), 3, 34), async (damaged) => {
        writeFileSync(join(folder, file), damaged);
        await readFile();
      });
      expect(Object.keys(counts).length, file).toBeGreaterThan(1);
      await writeModelFile(path, samples[0]!, { externalAbove: 16 });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it("the generator gives the same cases for the same seed, and damages nearly always", () => {
  const bytes = write(samples[0]!);
  const first = [...mutations(bytes, 7, 50)];
  expect([...mutations(bytes, 7, 50)]).toEqual(first);
  expect(mutation(bytes, 7, 31)).toEqual(first[31]);
  const other = [...mutations(bytes, 8, 50)];
  expect(other.filter((m, i) => Buffer.compare(m.bytes, first[i]!.bytes) !== 0).length).toBeGreaterThan(45);
  expect(first.filter((m) => Buffer.compare(m.bytes, bytes) !== 0).length).toBeGreaterThan(45);
  expect(protobufTargets(bytes).length).toBeGreaterThan(100);
});
