import { TemperError } from "../core/index.ts";
import { type Dataset, type Split, createDataset } from "./dataset.ts";
import type { Image } from "./image.ts";
import { decodeJpeg, isJpeg } from "./jpeg.ts";
import { DEFAULT_MAX_BYTES, badFile, checkSize } from "./limits.ts";
import { decodePng, isPng } from "./png.ts";

/** Decodes a PNG or JPEG file by its first bytes. @throws TemperError as {@link decodePng} and {@link decodeJpeg} */
export const decodeImage = (name: string, bytes: Uint8Array): Image => {
  if (isPng(bytes)) return decodePng(name, bytes);
  if (isJpeg(bytes)) return decodeJpeg(name, bytes);
  throw badFile(name, "is neither a PNG nor a JPEG file.");
};

/** One picture of a class. */
export interface LabelledImage {
  readonly name: string;
  readonly label: number;
  readonly image: Image;
}

const checkAlike = (items: readonly LabelledImage[]): LabelledImage => {
  const first = items[0]!;
  const { width, height, maximum } = first.image;
  for (const { name, image } of items) {
    if (image.width !== width || image.height !== height)
      throw new TemperError(
        "bad-data",
        `${name} has ${image.width}x${image.height} pixels, ${first.name} ${width}x${height}. All images must have one size.`,
      );
    if (image.maximum !== maximum)
      throw new TemperError(
        "bad-data",
        `${name} and ${first.name} differ in bits a sample (8 and 16). Store them alike.`,
      );
  }
  return first;
};

/** Interleaved -> one plane a channel, at image `index`; a grey picture among coloured ones fills all planes. */
const place = (
  out: Uint8Array | Float32Array,
  index: number,
  channels: number,
  { image, scale }: { image: Image; scale: number },
): void => {
  const area = image.width * image.height;
  for (let k = 0; k < channels; k++) {
    const from = image.channels === 1 ? 0 : k;
    const to = (index * channels + k) * area;
    for (let p = 0; p < area; p++) out[to + p] = image.data[p * image.channels + from]! * scale;
  }
};

const notesOn = (items: readonly LabelledImage[], channels: number): string[] => {
  const mixed = channels === 3 ? items.filter(({ image }) => image.channels === 1).length : 0;
  const alpha = items.filter(({ image }) => image.droppedAlpha).length;
  return [
    ...(mixed > 0 ? [`${mixed} grey images were given three equal channels`] : []),
    ...(alpha > 0 ? [`transparency of ${alpha} images was dropped`] : []),
  ];
};

/**
 * Makes a data set of decoded pictures of one size. 8-bit pictures keep a byte a sample, 16-bit ones become float32.
 *
 * @throws TemperError `bad-data`: none, or they differ in size or bits (the first that differs is named); `bad-file`:
 *   more than `maxBytes` in all
 */
export const datasetFromImages = (
  facts: {
    readonly name: string;
    readonly split: Split;
    readonly source: string;
    readonly classes: readonly string[];
    readonly notes?: readonly string[];
  },
  items: readonly LabelledImage[],
  maxBytes = DEFAULT_MAX_BYTES,
): Dataset => {
  if (items.length === 0) throw new TemperError("bad-data", `${facts.source}: holds no images.`);
  const { width, height, maximum } = checkAlike(items).image;
  const channels = items.some(({ image }) => image.channels === 3) ? 3 : 1;
  const size = items.length * channels * height * width;
  checkSize(facts.source, maximum === 255 ? size : 4 * size, maxBytes);
  const pixels = maximum === 255 ? new Uint8Array(size) : new Float32Array(size);
  const scale = maximum === 255 ? 1 : 1 / maximum;
  items.forEach(({ image }, index) => place(pixels, index, channels, { image, scale }));
  const labels = Int32Array.from(items, ({ label }) => label);
  const notes = [...(facts.notes ?? []), ...notesOn(items, channels)];
  return createDataset({ ...facts, pixels, labels, shape: [channels, height, width], notes });
};
