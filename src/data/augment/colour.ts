import type { ImageView } from "./augmentation.ts";

/** Changes of values that look at the whole image or at a pixel's neighbours. Values stay in the image's range. */

/** Moves the values away from `base` (factor above 1) or towards it. */
const blend = (
  values: Float32Array,
  [low, high]: ImageView["range"],
  factor: number,
  base: Float32Array | number,
): void => {
  for (let i = 0; i < values.length; i++) {
    const from = typeof base === "number" ? base : base[i]!;
    values[i] = Math.min(high, Math.max(low, from + factor * (values[i]! - from)));
  }
};

const eachChannel = (
  { pixels, shape: [, height, width] }: ImageView,
  change: (channel: Float32Array) => void,
): void => {
  for (let at = 0; at < pixels.length; at += height * width) change(pixels.subarray(at, at + height * width));
};

/** Brightness of every pixel: ITU-R 601 for three channels, else their mean. */
const greyOf = (image: ImageView): Float32Array => {
  const [channels, height, width] = image.shape,
    weights = channels === 3 ? [0.299, 0.587, 0.114] : Array.from({ length: channels }, () => 1 / channels),
    grey = new Float32Array(height * width);
  let c = 0;
  eachChannel(image, (channel) => {
    const weight = weights[c++]!;
    for (let i = 0; i < grey.length; i++) grey[i]! += weight * channel[i]!;
  });
  return grey;
};

/** Factor 0: black. */
export const brightness = ({ pixels, range }: ImageView, factor: number): void =>
  blend(pixels, range, factor, range[0]);

/** Factor 0: the image's mean grey. */
export const contrast = (image: ImageView, factor: number): void => {
  const grey = greyOf(image);
  let sum = 0;
  for (let i = 0; i < grey.length; i++) sum += grey[i]!;
  blend(image.pixels, image.range, factor, sum / grey.length);
};

/** Factor 0: grey. */
export const saturation = (image: ImageView, factor: number): void => {
  if (image.shape[0] === 1) return;
  const grey = greyOf(image);
  eachChannel(image, (channel) => blend(channel, image.range, factor, grey));
};

/** Factor 0: every inner pixel the mean of its neighbours and five times itself; the border stays. */
export const sharpness = ({ pixels, shape: [, height, width], range }: ImageView, factor: number): void => {
  const soft = pixels.slice();
  for (let row = 0; row < pixels.length; row += width) {
    const y = (row / width) % height;
    if (y === 0 || y === height - 1) continue;
    for (let i = row + 1; i < row + width - 1; i++) {
      let sum = 4 * pixels[i]!;
      for (let at = i - width; at <= i + width; at += width) sum += pixels[at - 1]! + pixels[at]! + pixels[at + 1]!;
      soft[i] = sum / 13;
    }
  }
  blend(pixels, range, factor, soft);
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

/** Stretches every channel to the whole range. */
export const autocontrast = (image: ImageView): void => {
  const [low, high] = image.range;
  eachChannel(image, (channel) => {
    let least = Infinity,
      most = -Infinity;
    for (let i = 0; i < channel.length; i++) {
      least = Math.min(least, channel[i]!);
      most = Math.max(most, channel[i]!);
    }
    if (most <= least) return;
    const scale = (high - low) / (most - least);
    for (let i = 0; i < channel.length; i++) channel[i] = low + scale * (channel[i]! - least);
  });
};

/** Makes all bytes about equally frequent in every channel, by the histogram as Pillow does it. */
export const equalize = (image: ImageView): void =>
  eachChannel(image, (channel) => {
    const counts = new Uint32Array(256),
      table = new Float32Array(256);
    let last = 0;
    for (let i = 0; i < channel.length; i++) counts[byteOf(channel[i]!, image.range)]!++;
    for (let byte = 0; byte < 256; byte++) if (counts[byte]! > 0) last = counts[byte]!;
    const step = Math.floor((channel.length - last) / 255);
    if (step === 0) return;
    for (let byte = 0, sum = Math.floor(step / 2); byte < 256; sum += counts[byte++]!)
      table[byte] = fromByte(Math.min(255, Math.floor(sum / step)), image.range);
    for (let i = 0; i < channel.length; i++) channel[i] = table[byteOf(channel[i]!, image.range)]!;
  });
