import { formatShape, type Tensor, TemperError } from "../core/index.ts";
import { constant, type Graph, graphNodes, type Node, type Value } from "../graph/index.ts";
import type { BufferSpec, Init, ParameterSpec } from "../nn/index.ts";
import { decodeModel, type ModelProto, readModelFile, withoutExternal } from "../onnx/index.ts";
import type { Model } from "../ops/index.ts";
import { applyFile } from "./apply-file.ts";
import type { ModelDefinition } from "./definition.ts";
import { type FileWeights, findWeights } from "./file-weights.ts";
import { blaming, hashOf } from "./imported.ts";
import { type InputAdapter, inputFeed } from "./input-adapter.ts";
import { refuseQuantized } from "./quantized.ts";
import { readNetwork } from "./read-network.ts";
import { inEvaluationMode, placesOf, withValues } from "./stored-weights.ts";

/** A network from a file, to be trained. */
export interface Trainable {
  /** Parameters and buffers bear the names of the file's tensors, and start with their values whatever the seed. */
  readonly definition: ModelDefinition;
  /** Hash of the file as it was. */
  readonly hash: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What is not trained and why, and what else the file leaves open. */
  readonly notes: readonly string[];
  /**
   * The file with other values for parameters and buffers; names, nodes, opset, metadata and all other tensors stay.
   * Values that lay in other files are inside: `writeModelFile` can move them out again.
   * @throws TemperError `not-found`, `bad-shape`
   */
  readonly withWeights: (values: Readonly<Record<string, Tensor>>) => ModelProto;
}

type Image = readonly [channels: number, height: number, width: number];

/**
 * Reads an ONNX classifier as a network to be trained. Float tensors that the scores depend on become parameters; batch
 * normalizations and dropouts of the file work in training mode.
 *
 * @param image    [C, H, W] of the data; default: as the file's input says
 * @param adapter  what stands between images and the network; it is no part of what `withWeights` gives
 * @throws TemperError `unsupported`: quantized files, weights of other types than float32, a batch size that cannot be
 *   opened, files without weights; `bad-shape`: images that do not fit
 */
export const loadTrainable = (path: string, image?: Image, adapter: InputAdapter = {}): Promise<Trainable> =>
  blaming(path, async () => {
    const { model, external } = await readModelFile(path);
    return trainable(path, withoutExternal(model, external), image, adapter, hashOf(model));
  });

/** {@link loadTrainable} from a file's bytes. @param name  says in errors which model it is */
export const decodeTrainable = (
  bytes: Uint8Array,
  image?: Image,
  adapter: InputAdapter = {},
  name = "model",
): Promise<Trainable> =>
  blaming(name, async () => {
    const model = decodeModel(bytes);
    return trainable(name, withoutExternal(model, undefined), image, adapter, hashOf(model));
  });

const trainable = (
  name: string,
  file: ModelProto,
  given: Image | undefined,
  adapter: InputAdapter,
  hash: string,
): Trainable => {
  refuseQuantized(file);
  const proto = inEvaluationMode(file),
    { model, x, graph, note } = readNetwork(name, proto);
  const image = given ?? imageOf(name, x),
    { feed, notes } = inputFeed(name, x.shape, image, adapter);
  const found = findWeights(graph, model.parameters, placesOf(proto));
  const weights = specsOf(model, found);
  const network = {
    ...weights,
    apply: applyFile({
      graph,
      fixed: constantsBut(model, graph, weights),
      statistics: found.statistics,
      feed,
      file: file.graph ?? {},
    }),
  };
  return {
    definition: { name, inputShape: image, classes: graph.outputs["scores"]!.shape[1]!, ...network },
    hash,
    metadata: model.metadata,
    notes: [
      ...model.notes,
      ...notes,
      ...note,
      ...(proto === file ? [] : ["The file was exported in training mode; it is written in evaluation mode."]),
      ...remarks(model, graph, found),
    ],
    withWeights: (values) => withValues(proto, { ...weights.parameters, ...weights.buffers }, values),
  };
};

const imageOf = (name: string, { shape }: Value): Image => {
  const [, channels, height, width, ...more] = shape;
  if (width !== undefined && more.length === 0) return [channels!, height!, width];
  throw new TemperError(
    "bad-shape",
    `${name}: takes ${formatShape(shape)}, no images. Give the shape of the data's images.`,
  );
};

interface Specs {
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  readonly buffers: Readonly<Record<string, BufferSpec>>;
}

/** @throws TemperError `unsupported`: no weights at all, or weights of another type than float32 */
const specsOf = ({ parameters }: Model, { roles, statistics, ofBatchNorms }: FileWeights): Specs => {
  const spec = (name: string): BufferSpec => {
    const { dtype, shape, data } = parameters[name]!;
    if (dtype !== "float32")
      throw new TemperError(
        "unsupported",
        `weight "${name}" is ${dtype}; only float32 ones are trained. Export it in float32.`,
      );
    const init: Init = (out) => out.set(data as Float32Array);
    return { shape, init };
  };
  if (roles.size === 0)
    throw new TemperError(
      "unsupported",
      "has no weights that gradients reach: no float tensors stored in the file that layers multiply or add.",
    );
  return {
    parameters: Object.fromEntries(
      [...roles].map(([name, role]) => [name, { ...spec(name), role, ofBatchNorm: ofBatchNorms.has(name) }]),
    ),
    buffers: Object.fromEntries(
      [...statistics.values()].flatMap(({ mean, variance }) => [mean, variance].map((name) => [name, spec(name)])),
    ),
  };
};

/** Tensors of the file that stay as they are. */
const constantsBut = ({ parameters }: Model, { inputs }: Graph, specs: Specs): Map<Value, Value> => {
  const moving = { ...specs.parameters, ...specs.buffers };
  return new Map(
    inputs.flatMap((v) => {
      const { name } = v.node;
      const still = Object.hasOwn(parameters, name) && !Object.hasOwn(moving, name);
      return still ? [[v, constant(parameters[name]!, name)] as const] : [];
    }),
  );
};

const remarks = ({ graph: whole }: Model, graph: Graph, { fixed, statistics }: FileWeights): string[] => {
  const named = (names: readonly string[]): string =>
    names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");
  const nodes = graphNodes(graph),
    still = nodes.filter((node) => node.op.name === "BatchNormalization" && !statistics.has(node)),
    folded = nodes.filter(isFolded);
  return [
    ...[...fixed].map(([why, names]) => `Not trained: ${named(names)} (${why}).`),
    ...(still.length > 0 ? [`Keep their stored statistics in training: ${named(still.map(({ name }) => name))}.`] : []),
    ...(folded.length > 0
      ? [
          `Batch normalization seems to have been folded into ${folded.length} convolutions at export; they train without it. Export in training mode (PyTorch: training=TrainingMode.TRAINING) to keep it.`,
        ]
      : []),
    ...(Object.values(whole.outputs)[0]!.node.op.name === "Softmax"
      ? ["The scores are what goes into the file's final Softmax."]
      : []),
  ];
};

/** Names that exporters give to kernels into which they have multiplied what followed. */
const FOLDED = /^(onnx::Conv_)?\d+$|_fused_bn$/;
const isFolded = ({ op, inputs }: Node): boolean => op.name === "Conv" && FOLDED.test(inputs[1]?.node.name ?? "");
