import { formatShape, isTemperError, TemperError } from "../core/index.ts";
import { BATCH, createGraph, elements, type Graph, type Value } from "../graph/index.ts";
import type { ModelProto } from "../onnx/index.ts";
import { importModel, type Model, reshape } from "../ops/index.ts";
import { onlyInput } from "./input-adapter.ts";
import { withoutConstants } from "./stored-weights.ts";

interface Read {
  readonly model: Model;
  readonly x: Value;
  /** From data and tensors to `scores`. */
  readonly graph: Graph;
}
/**
 * A file as a network to be trained. Weights in Constant nodes are read like initializers, where none of those numbers says a shape.
 * @throws TemperError `unsupported`: a batch size that cannot be opened, an output that is no row of scores
 */
export const readNetwork = (name: string, proto: ModelProto): Read & { readonly note: readonly string[] } => {
  const read = (file: ModelProto): Read => {
    const model = importModel(file, { batch: "symbolic", training: true });
    return { model, ...scoresOf(name, model) };
  };
  try {
    return { ...read(withoutConstants(proto)), note: [] };
  } catch (error) {
    if (!isTemperError(error)) throw error;
    return { ...read(proto), note: [`Not trained: numbers in Constant nodes. ${error.message}`] };
  }
};

/** The graph from data and tensors to scores [N, K]: the first output, or what goes into its final Softmax. */
const scoresOf = (name: string, { graph, parameters, notes }: Model): { readonly x: Value; readonly graph: Graph } => {
  const x = onlyInput(
    name,
    graph.inputs.filter((v) => !Object.hasOwn(parameters, v.node.name)),
  );
  if (x.shape[0] !== BATCH)
    throw new TemperError(
      "unsupported",
      `takes ${formatShape(x.shape)}, and training needs any number of examples. Export it with a batch axis that is not fixed. ${notes.join(" ")}`.trim(),
    );
  const [output] = Object.values(graph.outputs);
  const classes = output?.shape.at(-1) === 1 ? elements(output.shape) / BATCH : output?.shape.at(-1);
  if (!output || !classes || classes < 2 || output.dtype !== "float32" || elements(output.shape) !== BATCH * classes)
    throw new TemperError(
      "unsupported",
      `its first output is ${output ? `${output.dtype} ${formatShape(output.shape)}` : "missing"}; a classifier gives one row of float32 scores an example.`,
    );
  const { op, inputs } = output.node;
  const softmax = op.name === "Softmax" && elements(inputs[0]!.shape) === elements(output.shape);
  const scores = reshape(softmax ? inputs[0]! : output, [BATCH, classes]);
  return { x, graph: createGraph(graph.name, graph.inputs, { scores }) };
};
