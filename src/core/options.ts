import { nearest, TemperError } from "./error.ts";

/** One declared option. Type, default, check, command-line flag and documentation all come from it. */
export interface Option<T> {
  readonly kind: "int" | "float" | "choice" | "bool" | "text" | "list" | "many" | "size" | "chosen";
  readonly default: T;
  readonly help: string;
  /** What a valid value looks like, for messages. */
  readonly expected: string;
  readonly choices?: readonly string[];
  /** Turns a given value (already typed, or text from the command line) into a T; undefined where it is not valid. */
  readonly parse: (given: unknown) => T | undefined;
}

/** The `any` is the variance escape of a registry: a spec holds options of different value types. */
// oxlint-disable-next-line no-explicit-any
export type OptionSpec = Readonly<Record<string, Option<any>>>;
export type OptionValues<S extends OptionSpec> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };
export type OptionInput<S extends OptionSpec> = {
  readonly [K in keyof S]?: OptionValues<S>[K] | (OptionValues<S>[K] extends Chosen ? string : never) | undefined;
};

/** A member of a registry, and its options ({@link chosenFrom}). */
export interface Chosen {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Reads a number, also as a fraction (`8/255`). NaN where it is neither. */
export const parseNumber = (given: unknown): number => {
  if (typeof given === "number") return given;
  if (typeof given !== "string" || given.trim() === "") return NaN;
  const [top, bottom, ...rest] = given.split("/");
  if (rest.length > 0) return NaN;
  if (top!.trim() === "" || bottom?.trim() === "") return NaN;
  return bottom === undefined ? Number(top) : Number(top) / Number(bottom);
};

interface Range {
  readonly min?: number;
  readonly max?: number;
}
const within = (value: number, { min = -Infinity, max = Infinity }: Range): number | undefined =>
  value >= min && value <= max ? value : undefined;
const rangeText = ({ min = -Infinity, max = Infinity }: Range): string =>
  min === -Infinity && max === Infinity ? "" : ` from ${min} to ${max}`;

/** A whole number. */
export const int = (spec: { default: number; help: string } & Range): Option<number> => ({
  kind: "int",
  default: spec.default,
  help: spec.help,
  expected: `an integer${rangeText(spec)}`,
  parse: (given) => {
    const value = parseNumber(given);
    return Number.isSafeInteger(value) ? within(value, spec) : undefined;
  },
});

/** A finite number; fractions such as `8/255` are accepted. */
export const float = (spec: { default: number; help: string } & Range): Option<number> => ({
  kind: "float",
  default: spec.default,
  help: spec.help,
  expected: `a number${rangeText(spec)}`,
  parse: (given) => {
    const value = parseNumber(given);
    return Number.isFinite(value) ? within(value, spec) : undefined;
  },
});

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  ...Object.fromEntries(
    [..."kmgt"].flatMap((c, i) => [
      [`${c}b`, 1000 ** (i + 1)],
      [`${c}ib`, 1024 ** (i + 1)],
    ]),
  ),
};

/** Bytes: a number, or text such as `500MB` (millions) or `2GiB` (2^30 each). */
export const size = (spec: { default: number; help: string }): Option<number> => ({
  kind: "size",
  default: spec.default,
  help: spec.help,
  expected: "a size such as 500MB or 2GiB",
  parse: (given) => {
    const [, digits, unit = "b"] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)?\s*$/i.exec(String(given)) ?? [];
    const bytes = Math.round(Number(digits) * (UNITS[unit.toLowerCase()] ?? NaN));
    return Number.isSafeInteger(bytes) ? bytes : undefined;
  },
});

/** `1.5 GB`, `512 kB`: three digits. */
export const formatBytes = (bytes: number): string => {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${["B", "kB", "MB", "GB", "TB"][power]}`;
};

/** One of a fixed set of words. */
export const choice = <const C extends readonly string[]>(
  choices: C,
  spec: { default: C[number]; help: string },
): Option<C[number]> => ({
  kind: "choice",
  default: spec.default,
  help: spec.help,
  choices,
  expected: `one of ${choices.join(", ")}`,
  parse: (given) => (typeof given === "string" && choices.includes(given) ? given : undefined),
});

/** On or off. */
export const bool = (spec: { default: boolean; help: string }): Option<boolean> => ({
  kind: "bool",
  default: spec.default,
  help: spec.help,
  expected: "true or false",
  parse: (given) =>
    given === true || given === "true" ? true : given === false || given === "false" ? false : undefined,
});

/** Free text; `undefined` by default where `optional`. */
export const text = <D extends string | undefined>(spec: {
  default: D;
  help: string;
  expected?: string;
}): Option<string | D> => ({
  kind: "text",
  default: spec.default,
  help: spec.help,
  expected: spec.expected ?? "text",
  parse: (given) => (typeof given === "string" ? given : undefined),
});

/** Numbers, as an array or separated by commas. */
export const numbers = (spec: { default: readonly number[]; help: string } & Range): Option<readonly number[]> => ({
  kind: "list",
  default: spec.default,
  help: spec.help,
  expected: `numbers separated by commas${rangeText(spec)}`,
  parse: (given) => {
    const parts: readonly unknown[] = Array.isArray(given)
      ? given
      : typeof given === "string"
        ? given.split(",")
        : [given];
    const values = parts.map(parseNumber);
    return values.length > 0 && values.every((v) => Number.isFinite(v) && within(v, spec) !== undefined)
      ? values
      : undefined;
  },
});

/** Text that may be given several times (a repeated flag); an array. */
export const many = (spec: { help: string; expected?: string }): Option<readonly string[]> => ({
  kind: "many",
  default: [],
  help: spec.help,
  expected: spec.expected ?? "text",
  parse: (given) => {
    const parts: readonly unknown[] = Array.isArray(given) ? given : [given];
    return parts.every((part) => typeof part === "string") ? parts : undefined;
  },
});

/**
 * Fills in defaults and checks what was given.
 *
 * @param owner  who declares the options, for messages (`pgd`)
 * @throws TemperError `bad-option`: an unknown name (with the nearest known one) or an invalid value
 */
export const resolveOptions = <S extends OptionSpec>(
  owner: string,
  spec: S,
  given: Readonly<Record<string, unknown>> = {},
): OptionValues<S> => {
  const known = Object.keys(spec);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(spec, name)) continue;
    const near = nearest(name, known);
    const hint = near ? ` Did you mean ${near}?` : "";
    throw new TemperError("bad-option", `${owner} has no option ${name}.${hint} Known: ${known.join(", ") || "none"}.`);
  }
  const values = known.map((name) => {
    const option = spec[name]!;
    const value: unknown = given[name];
    if (value === undefined) return [name, option.default];
    const parsed: unknown = option.parse(value);
    if (parsed === undefined) throw invalidValue(owner, name, option, value);
    return [name, parsed];
  });
  return Object.fromEntries(values) as OptionValues<S>;
};

/** The error of a value that an option does not take, with the nearest of its choices. */
export const invalidValue = (owner: string, name: string, option: Option<unknown>, value: unknown): TemperError => {
  const near = typeof value === "string" && option.choices ? nearest(value, option.choices) : undefined;
  const hint = near ? ` Did you mean ${near}?` : "";
  return new TemperError("bad-option", `${owner}: ${name} must be ${option.expected}, got ${String(value)}.${hint}`);
};

/** `relativeStep` -> `relative-step`, the flag of an option. */
export const flagName = (name: string): string => name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
