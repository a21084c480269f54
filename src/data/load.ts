import { TemperError, isTemperError, nearest } from "../core/index.ts";
import type { ArrayOptions } from "./arrays.ts";
import { CIFAR10_CLASSES } from "./cifar.ts";
import { type Dataset, SPLITS, type Split, applyRange } from "./dataset.ts";
import { baseName, kindOf } from "./files.ts";
import { GLYPH_COUNTS, glyphs } from "./glyphs.ts";
import { DEFAULT_MAX_BYTES } from "./limits.ts";
import { type ReadContext, loadFile } from "./load-file.ts";
import { loadFolder } from "./load-folder.ts";

/** Which part of which data set, and what its files do not tell. */
export interface LoadOptions extends ArrayOptions {
  /** Default `test`. */
  readonly split?: Split | undefined;
  /** Images start:end, end excluded (`0:1000`); all by default. */
  readonly range?: string | undefined;
  /** Seed of generated data sets; default 0. */
  readonly seed?: number | undefined;
  /** Number of images of generated data sets; the generator's own by default. */
  readonly count?: number | undefined;
  /** Folder that `fetchDataset` fills; needed for named sets that are not generated. */
  readonly dataRoot?: string | undefined;
  /** Most bytes that one file (and the whole set) may take unpacked; default 512 MiB. */
  readonly maxBytes?: number | undefined;
}

/** A data set that has a name of its own. */
export interface BuiltinDataset {
  readonly summary: string;
  /** Generated in memory, or fetched into the data folder once. */
  readonly kind: "generated" | "fetched";
  readonly classes: readonly string[];
}

const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));
const FASHION = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** The data sets that `--data` takes by name. */
export const builtinDatasets = {
  glyphs: { summary: "generated digits, 28 x 28 grey; needs no files", kind: "generated", classes: DIGITS },
  mnist: { summary: "handwritten digits, 28 x 28 grey, 60,000 + 10,000", kind: "fetched", classes: DIGITS },
  "fashion-mnist": { summary: "clothes, 28 x 28 grey, 60,000 + 10,000", kind: "fetched", classes: FASHION },
  cifar10: { summary: "photographs, 32 x 32 colour, 50,000 + 10,000", kind: "fetched", classes: CIFAR10_CLASSES },
} satisfies Record<string, BuiltinDataset>;

export type BuiltinName = keyof typeof builtinDatasets;

const isBuiltin = (name: string): name is BuiltinName => Object.hasOwn(builtinDatasets, name);

const loadFetched = async (name: BuiltinName, options: LoadOptions, context: ReadContext): Promise<Dataset> => {
  const fetch = `Run: temper data fetch ${name}`;
  if (options.dataRoot === undefined)
    throw new TemperError("not-found", `${name} is kept in a data folder, but none was given (dataRoot). ${fetch}`);
  const folder = `${options.dataRoot}/${name}`;
  if ((await kindOf(folder)) !== "folder")
    throw new TemperError("not-found", `${name} is not in ${options.dataRoot}. ${fetch}`);
  try {
    return await loadFolder(folder, { ...context, classes: options.classes ?? builtinDatasets[name].classes });
  } catch (error) {
    if (!isTemperError(error) || error.code !== "not-found" || context.split === "validation") throw error;
    throw new TemperError("not-found", `${error.message} ${fetch}`, { cause: error }); // half of it is there
  }
};

const loadPath = async (path: string, context: ReadContext): Promise<Dataset> => {
  const kind = await kindOf(path);
  if (kind === "folder") return loadFolder(path, context);
  if (kind === "file") return loadFile(path, context);
  const known = Object.keys(builtinDatasets);
  const near = nearest(path, known);
  const hint = near ? ` Did you mean ${near}?` : "";
  throw new TemperError(
    "not-found",
    `${path} is neither a data set nor a path.${hint} Data sets: ${known.join(", ")}.`,
  );
};

const checkSplit = (split: string): Split => {
  const found = SPLITS.find((known) => known === split);
  if (!found) throw new TemperError("bad-option", `split must be one of ${SPLITS.join(", ")}, got ${split}.`);
  return found;
};

/** A range of the generated images needs none behind it: a smaller set is the beginning of a larger one. */
const neededGlyphs = (split: Split, range: string | undefined): number => {
  const [, start, end] = /^\s*(\d*):(\d+)\s*$/.exec(range ?? "") ?? [];
  return Number(start) < Number(end) ? Math.min(Number(end), GLYPH_COUNTS[split]) : GLYPH_COUNTS[split];
};

/**
 * Loads a data set by name (`glyphs`, `mnist`, ...) or path: a file (IDX, .npy, .npz, CIFAR .bin, each also gzip) or a
 * folder with usual names. A name wins over a path; write `./mnist` for a folder of that name. Images come in [0, 1],
 * channels first; what was assumed about range and layout stands in `notes`.
 *
 * @throws TemperError `not-found`: no such name, path or split (says what to do); `bad-option`: range or layout unclear;
 *   `bad-file`, `bad-data`: malformed or contradictory files
 */
export const loadDataset = async (nameOrPath: string, options: LoadOptions = {}): Promise<Dataset> => {
  const split = checkSplit(options.split ?? "test");
  const { layout, pixelRange, classes, maxBytes = DEFAULT_MAX_BYTES } = options;
  const name = isBuiltin(nameOrPath)
    ? nameOrPath
    : baseName(nameOrPath)
        .replace(/(\.gz)?$/, "")
        .replace(/\.[a-z]+$/i, "");
  const context: ReadContext = { name, split, maxBytes, layout, pixelRange, classes };
  const dataset = !isBuiltin(nameOrPath)
    ? await loadPath(nameOrPath, context)
    : builtinDatasets[nameOrPath].kind === "generated"
      ? glyphs({ split, seed: options.seed, count: options.count ?? neededGlyphs(split, options.range) })
      : await loadFetched(nameOrPath, options, context);
  return options.range === undefined ? dataset : applyRange(dataset, options.range);
};
