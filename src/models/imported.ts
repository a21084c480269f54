import { createHasher, formatShape, isTemperError, sizeOf, type Tensor, tensor, TemperError } from "../core/index.ts";
import { apply, constant, createGraph, type Graph, input, type Shape, type Value } from "../graph/index.ts";
import { decodeModel, encodeModel, type ModelProto, readModelFile } from "../onnx/index.ts";
import { bindParameters, div, importModel, type Model, reshape, sub, transpose } from "../ops/index.ts";

/** How pixels become what the network was trained on, where the file does not do it itself. */
export interface InputAdapter {
  /** Per channel (or one for all), subtracted from pixels. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  /** Order that the network wants; images come as NCHW. Default: NCHW, or NHWC where only that fits. */
  readonly layout?: "NCHW" | "NHWC" | undefined;
}

/** Mean and deviation by channel (or one for all) that turn pixels into what the network was trained on. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A classifier from a file, with its weights bound: one input of images [N, C, H, W], first output the scores. */
export interface Classifier {
  readonly path: string;
  readonly graph: Graph;
  readonly hash: string;
  /** Number of trained values. */
  readonly parameters: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  /** What stands before the network because the caller asked for it. */
  readonly normalization?: Normalization | undefined;
}

/**
 * Reads an ONNX classifier and fits it to images of a shape: normalization, layout and flattening become part of it.
 *
 * @param image  [C, H, W] of the data; without it the network is taken as it is
 * @throws TemperError `bad-shape` where images of that shape cannot be fed, saying what the network wants
 */
export const loadClassifier = async (
  path: string,
  image?: readonly [number, number, number],
  adapter: InputAdapter = {},
): Promise<Classifier> =>
  fitted(
    path,
    await named(path, async () => {
      const { model: proto, external } = await readModelFile(path);
      return { proto, model: importModel(proto, { external, batch: "symbolic" }) };
    }),
    image,
    adapter,
  );

/**
 * {@link loadClassifier} from a file's bytes, as a page has them.
 *
 * @param name  says in results and errors which model it is
 */
export const decodeClassifier = async (
  bytes: Uint8Array,
  image?: readonly [number, number, number],
  adapter: InputAdapter = {},
  name = "model",
): Promise<Classifier> =>
  fitted(
    name,
    await named(name, async () => {
      const proto = decodeModel(bytes);
      return { proto, model: importModel(proto, { batch: "symbolic" }) };
    }),
    image,
    adapter,
  );

interface Imported {
  readonly proto: ModelProto;
  readonly model: Model;
}

const fitted = (
  path: string,
  { proto, model }: Imported,
  image: readonly [number, number, number] | undefined,
  adapter: InputAdapter,
): Classifier => {
  const bound = bindParameters(model);
  const { graph, notes } = image ? adapt(path, bound, image, adapter) : { graph: bound, notes: [] };
  return {
    path,
    graph,
    hash: hashOf(proto),
    parameters: countParameters(model),
    metadata: model.metadata,
    notes: [...model.notes, ...notes],
    normalization:
      image && (adapter.mean || adapter.std) ? { mean: adapter.mean ?? [0], std: adapter.std ?? [1] } : undefined,
  };
};

/** What was imported; its errors name it. */
const named = async (path: string, read: () => Promise<Imported>): Promise<Imported> => {
  try {
    return await read();
  } catch (error) {
    if (!isTemperError(error) || error.message.includes(path)) throw error;
    throw new TemperError(error.code, `${path}: ${error.message}`, { cause: error });
  }
};

const countParameters = ({ parameters }: Pick<Model, "parameters">): number =>
  Object.values(parameters).reduce((sum, t) => sum + t.data.length, 0);

const hashOf = (proto: ModelProto): string =>
  encodeModel(proto)
    .reduce((hasher, chunk) => hasher.bytes(chunk), createHasher())
    .digest();

interface Adapted {
  readonly graph: Graph;
  readonly notes: readonly string[];
}

/** The graph behind a new input [N, C, H, W]. */
export const adapt = (
  path: string,
  graph: Graph,
  image: readonly [number, number, number],
  { mean, std, layout }: InputAdapter,
): Adapted => {
  const [old, ...more] = graph.inputs;
  if (!old || more.length > 0)
    throw new TemperError(
      "unsupported",
      `${path}: wants the inputs ${graph.inputs.map((v) => v.node.name).join(", ")}; a classifier has one.`,
    );
  const batch = old.shape[0]!;
  const fitted = fit(path, old.shape, image, layout);
  if (fitted.kind === "same" && !mean && !std) return { graph, notes: [] };
  const images = input(old.node.name, "float32", [batch, ...image]);
  const normalized = normalize(path, images, image[0], mean, std);
  const fed =
    fitted.kind === "nhwc"
      ? transpose(normalized, [0, 2, 3, 1])
      : fitted.kind === "flat"
        ? reshape(layout === "NHWC" ? transpose(normalized, [0, 2, 3, 1]) : normalized, old.shape)
        : normalized;
  const notes = [
    ...(mean || std
      ? [`Pixels are normalized before the network: mean ${mean?.join(", ") ?? 0}, std ${std?.join(", ") ?? 1}.`]
      : []),
    ...(fitted.note ? [fitted.note] : []),
  ];
  return { graph: createGraph(graph.name, [images], apply(graph, { [old.node.name]: fed })), notes };
};

interface Fit {
  readonly kind: "same" | "nhwc" | "flat";
  readonly note?: string;
}
const fit = (
  path: string,
  shape: Shape,
  image: readonly [number, number, number],
  layout: InputAdapter["layout"],
): Fit => {
  const [c, h, w] = image,
    example = shape.slice(1);
  const same = (other: readonly number[]): boolean => formatShape(example) === formatShape(other);
  if (layout !== "NHWC" && same(image)) return { kind: "same" };
  if (layout !== "NCHW" && same([h, w, c]))
    return {
      kind: "nhwc",
      note: `The network takes NHWC images${layout ? "" : " (taken from its input shape)"}; the data is transposed before it.`,
    };
  if (sizeOf(example) === sizeOf(image))
    return {
      kind: "flat",
      note: `Images ${formatShape(image)} are reshaped to the network's input ${formatShape(shape)}, row-major, channels ${layout === "NHWC" ? "last" : "first"}.`,
    };
  throw new TemperError(
    "bad-shape",
    `${path}: takes ${formatShape(shape)} (batch first), but the data's images are ${formatShape(image)}. Give data of the network's size, or --layout.`,
  );
};

const normalize = (
  path: string,
  x: Value,
  channels: number,
  mean: readonly number[] | undefined,
  std: readonly number[] | undefined,
): Value => {
  const perChannel = (values: readonly number[], what: string): Value => {
    if (values.length !== 1 && values.length !== channels)
      throw new TemperError("bad-option", `${path}: ${what} needs 1 or ${channels} numbers, got ${values.length}.`);
    return constant(tensor("float32", [values.length, 1, 1], Float32Array.from(values)) as Tensor);
  };
  if (std?.some((s) => s === 0)) throw new TemperError("bad-option", `${path}: std must not be 0.`);
  const centred = mean ? sub(x, perChannel(mean, "mean")) : x;
  return std ? div(centred, perChannel(std, "std")) : centred;
};
