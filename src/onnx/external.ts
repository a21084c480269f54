import { TemperError } from "../core/index.ts";
import { decodeModel } from "./decode.ts";
import { concatChunks, encodeModel } from "./encode.ts";
import { checkRange, type ExternalData, type ExternalRange, externalRange, isExternal } from "./external-data.ts";
import { quote } from "./quote.ts";
import { storageOf } from "./storage.ts";
import type { ModelProto, TensorProto } from "./types.ts";
import { mapTensors, modelTensors } from "./walk.ts";

// Node's modules are loaded when a function is called: a page may import this folder and never touch a disk.
const loadNode = async () => ({
  fs: await import("node:fs"),
  path: await import("node:path"),
  zlib: await import("node:zlib"),
});
type NodeModules = Awaited<ReturnType<typeof loadNode>>;

/** Tensor data in a data file starts at multiples of this: the page size, so that readers can map the file. */
const PAGE = 4096;
const MAX_FILE_BYTES = 2 ** 31 - 1;

export interface ReadModelOptions {
  /** Bytes that a gzipped file may unpack to. Default 512 MiB. */
  readonly maxUnpackedBytes?: number | undefined;
}

/** A model from disk with the files around it, for `tensorFromProto`. */
export interface ModelFile {
  readonly model: ModelProto;
  readonly external: ExternalData;
}

/**
 * Reads a model file, gzipped (`.onnx.gz`) or not. External data files are only looked at: that they are regular files
 * inside the model's folder and long enough. Their bytes are read, synchronously, when a tensor's values are asked for.
 *
 * @throws TemperError `not-found`: no such file, or no such data file; `bad-file`: malformed, a location outside the
 * folder (by `..`, an absolute path or a symbolic link), a data file that is too short; `unsupported`: too big
 */
export const readModelFile = async (path: string, options: ReadModelOptions = {}): Promise<ModelFile> => {
  const node = await loadNode();
  const bytes = await readWhole(node, path);
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? await unpack(node, path, bytes, options) : bytes;
  const model = decodeModel(plain);
  const folder = node.path.dirname(path);
  for (const { tensor, place } of modelTensors(model))
    if (isExternal(tensor)) locate(node, folder, externalRange(tensor, storageOf(tensor, place).rawBytes, place));
  return { model, external: { read: (range) => readRange(node, folder, range) } };
};

const readWhole = async ({ fs }: NodeModules, path: string): Promise<Uint8Array> => {
  try {
    const info = await fs.promises.stat(path);
    if (!info.isFile()) throw new TemperError("bad-file", `${path} is not a file.`);
    if (info.size > MAX_FILE_BYTES)
      throw new TemperError(
        "unsupported",
        `${path} has ${info.size} bytes; a model file holds at most ${MAX_FILE_BYTES}.`,
      );
    return await fs.promises.readFile(path);
  } catch (error) {
    throw diskError(error, path);
  }
};

/** Errors of the file system in our words; our own pass. */
const diskError = (error: unknown, what: string): TemperError => {
  if (error instanceof TemperError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const missing = code === "ENOENT" || code === "ENOTDIR";
  return missing
    ? new TemperError("not-found", `${what} does not exist.`, { cause: error })
    : new TemperError("bad-file", `${what} cannot be read or written: ${message}.`, { cause: error });
};

const unpack = (
  { zlib }: NodeModules,
  path: string,
  bytes: Uint8Array,
  { maxUnpackedBytes = 2 ** 29 }: ReadModelOptions,
): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    zlib.gunzip(bytes, { maxOutputLength: maxUnpackedBytes }, (error: NodeJS.ErrnoException | null, plain) => {
      if (error === null) resolve(plain);
      else if (error.code === "ERR_BUFFER_TOO_LARGE")
        reject(new TemperError("bad-file", `${path} unpacks to more than maxUnpackedBytes, ${maxUnpackedBytes}.`));
      else reject(new TemperError("bad-file", `${path} is not intact gzip data: ${error.message}.`, { cause: error }));
    });
  });

/** The real path of a data file. Symbolic links are followed, and must stay inside the folder. */
const locate = ({ fs, path }: NodeModules, folder: string, range: ExternalRange): string => {
  const what = `${range.label}: external file ${quote(range.location)}`;
  try {
    const file = fs.realpathSync(path.join(folder, range.location));
    const inside = path.relative(fs.realpathSync(folder), file);
    if (inside === "" || inside.startsWith("..") || path.isAbsolute(inside))
      throw new TemperError("bad-file", `${what} is a link that leaves the model's folder.`);
    const info = fs.statSync(file);
    if (!info.isFile()) throw new TemperError("bad-file", `${what} is not a regular file.`);
    checkRange(range, info.size);
    return file;
  } catch (error) {
    throw diskError(error, what);
  }
};

/** Synchronous, because `tensorFromProto` is: it reads from the page cache what the next step computes with anyway. */
const readRange = (node: NodeModules, folder: string, range: ExternalRange): Uint8Array => {
  const { fs } = node;
  const path = locate(node, folder, range); // again: the file may have changed since the model was read
  let file = -1;
  try {
    file = fs.openSync(path, "r");
    const bytes = new Uint8Array(range.length);
    for (let done = 0; done < range.length;) {
      const count = fs.readSync(file, bytes, done, Math.min(range.length - done, 2 ** 30), range.offset + done);
      if (count === 0)
        throw new TemperError("bad-file", `${range.label}: ${quote(range.location)} ended while it was read.`);
      done += count;
    }
    return bytes;
  } catch (error) {
    throw diskError(error, `${range.label}: external file ${quote(range.location)}`);
  } finally {
    if (file >= 0) fs.closeSync(file);
  }
};

export interface WriteModelOptions {
  /** Initializers of more bytes go into `<file>.data` beside the model. Default: everything stays in one file. */
  readonly externalAbove?: number | undefined;
  /** Needed where the model has external tensors: their values are written anew. */
  readonly external?: ExternalData | undefined;
}

/**
 * Writes a model (gzipped where the path ends in `.gz`) and, if asked, one external data file. Each file is written
 * under a temporary name, flushed and renamed, the data file first: an interrupted call leaves the old model.
 *
 * @throws TemperError `unsupported`: external values without `external`, or 2 GiB and more in the model file
 */
export const writeModelFile = async (
  path: string,
  model: ModelProto,
  { externalAbove = Infinity, external }: WriteModelOptions = {},
): Promise<void> => {
  const node = await loadNode();
  const dataPath = `${path}.data`;
  const plan = moveOut(withoutExternal(model, external), externalAbove, node.path.basename(dataPath));
  const chunks = encodeModel(plan.model);
  const file = path.endsWith(".gz") ? [node.zlib.gzipSync(concatChunks(chunks))] : chunks;
  await writeAll(node, [...(plan.data.length > 0 ? [[dataPath, plan.data] as const] : []), [path, file]]);
};

/**
 * The model with the values of all tensors inside.
 * @throws TemperError `unsupported`: external values without `external`; else as reading them does
 */
export const withoutExternal = (model: ModelProto, external: ExternalData | undefined): ModelProto =>
  mapTensors(model, (tensor, place) => inline(tensor, place, external));

const inline = (tensor: TensorProto, place: string, external: ExternalData | undefined): TensorProto => {
  if (!isExternal(tensor)) return tensor;
  const range = externalRange(tensor, storageOf(tensor, place).rawBytes, place);
  if (external === undefined)
    throw new TemperError(
      "unsupported",
      `${range.label} is in the file ${quote(range.location)}. Pass external to write it.`,
    );
  const { externalData: _, dataLocation: __, ...rest } = tensor;
  return { ...rest, rawData: external.read(range) };
};

/** Moves big initializers of the main graph out; the chunks of the data file include the gaps between tensors. */
const moveOut = (
  model: ModelProto,
  above: number,
  location: string,
): { readonly model: ModelProto; readonly data: readonly Uint8Array[] } => {
  const data: Uint8Array[] = [];
  let offset = 0;
  const move = (tensor: TensorProto): TensorProto => {
    const { rawData, ...rest } = tensor;
    if (rawData === undefined || rawData.length <= above) return tensor;
    storageOf(tensor); // a contradiction must not get a second home
    const gap = (PAGE - (offset % PAGE)) % PAGE;
    if (gap > 0) data.push(new Uint8Array(gap));
    data.push(rawData);
    offset += gap + rawData.length;
    const entries = { location, offset: String(offset - rawData.length), length: String(rawData.length) };
    return { ...rest, externalData: Object.entries(entries).map(([key, value]) => ({ key, value })), dataLocation: 1 };
  };
  const initializer = model.graph?.initializer?.map(move);
  return { model: data.length > 0 ? { ...model, graph: { ...model.graph, initializer: initializer! } } : model, data };
};

/** Writes a file under a temporary name. @returns that name */
const stage = async ({ fs }: NodeModules, path: string, chunks: readonly Uint8Array[]): Promise<string> => {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  const file = await fs.promises.open(temporary, "wx");
  try {
    for (const chunk of chunks) await file.writeFile(chunk); // goes on where the last one ended
    await file.sync();
  } finally {
    await file.close();
  }
  return temporary;
};

/** Writes all files before the first gets its name, so that a full disk changes nothing. */
const writeAll = async (
  node: NodeModules,
  files: readonly (readonly [path: string, chunks: readonly Uint8Array[]])[],
): Promise<void> => {
  const staged: string[] = [];
  try {
    for (const [path, chunks] of files) staged.push(await stage(node, path, chunks));
    for (const [i, [path]] of files.entries()) await node.fs.promises.rename(staged[i]!, path);
  } catch (error) {
    for (const temporary of staged) await node.fs.promises.rm(temporary, { force: true });
    throw diskError(error, files.at(-1)![0]);
  }
};
