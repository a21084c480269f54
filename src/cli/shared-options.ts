import { basename } from "node:path";
import {
  bool,
  choice,
  float,
  int,
  many,
  numbers,
  type OptionSpec,
  type OptionValues,
  readChosen,
  size,
  text,
  TemperError,
} from "../core/index.ts";
import { countOf, type Dataset, inRange, loadDataset, type Split } from "../data/index.ts";
import { type AttackSpec, checkAttack, type Fraction } from "../evaluate/index.ts";
import { type Classifier, loadClassifier } from "../models/index.ts";
import { DEVICES, type Winograd } from "../runtime/index.ts";
import type { NormName } from "../threat/index.ts";
import { dataRoot } from "./data-root.ts";
import type { Output } from "./output.ts";

/** Options of every command that feeds data to a model. */
export const dataOptions = {
  data: text({
    default: "glyphs",
    help: "built-in name (glyphs), a fetched set (mnist, fashion-mnist, cifar10), a file or a folder",
  }),
  split: choice(["test", "train", "validation"], { default: "test", help: "part of the data" }),
  range: text({
    default: undefined,
    help: "examples to use, end excluded, such as 0:1000",
    expected: "two numbers such as 0:1000",
  }),
  pixelRange: text({
    default: undefined,
    help: "range of the values in float arrays, such as 0:1, where the file does not tell",
    expected: "two numbers such as 0:1",
  }),
  dataLayout: choice(["auto", "NCHW", "NHWC"], { default: "auto", help: "order of the axes in .npy and .npz images" }),
} as const;

/** Options that say what the model wants where its file does not. */
export const modelOptions = {
  inputRange: text({
    default: undefined,
    help: "range of pixels that the model takes, such as 0:255 (default 0:1, or what the file declares)",
    expected: "two numbers such as 0:255",
  }),
  mean: numbers({ default: [], help: "per-channel mean to subtract before the model" }),
  std: numbers({ default: [], help: "per-channel deviation to divide by before the model" }),
  layout: choice(["auto", "NCHW", "NHWC"], { default: "auto", help: "order of the model's input axes" }),
} as const;

/** Options of the threat set and of how it is attacked. */
export const threatOptions = {
  norm: choice(["linf", "l2", "l1"], { default: "linf", help: "how changes are measured" }),
  epsilon: float({
    default: 8 / 255,
    min: 0,
    help: "largest change, in units of the model's input range; fractions such as 8/255 are read",
  }),
  seed: int({ default: 0, min: 0, help: "seed of every random draw" }),
  batch: int({ default: 0, min: 0, max: 65536, help: "examples a batch; 0: chosen from the size of an example" }),
  memory: size({
    default: 0,
    help: "resident memory to stay within, such as 2GiB, by smaller batches: verdicts stay the same; 0: no limit",
  }),
  threads: int({ default: 0, min: 0, max: 1024, help: "threads of one run; 0: the physical cores" }),
  lanes: int({
    default: 0,
    min: 0,
    max: 1024,
    help: "batches attacked at once, each with its share of the threads: results stay the same; 0: as many as pay",
  }),
  device: choice(DEVICES, { default: "cpu", help: "where the network runs; see `temper doctor`" }),
  winograd: bool({ default: true, help: "gradients may use Winograd's convolutions; verdicts never do" }),
  winogradChannels: int({
    default: 0,
    min: 0,
    max: 65536,
    help: "convolutions of so many channels use them; 0: what suits this machine, see `temper doctor`",
  }),
} as const;

/** What was given of a record's options. */
export const onlyOf = (given: Readonly<Record<string, unknown>>, spec: OptionSpec): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(spec, name)));

export const attackOption = many({
  help: "attack with options, such as pgd:steps=20,restarts=5; see `temper list attacks`",
  expected: "name or name:option=value,...",
});

type DataOptions = Omit<OptionValues<typeof dataOptions>, "split"> & { readonly split: Split };
type ModelOptions = OptionValues<typeof modelOptions>;

/** `0:255` -> [0, 255]. @throws TemperError `bad-option` */
export const parseRange = (flag: string, value: string): readonly [number, number] => {
  const parts = value.split(":").map((part) => (part.trim() === "" ? NaN : Number(part)));
  const [low = NaN, high = NaN] = parts;
  if (parts.length === 2 && low < high && Number.isFinite(low) && Number.isFinite(high)) return [low, high];
  throw new TemperError("bad-option", `${flag} must be two numbers, the lower first, such as 0:255, got ${value}.`);
};

export const openDataset = async (options: DataOptions): Promise<Dataset> => {
  const { data, split, range, pixelRange, dataLayout } = options;
  return loadDataset(data, {
    split,
    range,
    dataRoot: dataRoot(),
    ...(pixelRange !== undefined && { pixelRange: parseRange("--pixel-range", pixelRange) }),
    ...(dataLayout !== "auto" && { layout: dataLayout }),
  });
};

const METADATA_RANGE = "temper.inputRange";

/** The model fitted to the data, and the data in the range that the model takes. */
export const openModel = async (
  path: string,
  data: Dataset,
  options: ModelOptions,
): Promise<{ model: Classifier; dataset: Dataset }> => {
  const { mean, std, layout, inputRange } = options;
  const model = await loadClassifier(path, data.shape, {
    mean: mean.length > 0 ? mean : undefined,
    std: std.length > 0 ? std : undefined,
    layout: layout === "auto" ? undefined : layout,
  });
  const declared = inputRange ?? model.metadata[METADATA_RANGE];
  return { model, dataset: declared === undefined ? data : inRange(data, parseRange("--input-range", declared)) };
};

/** `pgd:steps=20,restarts=5`. @throws TemperError `bad-option`, `not-found`: what the attack's record does not have */
export const parseAttack = (value: string, norm: NormName): Required<AttackSpec> =>
  checkAttack(readChosen("--attack", value), norm);

/** What is measured, and what was assumed about it. */
export const announce = (output: Output, model: Classifier, dataset: Dataset): void => {
  const [c, h, w] = dataset.shape;
  output.print(
    `${basename(model.path)} on ${dataset.name} ${dataset.split}: ${countOf(dataset)} examples ${c}x${h}x${w}, pixels ${dataset.range[0]} to ${dataset.range[1]}`,
  );
  for (const note of [...model.notes, ...dataset.notes]) output.note(`note: ${note}`);
};

/** What was asked for with 0 as "choose yourself", without those. */
export const chosen = ({
  batch,
  threads,
  ...options
}: Pick<OptionValues<typeof threatOptions>, "batch" | "threads" | "winograd" | "winogradChannels">): {
  readonly batch?: number;
  readonly threads?: number;
  readonly winograd: Winograd;
} => ({
  ...(batch > 0 && { batch }),
  ...(threads > 0 && { threads }),
  winograd: winogradOf(options),
});
export const winogradOf = ({
  winograd,
  winogradChannels,
}: Pick<OptionValues<typeof threatOptions>, "winograd" | "winogradChannels">): Winograd =>
  winograd && winogradChannels > 0 ? { minChannels: winogradChannels } : winograd;

/** `98.20 %`. */
export const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

/** `98.20 %  (95 % interval 97.92 to 98.45; 9820 of 10000)`: value, exact interval, counts. */
export const fractionText = ({ value, low, high, count }: Fraction): string =>
  `${percent(value).padStart(8)}  (95 % interval ${(100 * low).toFixed(2)} to ${(100 * high).toFixed(2)}; ${Math.round(value * count)} of ${count})`;
