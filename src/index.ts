/**
 * Temper: robust deep learning on ONNX models. Everything is also there by layer: `temper/graph`, `temper/attack`, ...
 */
export { attacks, type AttackName, createTarget, defineAttack, gradientGraph, runAttack } from "./attack/index.ts";
export { customVjp, grad, hvp, jvp, overrideVjp, stopGradient, vjp } from "./autodiff/index.ts";
export { createRng, f32, i64, type Rng, TemperError, type Tensor, tensor } from "./core/index.ts";
export { type Dataset, loadDataset } from "./data/index.ts";
export { attackDataset, evaluate, type EvaluationResult } from "./evaluate/index.ts";
export { BATCH, float32, type Graph, printGraph, trace, type Value } from "./graph/index.ts";
export { crossEntropy, losses } from "./loss/index.ts";
export { type Classifier, loadClassifier, loadTrainable, model, models, type Trainable } from "./models/index.ts";
export { readModelFile, writeModelFile } from "./onnx/index.ts";
export { bindParameters, importModel, ops, toOnnx } from "./ops/index.ts";
export { renderJson, renderReport } from "./report/index.ts";
export { compile, createEngine, type Engine, type Program } from "./runtime/index.ts";
export { threat, type Threat } from "./threat/index.ts";
export { train } from "./train/index.ts";
export { version } from "./version.ts";
