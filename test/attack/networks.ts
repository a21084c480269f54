import { type AttackRequest, runAttack, type Target } from "temper/attack";
import { createRng, f32, type Tensor } from "temper/core";
import { bind, BATCH, constant, createGraph, type Graph, input } from "temper/graph";
import { model, toGraph } from "temper/models";
import { initialize } from "temper/nn";
import { emit } from "temper/graph";
import { add, MatMul, Softmax } from "temper/ops";
import { createLocalRuntime, type Runtime } from "temper/runtime";

/** One runtime for a test file: sessions live in the test's own thread. */
export const runtime: Runtime = createLocalRuntime();

/** A convolutional network with random weights inside: 64 pixels, 5 classes. Large weights, so that it is not linear. */
export const randomNetwork = (seed = 3): Graph => {
  const net = model("small-cnn", { inputShape: [1, 8, 8], classes: 5 }, { channels: [4, 8], dense: [16] });
  const weights = initialize(net, createRng(seed));
  const scaled = (t: Tensor): Tensor =>
    f32(
      (t.data as Float32Array).map((v) => 2 * v),
      t.shape,
    );
  return bind(
    toGraph(net),
    Object.fromEntries(Object.entries(weights).map(([name, t]) => [name, constant(scaled(t), name)])),
  );
};

/** Logits [x W + b] of flat pixels; with `softmax`, their probabilities. `batch`: a number fixes the batch size. */
export const linearNetwork = (
  weights: Float32Array,
  d: number,
  classes: number,
  { batch = BATCH, softmax = false, bias = [] as readonly number[] } = {},
): Graph => {
  const x = input("x", "float32", [batch, d]);
  const product = emit(MatMul, [x, constant(f32(weights, [d, classes]), "w")]);
  const logits = bias.length > 0 ? add(product, constant(f32(bias, [classes]), "b")) : product;
  return createGraph("linear", [x], { y: softmax ? emit(Softmax, [logits], { axis: 1 }) : logits });
};

/** Random pixels, a third of them on the box, and their predicted classes: nothing is broken before the attack. */
export const pixels = (n: number, d: number, seed: number): Float32Array => {
  const rng = createRng(seed);
  return Float32Array.from({ length: n * d }, () => {
    const u = rng.uniform();
    return u < 0.17 ? 0 : u > 0.83 ? 1 : rng.uniform();
  });
};
export const argmax = (logits: Float32Array, classes: number): Int32Array =>
  Int32Array.from({ length: logits.length / classes }, (_, row) => {
    const scores = Array.from(logits.subarray(row * classes, (row + 1) * classes));
    return scores.indexOf(Math.max(...scores));
  });

/** Where the first start of an attack ends that goes on whatever fools: the points whose scores alone are asked for. */
export const lastPoint = async (target: Target, request: AttackRequest): Promise<Float32Array> => {
  let last: Float32Array | undefined;
  const logits = (points: Float32Array): Promise<Float32Array> => {
    last ??= points.slice();
    return target.logits(points);
  };
  await runAttack({ ...target, logits }, { ...request, exhaustive: true });
  return last!;
};
