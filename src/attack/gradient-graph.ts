import { type DType, formatShape, TemperError } from "../core/index.ts";
import { filledLike, vjp } from "../autodiff/index.ts";
import { createGraph, elements, type Graph, input, named, type Shape, simplify, type Value } from "../graph/index.ts";
import { type LossName, losses } from "../loss/index.ts";
import { add, mul, reshape } from "../ops/index.ts";
import { graphNorms, type NormName } from "../threat/index.ts";

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
export const attackStepGraph = (model: Graph, loss: LossName, norm: NormName = "linf"): Graph => {
  const graph = gradientGraph(model, loss),
    [x] = graph.inputs;
  const { gradient, loss: rows, logits } = graph.outputs as Record<"gradient" | "loss" | "logits", Value>;
  const original = further(graph.inputs, "original", "float32", x!.shape);
  const scalars = ["epsilon", "step_size", "low", "high"].map((name) => further(graph.inputs, name, "float32", []));
  const [epsilon, step, low, high] = scalars as [Value, Value, Value, Value];
  const region = { epsilon, low, high },
    moves = graphNorms[norm];
  const direction = moves.steepest(gradient, { adv: x!, ...region });
  const adversarial = moves.project(original, add(x!, mul(step, direction)), region);
  return createGraph(`${model.name}.attack-step`, [...graph.inputs, original, ...scalars], {
    adversarial,
    loss: rows,
    logits,
  });
};
