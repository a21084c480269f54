import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type Tensor } from "temper/core";
import { concretize } from "temper/graph";
import { decodeModel, decodeTensor, readModelFile, tensorFromProto, validateModel } from "temper/onnx";
import { bindParameters, dataInputs, importModel, type Model, toOnnx } from "temper/ops";
import { describe, expect, it } from "vitest";
import { hasShared, shared, sharedModels } from "../shared.ts";
import { difference, openSession, randomTensor, type Result, runModel, runSession } from "./model-file.ts";

const feedsFor = (model: Model, batch: number): Record<string, Tensor> => {
  const names = dataInputs(model);
  const data = model.graph.inputs.filter((v) => names.includes(v.node.name));
  return Object.fromEntries(
    data.map((v, i) => [v.node.name, randomTensor(v.dtype, concretize(v.shape, batch), i + 1)]),
  );
};

/** One example of a batch. */
const example = (feeds: Readonly<Record<string, Tensor>>, batch: number, i: number): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]) => {
      const size = data.length / batch;
      const part = (data as Float32Array<ArrayBuffer>).slice(i * size, (i + 1) * size);
      return [name, { dtype: "float32", shape: [1, ...shape.slice(1)], data: part } as Tensor];
    }),
  );

const joined = (parts: readonly Readonly<Record<string, Result>>[]): Record<string, Result> =>
  Object.fromEntries(
    Object.entries(parts[0]!).map(([name, { shape }]) => [
      name,
      {
        shape: [parts.length, ...shape.slice(1)],
        data: Float64Array.from(parts.flatMap((part) => Array.from(part[name]!.data))),
      },
    ]),
  );

/** Sizes for axes that are symbolic besides the batch. */
const DIMS: Readonly<Record<string, Record<string, number>>> = { "models/dncnn_s_25.onnx": { H: 12, W: 10 } };
/** Files for a batch of one that cannot be read as more, and why. */
const CLOSED: Readonly<Record<string, RegExp>> = {
  "vnncomp/carvana_unet/unet_simp_small.onnx": /Gather "Gather_18" computes over the batch axis/,
};

const folders = [
  ["models", [1, 3]],
  ["vnncomp", [1, 3]],
  ["onnx-light", [1]], // the batch only makes them slow
] as const;
// Without the data there are no files to name tests after, and a suite without tests would be an error.
describe.each(hasShared ? folders : [])("%s: what is imported and written again gives the same", (folder, batches) => {
  it.each(sharedModels(folder))("%s", async (path) => {
    const { model: file, external } = await readModelFile(shared(path));
    const model = importModel(file, { external, batch: "symbolic", dims: DIMS[path] });
    const why = CLOSED[path];
    if (why) expect(model.notes.join()).toMatch(why);
    else expect(model.notes).toEqual([]);
    const emitted = toOnnx(bindParameters(model));
    validateModel(emitted);
    const [before, after] = [await openSession(file), await openSession(emitted)];
    const opened = !why && file.graph!.input!.some((v) => v.type?.tensorType?.shape?.dim?.[0]?.dimValue === 1);
    for (const batch of batches) {
      const feeds = feedsFor(model, batch);
      const parts = Array.from({ length: opened ? batch : 1 }, (_, i) => (opened ? example(feeds, batch, i) : feeds));
      const results: Record<string, Result>[] = [];
      for (const part of parts) results.push(await runSession(before, part));
      expect(difference(opened ? joined(results) : results[0]!, await runSession(after, feeds))).toBeLessThan(1e-5);
    }
    await before.release();
    await after.release();
  });
});

/** Folders of the conformance suites, each with a model and what it must give. */
const casesIn = (folder: string): string[] =>
  hasShared ? readdirSync(shared(folder)).filter((name) => existsSync(shared(`${folder}/${name}/model.onnx`))) : [];
const tensorsOf = (folder: string, kind: "input" | "output"): Tensor[] => {
  const tensors: Tensor[] = [];
  for (let i = 0; existsSync(shared(`${folder}/test_data_set_0/${kind}_${i}.pb`)); i++)
    tensors.push(tensorFromProto(decodeTensor(readFileSync(shared(`${folder}/test_data_set_0/${kind}_${i}.pb`)))));
  return tensors;
};

/** The runtime itself is off by up to 3.4e-4 (DFT). */
const SUITE_TOLERANCE = 5e-4;

/** Why a case does not run, by a pattern of its name. */
const SKIPPED: readonly (readonly [RegExp, string])[] = [
  [/_(int16|uint16|uint64)$|uint32$|batchwise$/, "ONNX Runtime has no kernel"],
  [/zero_size|empty_set_non_reduced|allowzero_reordered|start_out_of_bounds/, "sizes of zero count as unknown"],
  [/test_scan_sum/, "Scan before version 9 has another form"],
  [/qk_matmul_bias_3d_mask_causal/, "ONNX Runtime masks scores with the lowest number where the file says -infinity"],
];

describe.each(["onnx-pytorch", "onnx-node"])("%s", (suite) => {
  const cases = casesIn(suite);
  it.runIf(cases.length > 0)(`all ${cases.length} models give what they must after import and emission`, async () => {
    const wrong: string[] = [];
    for (const name of cases) {
      if (SKIPPED.some(([pattern]) => pattern.test(name))) continue;
      const folder = `${suite}/${name}`;
      const file = decodeModel(readFileSync(shared(`${folder}/model.onnx`)));
      const given = tensorsOf(folder, "input"),
        expected = tensorsOf(folder, "output");
      const model = importModel(file);
      const read = new Set(model.graph.inputs.map((v) => v.node.name));
      const fed = (file.graph!.input ?? []).flatMap(({ name = "" }, i) =>
        given[i] && read.has(name) ? [[name, given[i]] as const] : [],
      );
      const results = await runModel(
        toOnnx(bindParameters(model), { domains: model.domains }),
        Object.fromEntries(fed),
      );
      const wanted = (file.graph!.output ?? []).map(({ name = "" }, i) => [name, expected[i]!] as const);
      const numbers = wanted.map(
        ([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data as Float32Array, Number) }] as const,
      );
      const error = difference(Object.fromEntries(numbers), results);
      if (!(error < SUITE_TOLERANCE)) wrong.push(`${name}: ${error}`);
    }
    expect(wrong).toEqual([]);
  });
});
