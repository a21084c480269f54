import { TemperError } from "../core/index.ts";
import { countOf, type Dataset, type Split } from "../data/index.ts";
import type { DataKind, Reproduction } from "../reproduce/index.ts";
import { openDataset } from "./shared-options.ts";

/** Data that was given, and which thresholds it is for. */
export interface Source {
  readonly kind: DataKind;
  readonly name: string;
  readonly open: (split: Split) => Promise<Dataset>;
}

const sourceOf = (kind: DataKind, data: string, train?: Dataset): Source => ({
  kind,
  name: data,
  open: async (split) =>
    split === "train" && train
      ? train
      : openDataset({ data, split, range: undefined, pixelRange: undefined, dataLayout: "auto" }),
});

/** Opens the training part of everything that was given, to tell what it is. @throws TemperError as `openDataset`; `bad-option` */
export const openSources = async (given: readonly string[]): Promise<readonly Source[]> => {
  const sources: Source[] = [];
  for (const data of given) {
    const train = await sourceOf("mnist", data).open("train");
    sources.push(sourceOf(kindOf(data, train), data, train));
  }
  return sources;
};

/** @throws TemperError `bad-option`: neither of the kinds that experiments have thresholds for */
const kindOf = (data: string, { name, shape, classes }: Dataset): DataKind => {
  const form = shape.join("x");
  if (form === "3x32x32" && classes.length === 10) return "cifar10";
  if (form === "1x28x28" && name === "glyphs") return "glyphs";
  if (form === "1x28x28" && /^mnist/i.test(name)) return "mnist";
  throw new TemperError(
    "bad-option",
    `--data ${data} is ${form} with ${classes.length} classes, named ${name}. Experiments know glyphs, MNIST (1x28x28, in a folder or file named mnist...) and CIFAR-10 (3x32x32).`,
  );
};

/**
 * The data that each system works with: the first of its kinds that was given; with none given, glyphs.
 *
 * @throws TemperError `bad-option`: what systems lack, before any work begins
 */
export const assignData = (systems: readonly Reproduction[], sources: readonly Source[]): readonly Source[] => {
  const all = sources.length > 0 ? sources : [sourceOf("glyphs", "glyphs")];
  const found = systems.map(({ kinds }) => first(kinds, all));
  const lacking = systems.filter((_, i) => !found[i]).map(({ slug, kinds }) => `${slug} needs ${kinds.join(" or ")}`);
  if (lacking.length > 0)
    throw new TemperError(
      "bad-option",
      `${lacking.join("; ")}. Give it with --data, by name (mnist, cifar10; once: temper data fetch <name>) or as a path; --data may be repeated.`,
    );
  return found as Source[];
};

const first = (kinds: readonly DataKind[], sources: readonly Source[]): Source | undefined =>
  kinds.flatMap((kind) => sources.filter((source) => source.kind === kind))[0];

/** The data of a paper's own configuration: as it was given, else the fetched set. @throws TemperError `bad-option` */
export const fullSource = ({ slug, full }: Reproduction, sources: readonly Source[]): Source => {
  if (sources.length === 0) return sourceOf(full.data, full.data);
  const source = first([full.data], sources);
  if (source) return source;
  throw new TemperError(
    "bad-option",
    `${slug} at full scale needs ${full.data}. Give it with --data, by name or as a path.`,
  );
};

export const partOf = (data: Dataset): { readonly name: string; readonly count: number; readonly hash: string } => ({
  name: `${data.name} ${data.split}`,
  count: countOf(data),
  hash: data.hash,
});
