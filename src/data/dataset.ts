import { TemperError, createHasher, formatShape, sizeOf } from "../core/index.ts";

export type Split = "train" | "validation" | "test";
export const SPLITS: readonly Split[] = ["train", "validation", "test"];

/**
 * Labelled images in memory. Pixels stay as they were stored (a byte each for most sets); {@link batchOf} gives them
 * as float32 numbers in `range`.
 */
export interface Dataset {
  readonly name: string;
  readonly split: Split;
  /** Stored values, row-major [n, C, H, W]. */
  readonly pixels: Uint8Array | Float32Array;
  /** One class index an image, 0 to classes.length - 1. */
  readonly labels: Int32Array;
  /** Of one image: [C, H, W]. */
  readonly shape: readonly [number, number, number];
  readonly classes: readonly string[];
  /** What stands in `pixels` for the lowest and the highest value of `range`. */
  readonly stored: readonly [low: number, high: number];
  /** Lowest and highest value of the images that {@link batchOf} gives; [0, 1] unless `inRange` changed it. */
  readonly range: readonly [low: number, high: number];
  readonly layout: "NCHW";
  /** Where it came from: a generator with its seed, or files. */
  readonly source: string;
  /** Fingerprint of shape, stored pixels and labels. */
  readonly hash: string;
  /** What was assumed in reading it (layout, range, class names), for the report. */
  readonly notes: readonly string[];
}

/** A data set's facts without its pixels, as reports show them. */
export interface DatasetSummary {
  readonly name: string;
  readonly split: Split;
  readonly count: number;
  readonly shape: readonly [number, number, number];
  readonly layout: "NCHW";
  readonly range: readonly [number, number];
  readonly stored: readonly [number, number];
  readonly classes: readonly string[];
  readonly source: string;
  readonly hash: string;
  readonly notes: readonly string[];
}

/** Images and labels that went into one batch. */
export interface Batch {
  /** [n, C, H, W] in the data set's `range`. */
  readonly x: Float32Array;
  readonly labels: Int32Array;
  readonly shape: readonly [n: number, C: number, H: number, W: number];
}

/** What {@link createDataset} needs; the rest has defaults or is computed. */
export interface DatasetParts {
  readonly name: string;
  readonly split: Split;
  readonly pixels: Uint8Array | Float32Array;
  readonly labels: Int32Array;
  readonly shape: readonly [number, number, number];
  readonly classes: readonly string[];
  readonly stored?: readonly [number, number];
  readonly range?: readonly [number, number];
  readonly source: string;
  readonly notes?: readonly string[];
}

const hashOf = (shape: readonly number[], pixels: ArrayBufferView, labels: Int32Array): string =>
  createHasher().text(formatShape(shape)).bytes(pixels).bytes(labels).digest();

const checkLabels = (source: string, labels: Int32Array, classCount: number): void => {
  for (let i = 0; i < labels.length; i++)
    if (labels[i]! < 0 || labels[i]! >= classCount)
      throw new TemperError(
        "bad-data",
        `${source}: label ${labels[i]!} of image ${i} is not in 0 to ${classCount - 1}.`,
      );
};

const checkValues = (
  source: string,
  pixels: Uint8Array | Float32Array,
  [low, high]: readonly [number, number],
): void => {
  for (let i = 0; i < pixels.length; i++)
    if (!(pixels[i]! >= low && pixels[i]! <= high))
      throw new TemperError(
        "bad-data",
        `${source}: pixel value ${pixels[i]!} is outside [${low}, ${high}]. Give the range that they have (pixelRange, --pixel-range).`,
      );
};

const checkRange = (owner: string, [low, high]: readonly [number, number]): void => {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high))
    throw new TemperError(
      "bad-option",
      `${owner}: a range must be two finite numbers, the lower first, got [${low}, ${high}].`,
    );
};

/**
 * Checks the parts against each other and computes the fingerprint.
 *
 * @throws TemperError `bad-data`: no images, counts that differ, labels beyond the classes, values beyond `stored`
 */
export const createDataset = (parts: DatasetParts): Dataset => {
  const { source, pixels, labels, shape, classes, notes = [], range = [0, 1] } = parts;
  const { stored = pixels instanceof Uint8Array ? [0, 255] : [0, 1] } = parts;
  const size = sizeOf(shape);
  if (labels.length === 0 || size === 0) throw new TemperError("bad-data", `${source}: holds no images.`);
  if (pixels.length !== labels.length * size)
    throw new TemperError(
      "bad-data",
      `${source}: ${labels.length} labels but ${pixels.length / size} images ${formatShape(shape)}.`,
    );
  checkRange(source, stored);
  checkRange(source, range);
  checkLabels(source, labels, classes.length);
  if (pixels instanceof Float32Array || stored[0] > 0 || stored[1] < 255) checkValues(source, pixels, stored);
  const hash = hashOf(shape, pixels, labels);
  const { name, split } = parts;
  return { name, split, pixels, labels, shape, classes, stored, range, layout: "NCHW", source, hash, notes };
};

/** Number of images. */
export const countOf = (dataset: Dataset): number => dataset.labels.length;

/** The facts that a report shows: everything but the pixels. */
export const describeDataset = (dataset: Dataset): DatasetSummary => {
  const { name, split, shape, layout, range, stored, classes, source, hash, notes } = dataset;
  return { name, split, count: countOf(dataset), shape, layout, range, stored, classes, source, hash, notes };
};

/** Writes image `index` of a data set to `x`, from element `at` on. */
export type ImageWriter = (index: number, x: Float32Array, at: number) => void;

/** How images of the data set become float32 numbers in its range. @throws as {@link batchOf}, when it is called */
export const imageWriter = (dataset: Dataset): ImageWriter => {
  const { pixels, stored, range } = dataset,
    [from] = stored,
    [low, high] = range;
  const size = sizeOf(dataset.shape),
    scale = (high - low) / (stored[1] - from),
    isSame = from === low && scale === 1;
  return (index, x, at) => {
    const start = checkIndex(dataset, index) * size,
      end = at + size;
    x.set(pixels.subarray(start, start + size), at); // twice as fast as a table of all bytes
    if (!isSame) for (let k = at; k < end; k++) x[k] = low + scale * (x[k]! - from);
  };
};

const checkIndex = (dataset: Dataset, index: number): number => {
  if (!Number.isInteger(index) || index < 0 || index >= countOf(dataset))
    throw new TemperError(
      "bad-option",
      `${dataset.name} ${dataset.split} has no image ${index}: it has ${countOf(dataset)}.`,
    );
  return index;
};

/**
 * The images at `indices` (in that order, repeats allowed) as float32 numbers in the data set's range.
 *
 * @throws TemperError `bad-option`: an index that the data set does not have
 */
export const batchOf = (dataset: Dataset, indices: ArrayLike<number>): Batch => {
  const n = indices.length,
    size = sizeOf(dataset.shape);
  const x = new Float32Array(n * size);
  const labels = new Int32Array(n);
  const write = imageWriter(dataset);
  for (let i = 0; i < n; i++) {
    write(indices[i]!, x, i * size);
    labels[i] = dataset.labels[indices[i]!]!;
  }
  return { x, labels, shape: [n, ...dataset.shape] };
};

/** The images start to end - 1 as a batch; see {@link batchOf}. */
export const batchBetween = (dataset: Dataset, start: number, end: number): Batch =>
  batchOf(
    dataset,
    Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i),
  );

/** The images start to end - 1, sharing memory. @throws TemperError `bad-option` where that is not in the data set */
export const sliceDataset = (dataset: Dataset, start: number, end: number): Dataset => {
  const count = countOf(dataset);
  if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= count))
    throw new TemperError(
      "bad-option",
      `Range ${start}:${end} is not within the ${count} images of ${dataset.name} ${dataset.split}.`,
    );
  if (start === 0 && end === count) return dataset;
  const size = sizeOf(dataset.shape);
  const pixels = dataset.pixels.subarray(start * size, end * size);
  const labels = dataset.labels.subarray(start, end);
  return { ...dataset, pixels, labels, hash: hashOf(dataset.shape, pixels, labels) };
};

/** The first `count` images, or all where there are fewer. */
export const takeExamples = (dataset: Dataset, count: number): Dataset =>
  sliceDataset(dataset, 0, Math.min(count, countOf(dataset)));

/** The images at `indices`, in that order, as a copy. @throws TemperError `bad-option`: none, or one that is not there */
export const selectExamples = (dataset: Dataset, indices: ArrayLike<number>): Dataset => {
  if (indices.length === 0) throw new TemperError("bad-option", `${dataset.name}: no image was selected.`);
  const size = sizeOf(dataset.shape);
  const Store = dataset.pixels instanceof Uint8Array ? Uint8Array : Float32Array;
  const pixels = new Store(indices.length * size);
  const labels = new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const index = checkIndex(dataset, indices[i]!);
    labels[i] = dataset.labels[index]!;
    pixels.set(dataset.pixels.subarray(index * size, (index + 1) * size), i * size);
  }
  return { ...dataset, pixels, labels, hash: hashOf(dataset.shape, pixels, labels) };
};

/** The same images in memory that threads share; what is there already stays. */
export const shareDataset = (dataset: Dataset): Dataset => ({
  ...dataset,
  pixels: inSharedMemory(dataset.pixels),
  labels: inSharedMemory(dataset.labels),
});
const inSharedMemory = <A extends Uint8Array | Float32Array | Int32Array>(array: A): A => {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  const Store = array.constructor as new (buffer: SharedArrayBuffer) => A;
  const copy = new Store(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
};

/** The same images, given in another range from now on (say [-1, 1] or [0, 255]). Nothing is copied. */
export const inRange = (dataset: Dataset, range: readonly [number, number]): Dataset => {
  checkRange(dataset.name, range);
  return { ...dataset, range };
};

/**
 * Applies a range as the command line gives it: `0:1000`, `500:`, `:200`, end excluded. An end beyond the data set is
 * cut to its size, and a note says so.
 *
 * @throws TemperError `bad-option`: another form, or nothing left
 */
export const applyRange = (dataset: Dataset, text: string): Dataset => {
  const match = /^(\d{0,15}):(\d{0,15})$/.exec(text.trim());
  if (!match) throw new TemperError("bad-option", `A range of images is written start:end (0:1000), got ${text}.`);
  const count = countOf(dataset);
  const start = Number(match[1] || 0);
  const wanted = match[2] ? Number(match[2]) : count;
  if (start >= count || start >= wanted)
    throw new TemperError(
      "bad-option",
      `Range ${text.trim()} leaves none of the ${count} images of ${dataset.name} ${dataset.split}.`,
    );
  const part = sliceDataset(dataset, start, Math.min(wanted, count));
  const note = `range ${text.trim()} was cut to the ${count} images that there are`;
  return wanted > count ? { ...part, notes: [...part.notes, note] } : part;
};
