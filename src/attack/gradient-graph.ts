import { type DType, formatShape, TemperError } from "../core/index.ts";
import { filledLike, vjp } from "../autodiff/index.ts";
import { createGraph, elements, type Graph, input, named, type Shape, simplify, type Value } from "../graph/index.ts";
import { type LossName, losses } from "../loss/index.ts";
import {
  abs,
  add,
  cast,
  clip,
  div,
  equal,
  maximum,
  minimum,
  mul,
  neg,
  reduceMax,
  reduceSum,
  reshape,
  scalarLike,
  sign,
  sqrt,
  square,
  sub,
} from "../ops/index.ts";

/** The ends of a classifier's graph. */
export interface Ends {
  readonly x: Value;
  /** Scores [N, K] that losses are made of: the output, or what goes into its final Softmax. */
  readonly scores: Value;
  /** The output as it is; verdicts come from it. */
  readonly output: Value;
  readonly classes: number;
}

/**
 * Input and scores of a classifier. The first input takes the examples; more inputs are weights, fed beside them.
 * @throws TemperError `bad-graph` where the graph does not map float examples to one row of scores each
 */
export const classifierOf = (graph: Graph): Ends => {
  const [x] = graph.inputs,
    [output] = Object.values(graph.outputs);
  const classes = output?.shape.at(-1);
  if (!x || !output || !classes || x.dtype !== "float32" || output.dtype !== "float32")
    throw new TemperError("bad-graph", `${graph.name}: a classifier maps float32 examples to float32 scores.`);
  if (output.shape.length < 2 || elements(output.shape) !== output.shape[0]! * classes)
    throw new TemperError(
      "bad-graph",
      `${graph.name}: a classifier gives one row of scores an example, this graph's output has the shape ${formatShape(output.shape)}.`,
    );
  const { node } = output;
  const softmax = node.op.name === "Softmax" && elements(node.inputs[0]!.shape) === elements(output.shape);
  return { x, output, scores: reshape(softmax ? node.inputs[0]! : output, [output.shape[0]!, classes]), classes };
};

const lossRows = (model: Graph, { scores, classes }: Ends, labels: Value, loss: LossName): Value => {
  const record = losses[loss];
  if (classes < record.minClasses)
    throw new TemperError(
      "bad-option",
      `${loss} needs at least ${record.minClasses} classes, ${model.name} has ${classes}.`,
    );
  return record.build(scores, labels);
};

/** An input beside the model's own: with an underscore behind its name where the model has one of that name. */
export const further = (inputs: readonly Value[], name: string, dtype: DType, shape: Shape): Value =>
  inputs.some(({ node }) => node.name === name) ? further(inputs, `${name}_`, dtype, shape) : input(name, dtype, shape);

/**
 * The gradient of a loss with respect to the input, as a graph: inputs of the model, then `labels` int64 [N]; outputs
 * `gradient` (shape of the input), `loss` [N], `logits` (the model's output). The loss is summed over the batch, so that
 * an example's gradient does not depend on the others.
 */
export const gradientGraph = (model: Graph, loss: LossName): Graph => {
  const graph = simplify(model),
    ends = classifierOf(graph),
    { x, output } = ends;
  const labels = further(graph.inputs, "labels", "int64", [output.shape[0]!]);
  const rows = named("loss", () => lossRows(model, ends, labels, loss));
  const [gradient] = vjp([rows], [filledLike(rows, 1)], [x]);
  return createGraph(`${model.name}.gradient`, [...graph.inputs, labels], {
    gradient: gradient ?? filledLike(x, 0),
    loss: rows,
    logits: output,
  });
};

/**
 * One step of projected gradient ascent as a graph: inputs of the model (the current points), then `labels` [N],
 * `original` (the clean examples) and the scalars `epsilon`, `step_size`, `low`, `high`; outputs `adversarial`, and
 * `loss` and `logits` at the current points. The same step as the driver's `pgd`, to rounding: the steepest direction
 * of the norm, then the nearest point of ball and box. The original must lie in the box. A gradient that holds NaN
 * gives NaN, where the driver stays.
 */
export const attackStepGraph = (model: Graph, loss: LossName, norm: "linf" | "l2" = "linf"): Graph => {
  const graph = gradientGraph(model, loss),
    [x] = graph.inputs;
  const { gradient, loss: rows, logits } = graph.outputs as Record<"gradient" | "loss" | "logits", Value>;
  const original = further(graph.inputs, "original", "float32", x!.shape);
  const scalars = ["epsilon", "step_size", "low", "high"].map((name) => further(graph.inputs, name, "float32", []));
  const [epsilon, step, low, high] = scalars as [Value, Value, Value, Value];
  const direction = norm === "linf" ? sign(gradient) : unit(gradient);
  const change = sub(add(x!, mul(step, direction)), original);
  const room = { low: sub(low, original), high: sub(high, original) };
  const moved = norm === "linf" ? clip(change, neg(epsilon), epsilon) : ontoL2(change, epsilon, room);
  const adversarial = clip(add(original, moved), low, high);
  return createGraph(`${model.name}.attack-step`, [...graph.inputs, original, ...scalars], {
    adversarial,
    loss: rows,
    logits,
  });
};

/** Sum over all elements of each example, [N, 1, ...]. */
const sumRows = (x: Value): Value =>
  reduceSum(
    x,
    x.shape.slice(1).map((_, i) => i + 1),
    true,
  );

/** Divided by its l2 length; zero stays zero. The largest entry comes first: squares of small gradients underflow. */
const unit = (x: Value): Value => {
  const axes = x.shape.slice(1).map((_, i) => i + 1);
  const scaled = div(x, maximum(reduceMax(abs(x), axes, true), scalarLike(x, 1e-38)));
  return div(scaled, sqrt(maximum(sumRows(square(scaled)), scalarLike(x, 1e-12))));
};

/** Passes of Newton's method: three are usual, seven were the most in thousands of random cases (from 20 pixels up). */
const PASSES = 8;

/**
 * The point clip(s v) of ball and box nearest to v, as src/threat/l2.ts finds it: rho = s² grows from below, pass by
 * pass, to where |clip(s v)| = epsilon. Stopped early it would lie inside of the ball, never outside.
 */
const ontoL2 = (v: Value, epsilon: Value, { low, high }: { readonly low: Value; readonly high: Value }): Value => {
  const one = scalarLike(v, 1),
    tiny = scalarLike(v, 1e-30),
    squares = square(v),
    radius = square(epsilon);
  let rho = minimum(one, div(radius, maximum(sumRows(squares), tiny)));
  for (let pass = 0; pass < PASSES; pass++) {
    const scaled = mul(sqrt(rho), v),
      cut = minimum(maximum(scaled, low), high);
    const free = cast(equal(scaled, cut), "float32");
    const clipped = sumRows(mul(square(cut), sub(one, free)));
    const next = div(sub(radius, clipped), maximum(sumRows(mul(squares, free)), tiny));
    rho = minimum(one, maximum(rho, next));
  }
  return mul(sqrt(rho), v);
};
