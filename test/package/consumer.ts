/**
 * A program as a user of the package would write it: a traced function with its gradient, a model from a file, one attack.
 * It is compiled and run in a folder that has nothing but the installed package.
 */
export const consumer = `
import { BATCH, compile, evaluate, type EvaluationResult, float32, grad, loadClassifier, loadDataset, TemperError, toOnnx, trace, writeModelFile } from "temper";
import { f32, type Tensor } from "temper/core";
import { constant, createGraph, input, type Value } from "temper/graph";
import { add, matmul, reduceSum, reshape, square } from "temper/ops";

const squares = trace("squares", { x: float32(2) }, ({ x }) => ({ y: reduceSum(square(x), [0]) }));
const x: Value = squares.inputs[0]!;
const [slope] = grad(squares.outputs["y"]!, [x]);
using program = await compile(createGraph("slope", [x], { slope: slope! }));
const { slope: exact } = await program.run({ x: f32([1, 2]) });

const data = await loadDataset("glyphs", { range: "0:200" });
const mean = new Float32Array(784 * 10), bias = new Float32Array(10);
for (let i = 0; i < 200; i++)
  for (let j = 0; j < 784; j++) mean[j * 10 + data.labels[i]!]! += (data.pixels[i * 784 + j]! / 255) / 10;
for (let k = 0; k < 10; k++) for (let j = 0; j < 784; j++) bias[k]! -= mean[j * 10 + k]! ** 2 / 20;
const images = input("images", "float32", [BATCH, 1, 28, 28]);
const weights: Tensor = f32(mean, [784, 10]);
const scores = add(matmul(reshape(images, [BATCH, 784]), constant(weights)), constant(f32(bias)));
await writeModelFile("model.onnx", toOnnx(createGraph("model", [images], { scores })));

const model = await loadClassifier("model.onnx", data.shape);
const result: EvaluationResult = await evaluate(model, data, {
  epsilon: 0.1,
  attacks: [{ name: "pgd", options: { steps: 5 } }],
  sweep: [],
});
try {
  await evaluate(model, data, { epsilon: -1 });
} catch (error) {
  if (!(error instanceof TemperError) || error.code !== "bad-option") throw error;
}
console.log(JSON.stringify({
  exact: Array.from(exact!.data as Float32Array),
  clean: result.cleanAccuracy.value,
  attacked: result.robustAccuracy.value,
}));
`;
