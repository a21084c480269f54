import { createHasher, isTemperError, TemperError } from "../core/index.ts";
import { apply, createGraph, type Graph, input } from "../graph/index.ts";
import { decodeModel, encodeModel, type ModelProto, readModelFile } from "../onnx/index.ts";
import { bindParameters, importModel, type Model } from "../ops/index.ts";
import { type InputAdapter, inputFeed, onlyInput } from "./input-adapter.ts";

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
    await blaming(path, async () => {
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
    await blaming(name, async () => {
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

/** What is made of a file; errors name the file. */
export const blaming = async <T>(path: string, read: () => Promise<T>): Promise<T> => {
  try {
    return await read();
  } catch (error) {
    if (!isTemperError(error) || error.message.includes(path)) throw error;
    throw new TemperError(error.code, `${path}: ${error.message}`, { cause: error });
  }
};

const countParameters = ({ parameters }: Pick<Model, "parameters">): number =>
  Object.values(parameters).reduce((sum, t) => sum + t.data.length, 0);

export const hashOf = (proto: ModelProto): string =>
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
  adapter: InputAdapter,
): Adapted => {
  const old = onlyInput(path, graph.inputs);
  const { feed, notes } = inputFeed(path, old.shape, image, adapter);
  if (!feed) return { graph, notes };
  const images = input(old.node.name, "float32", [old.shape[0]!, ...image]);
  return { graph: createGraph(graph.name, [images], apply(graph, { [old.node.name]: feed(images) })), notes };
};
