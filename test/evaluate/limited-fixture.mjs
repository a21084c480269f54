// Attacks a wide network on glyphs in a process of its own; prints what it found and the most memory that it took.
import { createRng, f32, sizeOf } from "../../dist/core/index.js";
import { glyphs } from "../../dist/data/index.js";
import { attackDataset } from "../../dist/evaluate/index.js";
import { BATCH, constant, float32, trace } from "../../dist/graph/index.js";
import { add, conv, matmul, relu, reshape } from "../../dist/ops/index.js";

/** Uniform between -0.1 and 0.1. */
const random = (...shape) => {
  const values = new Float32Array(sizeOf(shape));
  createRng(0).split(shape.join()).fillUniform(values, -0.1, 0.1);
  return constant(f32(values, shape));
};
/** Class 0 wins almost everywhere, by no more than attacks can undo. */
const bias = constant(f32([2, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
const graph = trace("wide", { x: float32(BATCH, 1, 28, 28) }, ({ x }) => {
  const first = relu(conv(x, random(64, 1, 3, 3), undefined, { pads: [1, 1, 1, 1] }));
  const second = relu(conv(first, random(64, 64, 3, 3), undefined, { pads: [1, 1, 1, 1] }));
  return add(matmul(reshape(second, [BATCH, 64 * 784]), random(64 * 784, 10)), bias);
});
const model = { graph, parameters: 0, notes: [], path: "wide.onnx", hash: "", metadata: {}, normalization: undefined };
const digits = glyphs({ split: "test", count: 320 }),
  dataset = { ...digits, labels: digits.labels.map(() => 0) };
const [memory, batch] = process.argv.slice(2).map(Number);
const { adv, broken, row } = await attackDataset(model, dataset, {
  attack: { name: "pgd", options: { steps: 3, restarts: 2 } },
  epsilon: 0.1,
  batch,
  memory,
});
const bytes = 1024 * process.resourceUsage().maxRSS;
const examples = Buffer.from(adv.buffer).toString("base64");
process.stdout.write(JSON.stringify({ bytes, examples, broken: [...broken], row: { ...row, seconds: 0 } }));
