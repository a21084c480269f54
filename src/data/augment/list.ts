import { lookup, type OptionSpec, resolveOptions, TemperError } from "../../core/index.ts";

/** A member of a registry by name, with all of its options. Plain data: it goes into files and between threads. */
export interface Chosen {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

type Registry = Readonly<Record<string, { readonly options: OptionSpec }>>;

/** Fills in the options of a choice. @throws TemperError `not-found`, `bad-option` */
export const choose = (registry: Registry, kind: string, name: string, options: Chosen["options"] = {}): Chosen => ({
  name,
  options: resolveOptions(name, lookup(registry, name, kind).options, options),
});

/**
 * Reads names with values: `crop,flip,cutout=8`, `randaugment=2:14`. Values stand for the options in the order in which the
 * record declares them; what is not given has its default.
 *
 * @throws TemperError `not-found`: an unknown name; `bad-option`: a value that does not fit, or too many
 */
export const parseList = (registry: Registry, kind: string, text: string): readonly Chosen[] =>
  text.trim() === "" ? [] : text.split(",").map((entry) => parseOne(registry, kind, entry.trim()));

const parseOne = (registry: Registry, kind: string, entry: string): Chosen => {
  const at = entry.indexOf("="),
    name = at < 0 ? entry : entry.slice(0, at),
    values = at < 0 ? [] : entry.slice(at + 1).split(":"),
    known = Object.keys(lookup(registry, name, kind).options);
  if (values.length > known.length)
    throw new TemperError(
      "bad-option",
      `${name} takes at most ${known.length} values (${known.join(":")}), got ${entry.slice(at + 1)}.`,
    );
  return choose(registry, kind, name, Object.fromEntries(values.map((value, i) => [known[i]!, value])));
};
