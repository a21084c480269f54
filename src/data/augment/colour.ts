import type { ImageView } from "./augmentation.ts";

/** Changes of values that look at the whole image or at a pixel's neighbours. Values stay in the image's range. */

const clipped = (value: number, [low, high]: ImageView["range"]): number => Math.min(high, Math.max(low, value));

/** Moves the values away from `base` (factor above 1) or towards it. */
const blend = ({ pixels, range }: ImageView, factor: number, base: (i: number) => number): void => {
  for (let i = 0; i < pixels.length; i++) {
    const from = base(i);
    pixels[i] = clipped(from + factor * (pixels[i]! - from), range);
  }
};

/** Brightness of every pixel: ITU-R 601 for three channels, else their mean. */
const greyOf = ({ pixels, shape: [channels, height, width] }: ImageView): Float32Array => {
  const weights = channels === 3 ? [0.299, 0.587, 0.114] : Array.from({ length: channels }, () => 1 / channels),
    area = height * width;
  return Float32Array.from({ length: area }, (_, i) =>
    weights.reduce((sum, weight, c) => sum + weight * pixels[c * area + i]!, 0),
  );
};

/** Factor 0: black. */
export const brightness = (image: ImageView, factor: number): void => blend(image, factor, () => image.range[0]);

/** Factor 0: the image's mean grey. */
export const contrast = (image: ImageView, factor: number): void => {
  const grey = greyOf(image),
    mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  blend(image, factor, () => mean);
};

/** Factor 0: grey. */
export const saturation = (image: ImageView, factor: number): void => {
  if (image.shape[0] === 1) return;
  const grey = greyOf(image);
  blend(image, factor, (i) => grey[i % grey.length]!);
};

/** Factor 0: every inner pixel the mean of its neighbours and five times itself; the border stays. */
export const sharpness = (image: ImageView, factor: number): void => {
  const { pixels, shape } = image,
    [, height, width] = shape,
    soft = pixels.slice();
  for (let row = 0; row < pixels.length; row += width) {
    const y = (row / width) % height;
    if (y === 0 || y === height - 1) continue;
    for (let i = row + 1; i < row + width - 1; i++) {
      let sum = 4 * pixels[i]!;
      for (let at = i - width; at <= i + width; at += width) sum += pixels[at - 1]! + pixels[at]! + pixels[at + 1]!;
      soft[i] = sum / 13;
    }
  }
  blend(image, factor, (i) => soft[i]!);
};

/** Value in 0 .. 255, as images are stored. */
const byteOf = (value: number, [low, high]: ImageView["range"]): number =>
  Math.round((255 * (value - low)) / (high - low));
const fromByte = (byte: number, [low, high]: ImageView["range"]): number => low + ((high - low) * byte) / 255;

/** Keeps the upper `bits` of the 8 that a value has as a byte. */
export const posterize = ({ pixels, range }: ImageView, bits: number): void => {
  const mask = 256 - 2 ** (8 - bits);
  for (let i = 0; i < pixels.length; i++) pixels[i] = fromByte(byteOf(pixels[i]!, range) & mask, range);
};

/** Inverts the values from `threshold` (0 to 255) on. */
export const solarize = ({ pixels, range }: ImageView, threshold: number): void => {
  const [low, high] = range,
    from = fromByte(threshold, range);
  for (let i = 0; i < pixels.length; i++) if (pixels[i]! >= from) pixels[i] = low + high - pixels[i]!;
};

const eachChannel = (
  { pixels, shape: [, height, width] }: ImageView,
  change: (channel: Float32Array) => void,
): void => {
  for (let at = 0; at < pixels.length; at += height * width) change(pixels.subarray(at, at + height * width));
};

/** Stretches every channel to the whole range. */
export const autocontrast = (image: ImageView): void => {
  const [low, high] = image.range;
  eachChannel(image, (channel) => {
    let least = Infinity,
      most = -Infinity;
    for (const value of channel) {
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    if (most <= least) return;
    const scale = (high - low) / (most - least);
    for (let i = 0; i < channel.length; i++) channel[i] = low + scale * (channel[i]! - least);
  });
};

/** Makes all bytes about equally frequent in every channel, by the histogram as Pillow does it. */
export const equalize = (image: ImageView): void =>
  eachChannel(image, (channel) => {
    const counts = new Uint32Array(256);
    for (const value of channel) counts[byteOf(value, image.range)]!++;
    const used = counts.filter((count) => count > 0),
      step = Math.floor((channel.length - used.at(-1)!) / 255);
    if (step === 0) return;
    let sum = Math.floor(step / 2);
    const table = Float32Array.from(counts, (count) => {
      const byte = Math.min(255, Math.floor(sum / step));
      sum += count;
      return fromByte(byte, image.range);
    });
    for (let i = 0; i < channel.length; i++) channel[i] = table[byteOf(channel[i]!, image.range)]!;
  });
