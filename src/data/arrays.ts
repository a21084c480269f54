import { type Tensor, TemperError, formatShape, sizeOf, toFloat64 } from "../core/index.ts";
import { type Dataset, type Split, createDataset } from "./dataset.ts";

export type Layout = "NCHW" | "NHWC";

/** How plain arrays are to be understood where they do not say it themselves. */
export interface ArrayOptions {
  /** Order of the axes of 4-dimensional image arrays. */
  readonly layout?: Layout | undefined;
  /** Lowest and highest value that the stored numbers may take. */
  readonly pixelRange?: readonly [number, number] | undefined;
  /** Class names in label order. */
  readonly classes?: readonly string[] | undefined;
}

/** Far more classes than any set in use; stops a damaged label from making a list of billions. */
const MAX_CLASSES = 100_000;
const CHANNEL_COUNTS = [1, 3];

const layoutOf = (
  name: string,
  shape: readonly number[],
  given: Layout | undefined,
): { layout: Layout; note: string } => {
  if (given) return { layout: given, note: `layout ${given} as given` };
  const first = CHANNEL_COUNTS.includes(shape[1]!),
    last = CHANNEL_COUNTS.includes(shape[3]!);
  if (first === last)
    throw new TemperError(
      "bad-option",
      `${name}: the layout of images ${formatShape(shape)} is not clear. Give layout NCHW or NHWC.`,
    );
  const layout = first ? "NCHW" : "NHWC";
  return { layout, note: `layout ${layout} recognised from the shape ${formatShape(shape)}` };
};

/** [n, H, W, C] -> [n, C, H, W]. */
const channelsFirst = <T extends Uint8Array | Float32Array>(data: T, [n, h, w, c]: readonly number[]): T => {
  const out = data.slice() as T;
  const area = h! * w!;
  for (let i = 0; i < n!; i++)
    for (let p = 0; p < area; p++)
      for (let k = 0; k < c!; k++) out[(i * c! + k) * area + p] = data[(i * area + p) * c! + k]!;
  return out;
};

const extremes = (values: Float32Array): readonly [number, number] => {
  let low = Infinity,
    high = -Infinity;
  for (const value of values) {
    if (Number.isNaN(value)) return [NaN, NaN];
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
};

interface Values {
  readonly data: Uint8Array | Float32Array;
  readonly stored: readonly [number, number];
  readonly note: string;
}

const readValues = (name: string, images: Tensor, given: readonly [number, number] | undefined): Values => {
  if (images.dtype === "bool")
    return { data: images.data as Uint8Array, stored: [0, 1], note: "values: true or false" };
  if (images.dtype === "uint8") {
    const stored = given ?? [0, 255];
    return { data: images.data as Uint8Array, stored, note: `values: bytes, ${stored.join(" to ")}` };
  }
  const data = images.dtype === "float32" ? (images.data as Float32Array) : Float32Array.from(toFloat64(images));
  if (given) return { data, stored: given, note: `values: ${images.dtype}, ${given.join(" to ")} as given` };
  const [low, high] = extremes(data);
  if (!(low >= 0 && high <= 1))
    throw new TemperError(
      "bad-option",
      `${name}: ${images.dtype} images with values from ${low} to ${high} do not tell their range. Give it (pixelRange, --pixel-range).`,
    );
  return { data, stored: [0, 1], note: `values: ${images.dtype} in [0, 1] (observed: ${low} to ${high})` };
};

interface Images {
  readonly pixels: Uint8Array | Float32Array;
  readonly shape: readonly [number, number, number];
  readonly stored: readonly [number, number];
  readonly notes: readonly string[];
}

const readImages = (name: string, images: Tensor, options: ArrayOptions): Images => {
  const { shape } = images;
  if (shape.length < 2 || shape.length > 4)
    throw new TemperError(
      "bad-shape",
      `${name}: images must be [n, H, W], [n, C, H, W] or [n, H, W, C], got ${formatShape(shape)}.`,
    );
  if (sizeOf(shape) === 0) throw new TemperError("bad-data", `${name}: holds no images (${formatShape(shape)}).`);
  const { data, stored, note } = readValues(name, images, options.pixelRange);
  const [, a, b, c] = shape as [number, number, number, number];
  if (shape.length === 2)
    return { pixels: data, shape: [1, 1, a], stored, notes: [note, `vectors of ${a} values, kept as [1, 1, ${a}]`] };
  if (shape.length === 3) return { pixels: data, shape: [1, a, b], stored, notes: [note] };
  const { layout, note: layoutNote } = layoutOf(name, shape, options.layout);
  if (layout === "NCHW") return { pixels: data, shape: [a, b, c], stored, notes: [note, layoutNote] };
  return { pixels: channelsFirst(data, shape), shape: [c, a, b], stored, notes: [note, layoutNote] };
};

/**
 * Class indices from an array [n] or [n, 1] of whole numbers.
 *
 * @throws TemperError `bad-shape` or `bad-data` where it is something else
 */
export const labelsOf = (name: string, labels: Tensor): Int32Array => {
  const { shape } = labels;
  if (shape.length < 1 || shape.length > 2 || (shape[1] ?? 1) !== 1)
    throw new TemperError("bad-shape", `${name}: labels must be [n] class indices, got ${formatShape(shape)}.`);
  const values = toFloat64(labels);
  for (let i = 0; i < values.length; i++)
    if (!Number.isInteger(values[i]!) || values[i]! < 0 || values[i]! >= MAX_CLASSES)
      throw new TemperError("bad-data", `${name}: label ${values[i]!} of image ${i} is not a class index.`);
  return Int32Array.from(values);
};

/** `0`, `1`, ... up to the highest label that occurs. */
export const numberedClasses = (labels: Int32Array): string[] =>
  Array.from({ length: labels.reduce((most, label) => Math.max(most, label), -1) + 1 }, (_, k) => String(k));

/**
 * Makes a data set of an image array [n, H, W], [n, C, H, W] or [n, H, W, C] (vectors [n, d] become [1, 1, d]) and
 * labels [n]. Bytes count as 0 to 255. Other numbers must lie in [0, 1] or come with `pixelRange`. What was assumed
 * stands in the notes.
 *
 * @throws TemperError `bad-option`: layout or range is not clear; `bad-shape`, `bad-data`: arrays that do not fit
 */
export const datasetFromArrays = (
  facts: { readonly name: string; readonly split: Split; readonly source: string; readonly notes?: readonly string[] },
  images: Tensor,
  labels: Tensor,
  options: ArrayOptions = {},
): Dataset => {
  const classIndices = labelsOf(facts.source, labels);
  if (images.shape[0] !== classIndices.length)
    throw new TemperError(
      "bad-data",
      `${facts.source}: ${classIndices.length} labels for ${images.shape[0] ?? 0} images.`,
    );
  const { notes, ...parts } = readImages(facts.source, images, options);
  const classes = options.classes ?? numberedClasses(classIndices);
  return createDataset({
    ...facts,
    ...parts,
    labels: classIndices,
    classes,
    notes: [...(facts.notes ?? []), ...notes],
  });
};
