import { readFile, writeFile } from "node:fs/promises";
import { createTarget, gather, predictionOf } from "../attack/index.ts";
import { i64, sizeOf, type Tensor, TemperError } from "../core/index.ts";
import { batchBetween, countOf, type Dataset, readNpz, writeNpz } from "../data/index.ts";
import type { AttackedDataset } from "../evaluate/index.ts";
import type { Classifier } from "../models/index.ts";
import { defaultEngine } from "../runtime/index.ts";
import { type NormName, threat as createThreat } from "../threat/index.ts";

/** Writes all examples with what the attack made of them: `x`, `adversarial`, `labels`, `predictions`, `broken`. */
export const saveExamples = async (file: string, dataset: Dataset, found: AttackedDataset): Promise<void> => {
  const { x, labels } = batchBetween(dataset, 0, countOf(dataset));
  const images = (data: Float32Array): Tensor => ({
    dtype: "float32",
    shape: [labels.length, ...dataset.shape],
    data: data as Float32Array<ArrayBuffer>,
  });
  const arrays = {
    x: images(x),
    adversarial: images(found.adv),
    labels: i64(Array.from(labels)),
    predictions: i64(Array.from(found.predictions)),
    broken: { dtype: "uint8", shape: [labels.length], data: found.broken as Uint8Array<ArrayBuffer> } as Tensor,
  };
  await writeFile(file, writeNpz(arrays));
};

const VERIFY_BATCH = 64;

/**
 * Reads a saved file and judges from nothing but it and the model how many of the examples marked broken are: inside the
 * set around `x`, and not given their label.
 *
 * @throws TemperError `bad-file` where an array is missing
 */
export const verifyExamples = async (
  file: string,
  model: Classifier,
  dataset: Dataset,
  { norm, epsilon }: { readonly norm: NormName; readonly epsilon: number },
): Promise<number> => {
  const arrays = readNpz(file, new Uint8Array(await readFile(file)));
  const read = <T>(name: string, type: abstract new (...args: never[]) => T): T => {
    const data = arrays.get(name)?.data;
    if (data instanceof type) return data;
    throw new TemperError("bad-file", `${file}: reading back ${name} failed. Write it again.`);
  };
  const x = read("x", Float32Array),
    adv = read("adversarial", Float32Array),
    labels = read("labels", BigInt64Array),
    broken = read("broken", Uint8Array);
  const d = sizeOf(dataset.shape),
    inside = createThreat({ norm, epsilon, box: [...dataset.range] }).contains(x, adv, d);
  const rows = Array.from(labels.keys()).filter((i) => broken[i] === 1 && inside[i] === 1);
  using target = await createTarget(defaultEngine(), model.graph);
  let holds = 0;
  for (let at = 0; at < rows.length; at += VERIFY_BATCH) {
    const part = rows.slice(at, at + VERIFY_BATCH);
    const logits = await target.logits(gather(adv, part, d));
    holds += part.filter((i, row) => predictionOf(logits, row, target.classes) !== Number(labels[i])).length;
  }
  return holds;
};
