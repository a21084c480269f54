import { type Rng, TemperError, createRng } from "../core/index.ts";
import { type Dataset, type Split, createDataset } from "./dataset.ts";
import { GLYPH_SIZE, renderGlyph } from "./glyph-render.ts";
import { DRAWINGS } from "./glyph-strokes.ts";

/** Images of each split where no count is given. */
export const GLYPH_COUNTS: Readonly<Record<Split, number>> = { train: 6000, validation: 1000, test: 2000 };

/** Far more than training needs; keeps a mistyped count from filling the memory. */
const MAX_COUNT = 1_000_000;
const GLYPH_CLASSES = Array.from({ length: 10 }, (_, digit) => String(digit));

const splitStream = (seed: number, split: Split): Rng => createRng(seed).split("glyphs").split(split);

/** Every ten images in a row hold each digit once, in random order. */
const digitAt = (stream: Rng, index: number): number =>
  stream
    .split("order")
    .split(Math.floor(index / 10))
    .permutation(10)[index % 10]!;

const drawInto = (stream: Rng, index: number, out: Uint8Array): number => {
  const digit = digitAt(stream, index);
  const rng = stream.split(index);
  const ways = DRAWINGS[digit]!;
  renderGlyph(ways[rng.int(ways.length)]!, rng, out);
  return digit;
};

/** One example: depends on seed, split and index alone, so a larger set begins with the smaller one. */
export const glyphAt = (seed: number, split: Split, index: number): { pixels: Uint8Array; label: number } => {
  const pixels = new Uint8Array(GLYPH_SIZE * GLYPH_SIZE);
  const label = drawInto(splitStream(seed, split), index, pixels);
  return { pixels, label };
};

/**
 * The built-in data set: handwritten-like digits, 28 x 28, grey, drawn from strokes with random bends, rotation
 * (15 degrees), shear, scale, shift, pen width, brightness and noise. Needs no file and no network. The splits are
 * drawn from separate random streams.
 *
 * @throws TemperError `bad-option`: a count outside 1 to 1,000,000, or a seed that is no integer
 */
export const glyphs = ({
  split = "test",
  count = GLYPH_COUNTS[split],
  seed = 0,
}: {
  readonly split?: Split | undefined;
  readonly count?: number | undefined;
  readonly seed?: number | undefined;
} = {}): Dataset => {
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT)
    throw new TemperError("bad-option", `glyphs: count must be an integer from 1 to ${MAX_COUNT}, got ${count}.`);
  if (!Number.isSafeInteger(seed)) throw new TemperError("bad-option", `glyphs: seed must be an integer, got ${seed}.`);
  const area = GLYPH_SIZE * GLYPH_SIZE;
  const pixels = new Uint8Array(count * area);
  const stream = splitStream(seed, split);
  const labels = Int32Array.from({ length: count }, (_, i) =>
    drawInto(stream, i, pixels.subarray(i * area, (i + 1) * area)),
  );
  const source = `built-in generator glyphs, seed ${seed}`;
  return createDataset({
    name: "glyphs",
    split,
    pixels,
    labels,
    shape: [1, GLYPH_SIZE, GLYPH_SIZE],
    classes: GLYPH_CLASSES,
    source,
  });
};
