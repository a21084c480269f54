import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isTemperError, type Tensor } from "temper/core";
import { type Array64, toArray64 } from "temper/graph";
import { decodeModel, decodeTensor, type ModelProto, tensorFromProto, tensorToProto } from "temper/onnx";
import { bindParameters, evaluateGraph, importModel } from "temper/ops";
import { describe, expect, it } from "vitest";
import { hasShared, shared } from "../shared.ts";
import { relative } from "./check.ts";

/** The float64 references against the expected outputs of the ONNX conformance suites. */

const casesIn = (suite: string): string[] =>
  hasShared ? readdirSync(shared(suite)).filter((name) => existsSync(shared(`${suite}/${name}/model.onnx`))) : [];

const tensorsOf = (folder: string, kind: "input" | "output"): Tensor[] => {
  const tensors: Tensor[] = [];
  for (let i = 0; existsSync(shared(`${folder}/test_data_set_0/${kind}_${i}.pb`)); i++)
    tensors.push(tensorFromProto(decodeTensor(readFileSync(shared(`${folder}/test_data_set_0/${kind}_${i}.pb`)))));
  return tensors;
};

/** The model with all inputs but a first float one as constants: the suites feed axes and shapes at run time. */
const withConstants = (file: ModelProto, given: readonly Tensor[]): ModelProto => {
  const { input = [], initializer = [] } = file.graph!;
  const fixed = (i: number): boolean => given[i] !== undefined && (i > 0 || !given[i].dtype.startsWith("float"));
  return {
    ...file,
    graph: {
      ...file.graph,
      input: input.filter((_, i) => !fixed(i)),
      initializer: [...initializer, ...input.flatMap((v, i) => (fixed(i) ? [tensorToProto(v.name!, given[i]!)] : []))],
    },
  };
};

const worst = (wanted: Tensor, got: Array64): number => {
  if (got.dtype !== wanted.dtype || got.shape.join() !== wanted.shape.join()) return Infinity;
  return toArray64(wanted).data.reduce((most, v, i) => Math.max(most, relative(v, got.data[i]!)), 0);
};

/** Largest error of a case; undefined where an operator of it has no reference. */
const errorOf = (folder: string): number | undefined => {
  const file = decodeModel(readFileSync(shared(`${folder}/model.onnx`)));
  const given = tensorsOf(folder, "input"),
    wanted = tensorsOf(folder, "output");
  const graph = bindParameters(importModel(withConstants(file, given)));
  const feeds = Object.fromEntries(graph.inputs.map((v) => [v.node.name, toArray64(given[0]!)]));
  try {
    const out = evaluateGraph(graph, feeds);
    return Math.max(0, ...file.graph!.output!.map(({ name }, i) => worst(wanted[i]!, out[name!]!)));
  } catch (error) {
    if (isTemperError(error) && error.code === "no-rule") return undefined;
    throw error;
  }
};

/** Cases that do not run, by a pattern of the name, and why. */
const SKIPPED: readonly (readonly [RegExp, string])[] = [
  [/allowzero_reordered|split_zero_size/, "the importer reads sizes of zero as unknown"],
];
/** Half precision inside; and one file that holds four digits. */
const toleranceOf = (name: string): number => (/float16|FLOAT16|starts_on_pad/.test(name) ? 3e-3 : 1e-5);

describe.each([
  ["onnx-node", 500],
  ["onnx-pytorch", 76],
])("%s", (suite, fewest) => {
  const cases = casesIn(suite);
  it.runIf(cases.length > 0)(`at least ${fewest} cases agree, none differs`, () => {
    const wrong: string[] = [];
    let agreed = 0;
    for (const name of cases) {
      if (SKIPPED.some(([pattern]) => pattern.test(name))) continue;
      const error = errorOf(`${suite}/${name}`);
      if (error === undefined) continue;
      if (error < toleranceOf(name)) agreed++;
      else wrong.push(`${name}: ${error}`);
    }
    expect(wrong).toEqual([]);
    expect(agreed).toBeGreaterThanOrEqual(fewest);
  });
});
