import { encode } from "fast-png";
import type { EvaluationResult, ExampleRow } from "../evaluate/index.ts";
import { count, epsilonText, significant } from "./format.ts";
import { html, type Html } from "./html.ts";
import { valueBars } from "./svg.ts";

/** How one example is shown: as pixels, or as numbers where the input is no image. */
export interface PictureForm {
  readonly width: number;
  readonly height: number;
  /** Channels of the picture, and of the example; where they differ the first is shown. */
  readonly channels: 1 | 3;
  readonly given: number;
}

/** [C, H, W] and [H, W] are images; anything else is a vector (undefined). */
export const pictureForm = (shape: readonly number[]): PictureForm | undefined => {
  if (shape.length !== 2 && shape.length !== 3) return undefined;
  const [width, height, given] = [shape.at(-1)!, shape.at(-2)!, shape.length === 3 ? shape[0]! : 1];
  if (![width, height, given].every((s) => Number.isSafeInteger(s) && s >= 1)) return undefined;
  return { width, height, channels: given === 3 ? 3 : 1, given };
};

/** Bytes of the picture, channels interleaved; `low` is black and `high` white. Values that are no numbers are black. */
export const pictureBytes = (pixels: ArrayLike<number>, form: PictureForm, low: number, high: number): Uint8Array => {
  const { width, height, channels } = form,
    plane = width * height,
    out = new Uint8Array(plane * channels);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < plane; i++) {
      const level = (255 * ((pixels[c * plane + i] ?? NaN) - low)) / (high - low);
      out[i * channels + c] = Math.round(Math.min(255, Math.max(0, level))); // NaN is stored as 0
    }
  return out;
};

/** A PNG as a data URL. */
export const pngUrl = (data: Uint8Array, width: number, height: number, channels: 1 | 3): string => {
  const bytes = encode({ width, height, data, channels, depth: 8 });
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return `data:image/png;base64,${btoa(text)}`;
};

/** The three pictures of an example, and the scale of the middle one in words. */
export interface ExamplePictures {
  readonly clean: Html;
  readonly change: Html;
  readonly adversarial: Html;
  /** `×5` */
  readonly factor: string;
  /** `grey = no change, black and white = ±0.1` */
  readonly scale: string;
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);

/** Largest absolute difference, and the change itself. */
const changeOf = ({
  pixels,
  adversarialPixels,
}: ExampleRow): { readonly change: number[]; readonly largest: number } => {
  const change = pixels.map((v, i) => finite(adversarialPixels[i]! - v));
  return { change, largest: change.reduce((m, v) => Math.max(m, Math.abs(v)), 0) };
};

/**
 * The change that is shown as black or white: epsilon in linf, the same for all examples; else, or where an attack was
 * allowed more than the main epsilon, the largest change present. Float32 rounding does not count as more.
 */
const boundOf = ({ norm, epsilon }: EvaluationResult["threat"], largest: number): number =>
  norm === "linf" && largest <= epsilon * (1 + 1e-5) ? epsilon : largest;

/** Factors below 10 with one decimal, others whole; `×5`, `×2.5`, `×128`. */
const factorText = (k: number): string => `×${k >= 10 ? Math.round(k) : Number(k.toPrecision(2))}`;

const imageOf = (url: string, { width, height }: PictureForm, alt: string): Html =>
  html`<img
    class="${width <= 128 && height <= 128 ? "pixels" : "photo"}"
    src="${url}"
    width="${width}"
    height="${height}"
    alt="${alt}"
  />`;

/**
 * Clean input, change and adversarial input of an example. The change is shown about mid-grey, scaled so that the
 * largest allowed change per pixel (linf) or the largest one present (other norms) is black or white.
 *
 * @param alts  what the pictures show, for those who do not see them
 */
export const examplePictures = (
  row: ExampleRow,
  { model, threat }: Pick<EvaluationResult, "model" | "threat">,
  alts: { readonly clean: string; readonly adversarial: string },
): ExamplePictures => {
  const { change, largest } = changeOf(row),
    form = pictureForm(model.inputShape),
    [low, high] = threat.box;
  const bound = boundOf(threat, largest) || (high - low) / 2;
  if (!form || row.pixels.length !== form.width * form.height * form.given)
    return vectorPictures(row, change, bound, alts);
  const picture = (pixels: ArrayLike<number>, from: number, to: number, alt: string): Html =>
    imageOf(pngUrl(pictureBytes(pixels, form, from, to), form.width, form.height, form.channels), form, alt);
  const factor = factorText((high - low) / 2 / bound),
    scale =
      largest === 0
        ? "grey = no change; nothing was changed"
        : `grey = no change, black and white = ±${epsilonText(bound)}`;
  return {
    clean: picture(row.pixels, low, high, alts.clean),
    change: picture(change, -bound, bound, `The change, ${factor}: ${scale}`),
    adversarial: picture(row.adversarialPixels, low, high, alts.adversarial),
    factor,
    scale,
  };
};

/** Most values that are drawn as bars; longer vectors become a strip of grey levels, cut at the second number. */
const MOST_BARS = 128,
  MOST_LEVELS = 1024;

/** A vector as bars, or as a strip of grey levels where it is long. */
const drawVector = (values: readonly number[], from: number, to: number, alt: string): Html => {
  if (values.length <= MOST_BARS) return valueBars(values.map(finite), [from, to], alt);
  const width = Math.min(values.length, MOST_LEVELS);
  const url = pngUrl(pictureBytes(values, { width, height: 1, channels: 1, given: 1 }, from, to), width, 1, 1);
  return html`<img class="strip" src="${url}" width="${width}" height="1" alt="${alt}" />`;
};

/** The range that the pictures of both vectors span; bars stand on zero, so that it belongs to their range. */
const vectorRange = ({ pixels, adversarialPixels }: ExampleRow): readonly [number, number] => {
  const start = pixels.length <= MOST_BARS ? 0 : finite(pixels[0]!);
  const values = [...pixels, ...adversarialPixels].map(finite);
  const low = values.reduce((m, v) => Math.min(m, v), start),
    high = values.reduce((m, v) => Math.max(m, v), start);
  return high > low ? [low, high] : [low, low + 1];
};

const vectorPictures = (
  row: ExampleRow,
  change: readonly number[],
  bound: number,
  alts: { readonly clean: string; readonly adversarial: string },
): ExamplePictures => {
  const [from, to] = vectorRange(row),
    length = row.pixels.length,
    factor = factorText((to - from) / 2 / bound);
  const signs = length <= MOST_BARS ? "middle line = no change, edges" : "grey = no change, black and white",
    cut = length > MOST_LEVELS ? `; the first ${count(MOST_LEVELS)} of ${count(length)} values` : "";
  const scale = `${signs} = ±${epsilonText(bound)}${cut}`;
  return {
    clean: drawVector(row.pixels, from, to, `${alts.clean}, values from ${significant(from)} to ${significant(to)}`),
    change: drawVector(change, -bound, bound, `The change, ${factor}: ${scale}`),
    adversarial: drawVector(row.adversarialPixels, from, to, alts.adversarial),
    factor,
    scale,
  };
};
