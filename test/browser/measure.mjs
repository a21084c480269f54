// The same in Node and in a page: what the library finds out about a model that comes as bytes.
import { gradientGraph } from "temper/attack";
import { i64, f32 } from "temper/core";
import { createDataset } from "temper/data";
import { attackDataset, evaluate } from "temper/evaluate";
import { decodeClassifier } from "temper/models";
import { compile } from "temper/runtime";

/** @param {{ model: Uint8Array, pixels: Float32Array, labels: number[], shape: number[], epsilon: number, device: string }} task */
export const measure = async ({ model, pixels, labels, shape, epsilon, device }) => {
  const classifier = await decodeClassifier(model, shape),
    count = labels.length;
  const data = createDataset({
    name: "images",
    split: "test",
    pixels,
    labels: Int32Array.from(labels),
    shape,
    classes: Array.from({ length: 10 }, (_, k) => String(k)),
    source: "test",
  });
  const [input] = classifier.graph.inputs;
  const program = await compile(gradientGraph(classifier.graph, "cross-entropy"), { device });
  const { gradient } = await program.run({ [input.node.name]: f32(pixels, [count, ...shape]), labels: i64(labels) });
  program.dispose();
  const attacked = {};
  for (const attack of [{ name: "fgsm" }, { name: "pgd", options: { steps: 5 } }]) {
    const { broken, predictions } = await attackDataset(classifier, data, { attack, epsilon, seed: 3, device });
    attacked[attack.name] = { broken: Array.from(broken), predictions: Array.from(predictions) };
  }
  const attacks = [{ name: "pgd", options: { steps: 3 } }];
  const seen = [];
  const result = await evaluate(classifier, data, {
    attacks,
    epsilon,
    device,
    sweep: [],
    onProgress: ({ phase }) => seen.push(phase),
  });
  const { cleanAccuracy, robustAccuracy, perClass, machine, run } = result;
  return {
    gradient: Array.from(gradient.data),
    attacked,
    evaluation: { cleanAccuracy: cleanAccuracy.value, robustAccuracy: robustAccuracy.value, perClass },
    phases: [...new Set(seen)],
    machine,
    run,
  };
};
