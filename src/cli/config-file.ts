import { readFile, stat } from "node:fs/promises";
import type { Document, LineCounter, Node, Pair, Scalar, YAMLMap } from "yaml";
import { flagName, isTemperError, nearest, type Option, type OptionSpec, TemperError } from "../core/index.ts";

/** Option names by the section of a file that may hold them. */
export type Sections = Readonly<Record<string, readonly string[]>>;

const MOST_BYTES = 2 ** 20;

/**
 * Options from a YAML file (JSON is one): `name: value` lines, with names as in the library (`batchSize`) or as on the
 * command line (`batch-size`). In a section (`attack:`), an option stands under its name, under the rest of it
 * (`attackSteps` as `steps`), and what is called like the section under `name`.
 *
 * @returns what the file sets, by option name and checked; no defaults
 * @throws TemperError `not-found`: no such file; `bad-option` with file, line and column: what was expected, and a remedy
 */
export const readConfig = async (
  path: string,
  spec: OptionSpec,
  sections: Sections = {},
): Promise<Record<string, unknown>> => {
  const { size } = await stat(path).catch((error: Error) => {
    throw new TemperError("not-found", `--config ${path} cannot be read: ${error.message}.`, { cause: error });
  });
  if (size > MOST_BYTES) throw new TemperError("bad-option", `--config ${path} has ${size} bytes: no list of options.`);
  return parseConfig(path, await readFile(path, "utf8"), spec, sections);
};

/** {@link readConfig} of the text of a file. @param path  for messages */
export const parseConfig = async (
  path: string,
  source: string,
  spec: OptionSpec,
  sections: Sections = {},
): Promise<Record<string, unknown>> => {
  const yaml = await import("yaml"); // here, because it takes longer to load than all commands together
  const lines: LineCounter = new yaml.LineCounter();
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  const refuse = (offset: number, message: string): never => {
    throw new TemperError("bad-option", `${place(offset)}: ${message}`);
  };
  const document: Document.Parsed = yaml.parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    schema: "core",
    stringKeys: true,
  });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) refuse(fault.pos[0], `${fault.message}. Each line must be \`option: value\`, as in epochs: 10.`);
  yaml.visit(document, {
    Alias: (_, { source: name, range }) =>
      refuse(range![0], `*${name} stands for another value, which is not supported here. Write the value out.`),
  });
  const root: unknown = document.contents;
  if (root === null || (yaml.isScalar(root) && root.value === null)) return {};
  if (!yaml.isMap(root)) return refuse(0, "a configuration is a list of `option: value` lines, such as epochs: 10.");

  const found: Record<string, unknown> = {},
    places: Record<string, number> = {};
  /** What an option says about the parts of a value has no place yet. */
  const parseAt = (at: number, option: Option<unknown>, given: unknown): unknown => {
    try {
      return option.parse(given);
    } catch (error) {
      if (!isTemperError(error)) throw error;
      return refuse(at, error.message);
    }
  };
  const set = (name: string, key: Scalar<string>, value: Node | null): void => {
    const at = (value?.range ?? key.range!)[0];
    if (name in places)
      refuse(at, `${flagName(name)} is set twice, first at ${place(places[name]!)}. Take one of them away.`);
    places[name] = at;
    const given: unknown = value?.toJS(document);
    const parsed: unknown = given === null ? undefined : parseAt(at, spec[name]!, given);
    if (parsed === undefined)
      refuse(at, `${key.value} must be ${spec[name]!.expected}, got ${shown(given)}. ${remedy(spec[name]!, given)}`);
    found[name] = parsed;
  };
  const pairsOf = (map: YAMLMap) => map.items as Pair<Scalar<string>, Node | null>[];

  const setSection = (section: string, inner: readonly string[], map: YAMLMap): void => {
    const known = new Map(inner.flatMap((name) => [name, sectionKey(section, name)].map((key) => [key, name])));
    for (const { key, value } of pairsOf(map)) {
      const name = known.get(camel(key.value));
      if (name === undefined)
        return refuse(
          key.range![0],
          unknown(
            `section ${section}`,
            key.value,
            inner.map((n) => sectionKey(section, n)),
          ),
        );
      set(name, key, value);
    }
  };
  for (const { key, value } of pairsOf(root)) {
    const inner = Object.hasOwn(sections, key.value) ? sections[key.value] : undefined;
    if (inner && yaml.isMap(value)) setSection(key.value, inner, value);
    else if (Object.hasOwn(spec, camel(key.value))) set(camel(key.value), key, value);
    else if (inner)
      refuse(key.range![0], `${key.value} is a section. Write its options below it, indented, or leave it out.`);
    else refuse(key.range![0], unknown("a configuration", key.value, [...Object.keys(spec), ...Object.keys(sections)]));
  }
  return found;
};

/** `batch-size` -> `batchSize`. */
const camel = (key: string): string => key.replaceAll(/-([a-z])/g, (_, c: string) => c.toUpperCase());

/** What an option is called in a section: `attackSteps` in `attack` is `steps`, `attack` itself `name`. */
const sectionKey = (section: string, name: string): string => {
  if (name === section) return "name";
  const rest = name.slice(section.length);
  return name.startsWith(section) && /^[A-Z]/.test(rest) ? rest[0]!.toLowerCase() + rest.slice(1) : name;
};

const unknown = (owner: string, key: string, known: readonly string[]): string => {
  const spelled = known.map((name) => (key.includes("-") ? flagName(name) : name)),
    near = nearest(key, spelled);
  return `${owner} has no option ${key}. ${near ? `Did you mean ${near}?` : `Known: ${spelled.join(", ")}.`}`;
};

const shown = (given: unknown): string => (given === null || given === undefined ? "nothing" : JSON.stringify(given));

const remedy = (option: Option<unknown>, given?: unknown): string => {
  const near = typeof given === "string" && option.choices ? nearest(given, option.choices) : undefined;
  if (near !== undefined) return `Did you mean ${near}?`;
  if ((option.kind === "text" || option.kind === "choice") && ["number", "boolean"].includes(typeof given))
    return `Put it in quotes: "${String(given)}".`;
  const { default: value } = option,
    usual =
      ["number", "string", "boolean"].includes(typeof value) && value !== ""
        ? ` for the default, ${String(value)}`
        : "";
  return `Mend it, or leave it out${usual}.`;
};
