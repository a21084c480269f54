import { type Tensor, TemperError } from "../core/index.ts";
import { type ArrayOptions, datasetFromArrays } from "./arrays.ts";
import { CIFAR10_CLASSES, type CifarRecords, readCifar } from "./cifar.ts";
import { type Dataset, type Split, createDataset } from "./dataset.ts";
import { baseName, kindOf, readDataFile } from "./files.ts";
import { isIdx, readIdx } from "./idx.ts";
import { badFile, checkSize } from "./limits.ts";
import { isNpy, readNpy } from "./npy.ts";
import { readNpz } from "./npz.ts";
import { SPLIT_WORDS, missingSplit, splitOfName } from "./split-names.ts";
import { isZip, listZip } from "./zip.ts";

/** What the readers of files and folders need to know. */
export interface ReadContext extends ArrayOptions {
  readonly name: string;
  readonly split: Split;
  readonly maxBytes: number;
}

const IMAGE_WORDS = ["x", "images", "image", "data", "inputs"];
const LABEL_WORDS = ["y", "labels", "label", "targets", "target"];

const firstExisting = async (paths: readonly string[]): Promise<string | undefined> => {
  for (const path of paths) if ((await kindOf(path)) === "file") return path;
  return undefined;
};

/** Replaces the last part of a path. */
const beside = (path: string, name: string): string => path.slice(0, path.length - baseName(path).length) + name;

const withAndWithoutGz = (path: string): string[] =>
  path.endsWith(".gz") ? [path, path.slice(0, -3)] : [path, `${path}.gz`];

const labelFile = async (path: string, renamed: string): Promise<string> => {
  const candidates = withAndWithoutGz(beside(path, renamed));
  const found = renamed === baseName(path) ? undefined : await firstExisting(candidates);
  if (found === undefined)
    throw new TemperError("not-found", `No labels for ${path}: expected ${baseName(candidates[0]!)} beside it.`);
  return found;
};

/** IDX images and their labels. @throws TemperError as `readIdx` and `datasetFromArrays`; `not-found`: no label file */
export const loadIdx = async (path: string, context: ReadContext, bytes?: Uint8Array): Promise<Dataset> => {
  const images = readIdx(path, bytes ?? (await readDataFile(path, context.maxBytes)));
  if (images.shape.length < 2) throw badFile(path, "holds no images but labels. Give the images file.");
  const labelsPath = await labelFile(path, baseName(path).replace("images", "labels").replace(/idx\d/, "idx1"));
  const labels = readIdx(labelsPath, await readDataFile(labelsPath, context.maxBytes));
  return datasetFromArrays({ ...context, source: path }, images, labels, context);
};

/** An array file `x_test.npy` or `test_images.npy` and its labels `y_test.npy` or `test_labels.npy`. */
const loadNpy = async (path: string, context: ReadContext, bytes: Uint8Array): Promise<Dataset> => {
  const renamed = baseName(path)
    .replace(/images|inputs/i, "labels")
    .replace(/(^|_)x(?=[_.])/i, "$1y");
  const labelsPath = await labelFile(path, renamed);
  const labels = readNpy(labelsPath, await readDataFile(labelsPath, context.maxBytes));
  return datasetFromArrays({ ...context, source: path }, readNpy(path, bytes), labels, context);
};

/** `x_test`, `test_x`, ... for each word. */
const splitKeys = (words: readonly string[], split: Split): string[] =>
  SPLIT_WORDS[split].flatMap((end) => words.flatMap((word) => [`${word}_${end}`, `${end}_${word}`]));

const findKey = (names: readonly string[], keys: readonly string[]): string | undefined =>
  keys.map((key) => names.find((name) => name.toLowerCase() === key)).find((name) => name !== undefined);

interface ArrayNames {
  readonly images: string;
  readonly labels: string;
  readonly notes: readonly string[];
}

/** Finds the image and label arrays of a split, else those that name no split. */
const arraysOf = (path: string, names: readonly string[], split: Split): ArrayNames => {
  const images = findKey(names, splitKeys(IMAGE_WORDS, split)),
    labels = findKey(names, splitKeys(LABEL_WORDS, split));
  if (images !== undefined && labels !== undefined) return { images, labels, notes: [] };
  const plainImages = findKey(names, IMAGE_WORDS),
    plainLabels = findKey(names, LABEL_WORDS);
  const told = splitOfName(baseName(path));
  if (plainImages !== undefined && plainLabels !== undefined) {
    if (told !== undefined && told !== split) throw missingSplit(path, split, { [told]: true });
    const notes = told === undefined ? [`${baseName(path)} does not name splits: all of it was taken as ${split}`] : [];
    return { images: plainImages, labels: plainLabels, notes };
  }
  throw new TemperError(
    "not-found",
    `${path} holds no images and labels for ${split}: expected arrays x and y (or images and labels, x_${split} and ` +
      `y_${split}), found ${names.join(", ") || "none"}.`,
  );
};

const loadNpz = (path: string, context: ReadContext, bytes: Uint8Array): Dataset => {
  const names = listZip(path, bytes)
    .filter((name) => name.endsWith(".npy"))
    .map((name) => name.slice(0, -4));
  const { images, labels, notes } = arraysOf(path, names, context.split);
  const { maxBytes } = context;
  const arrays = readNpz(path, bytes, { maxBytes, wanted: (name) => name === images || name === labels });
  const array = (name: string): Tensor => arrays.get(name)!; // both were listed, and readNpz throws where one is bad
  return datasetFromArrays({ ...context, source: path, notes }, array(images), array(labels), context);
};

const joinRecords = (parts: readonly CifarRecords[]): { pixels: Uint8Array; labels: Int32Array } => {
  if (parts.length === 1) return parts[0]!;
  const pixels = new Uint8Array(parts.reduce((sum, part) => sum + part.pixels.length, 0));
  const labels = new Int32Array(parts.reduce((sum, part) => sum + part.labels.length, 0));
  let at = 0;
  for (const part of parts) {
    pixels.set(part.pixels, at * 3072);
    labels.set(part.labels, at);
    at += part.labels.length;
  }
  return { pixels, labels };
};

/** Class names from the publisher's list beside the records, else the usual ones. */
const cifarClasses = async (path: string, classCount: 10 | 100): Promise<{ classes: string[]; notes: string[] }> => {
  const list = beside(path, classCount === 10 ? "batches.meta.txt" : "fine_label_names.txt");
  if ((await kindOf(list)) === "file") {
    const text = new TextDecoder().decode(await readDataFile(list, 65_536));
    const classes = text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== "");
    if (classes.length !== classCount)
      throw badFile(list, `must name ${classCount} classes, one a line, but names ${classes.length}.`);
    return { classes, notes: [] };
  }
  if (classCount === 10)
    return { classes: CIFAR10_CLASSES, notes: ["class names: those of CIFAR-10 (no list beside the file)"] };
  return {
    classes: Array.from({ length: 100 }, (_, k) => String(k)),
    notes: ["classes are numbered (no list beside the file)"],
  };
};

/** One or more CIFAR binary files as one data set. @throws TemperError as `readCifar` */
export const loadCifar = async (
  paths: readonly string[],
  context: ReadContext,
  first?: Uint8Array,
): Promise<Dataset> => {
  const parts: CifarRecords[] = [];
  let total = 0;
  for (const path of paths) {
    parts.push(readCifar(path, first && parts.length === 0 ? first : await readDataFile(path, context.maxBytes)));
    total += parts.at(-1)!.pixels.length;
    checkSize(path, total, context.maxBytes);
    if (parts.at(-1)!.classCount !== parts[0]!.classCount)
      throw badFile(path, `has CIFAR-${parts.at(-1)!.classCount} records, ${paths[0]!} CIFAR-${parts[0]!.classCount}.`);
  }
  const { classes, notes } = context.classes
    ? { classes: context.classes, notes: [] }
    : await cifarClasses(paths[0]!, parts[0]!.classCount);
  return createDataset({
    ...context,
    ...joinRecords(parts),
    shape: [3, 32, 32],
    classes,
    source: paths.join(", "),
    notes,
  });
};

/**
 * Loads one data file by its first bytes, gzip or not: IDX images (labels beside), .npy (labels beside), .npz, CIFAR
 * binary records.
 *
 * @throws TemperError `bad-file`: none of these, or malformed
 */
export const loadFile = async (path: string, context: ReadContext): Promise<Dataset> => {
  const bytes = await readDataFile(path, context.maxBytes);
  if (isNpy(bytes)) return loadNpy(path, context, bytes);
  if (isZip(bytes)) return loadNpz(path, context, bytes);
  if (/\.bin(\.gz)?$/i.test(path)) return loadCifar([path], context, bytes);
  if (isIdx(bytes)) return loadIdx(path, context, bytes);
  throw badFile(
    path,
    "is no data set that can be read. Known: IDX images, .npy, .npz, CIFAR .bin, each also as .gz, or a folder.",
  );
};
