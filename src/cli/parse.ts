import {
  bool,
  choice,
  flagName,
  invalidValue,
  nearest,
  type OptionSpec,
  type OptionValues,
  resolveOptions,
  TemperError,
  text,
} from "../core/index.ts";
import { type AnyCommand, type Variant, variantsOf } from "./command.ts";
import { readConfig } from "./config-file.ts";

/** Flags that every command has. */
export const commonOptions = {
  json: bool({ default: false, help: "print one JSON document on standard output and nothing else there" }),
  help: bool({ default: false, help: "show this help" }),
} as const;

/** Flags of commands that take their options from a file too. */
const configOptions = {
  config: text({ default: undefined, help: "YAML file with options (`batch-size: 64`); flags count more" }),
} as const;

/** All options that a command takes with its arguments, common ones included. */
export const optionsOf = (command: AnyCommand, args: readonly string[]): OptionSpec => ({
  ...(command.options as OptionSpec),
  ...Object.assign({}, ...variantsOf(command, args).map(({ options }) => options)),
  ...(command.config && configOptions),
  ...commonOptions,
});

/** Those that it takes with any. */
const anyOptions = (command: AnyCommand): OptionSpec =>
  Object.assign({}, ...allVariants(command).map(([, { options }]) => options), optionsOf(command, [])) as OptionSpec;

/** Variants with the arguments that choose them. */
const allVariants = ({ variants = {} }: Pick<Variant, "variants">): readonly (readonly [string, Variant])[] =>
  Object.entries(variants).flatMap(([name, variant]) => [
    [name, variant] as const,
    ...allVariants(variant).map(([rest, inner]) => [`${name} ${rest}`, inner] as const),
  ]);

export interface Parsed {
  readonly args: readonly string[];
  /** The command's own, by the names of its record, and `config`, the path of the file, where it takes one. */
  readonly options: OptionValues<OptionSpec>;
  /** What was written, of the options of the command and of its variant. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly common: OptionValues<typeof commonOptions>;
}

/**
 * Reads `--flag value`, `--flag=value`, `--flag` and `--no-flag`. A value may begin with a minus sign and a digit. What
 * the command line leaves open may come from the file of `--config`.
 *
 * @throws TemperError `bad-option`: an unknown flag (with the nearest one), a missing or invalid value, a wrong argument
 */
export const parseArguments = async (command: AnyCommand, argv: readonly string[]): Promise<Parsed> => {
  const spec = anyOptions(command);
  const names = new Map(Object.keys(spec).map((name) => [`--${flagName(name)}`, name]));
  const given: Record<string, unknown> = {},
    args: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (!word.startsWith("-") || word === "-" || /^-\d/.test(word)) {
      args.push(word);
      continue;
    }
    const [flag, inline] = word === "-h" ? ["--help", undefined] : splitFlag(word);
    const negated = flag.startsWith("--no-") && !names.has(flag) ? names.get(`--${flag.slice(5)}`) : undefined;
    const name = names.get(flag) ?? negated;
    const option = name === undefined ? undefined : spec[name];
    if (name === undefined || !option || (negated && option.kind !== "bool"))
      throw unknownFlag(command, flag, [...names.keys()]);
    if (option.kind === "bool") {
      given[name] = negated ? false : (inline ?? true);
      continue;
    }
    const value = inline ?? argv[++i];
    if (value === undefined || (inline === undefined && value.startsWith("--")))
      throw new TemperError("bad-option", `${command.name}: ${flag} needs a value, ${option.expected}.`);
    if (option.kind === "many") given[name] = [...((given[name] as string[] | undefined) ?? []), value];
    else if (given[name] !== undefined) throw new TemperError("bad-option", `${command.name}: ${flag} is given twice.`);
    else given[name] = value;
  }
  const common = { json: given["json"] === true, help: given["help"] === true };
  const { positionals, config } = command,
    path = given["config"];
  const file =
    config && typeof path === "string" && !common.help
      ? await readConfig(path, { ...argumentSpec(command), ...spec }, config)
      : {};
  const all = [...args, ...positionals.slice(args.length).flatMap(({ name }) => (file[name] as string) ?? [])];
  const argumentNames = positionals.map(({ name }) => name),
    written = { ...without(file, argumentNames), ...without(given, Object.keys(commonOptions)) };
  const { json: _, help: __, ...options } = resolveFlags(command, written, all);
  if (!common.help) checkPositionals(command, all);
  return { args: all, options, given: written, common };
};

const without = (values: object, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));

/** Arguments without a flag, as options of a file. */
const argumentSpec = ({ positionals }: AnyCommand): OptionSpec =>
  Object.fromEntries(
    positionals.map(({ name, help, choices }) => [
      name,
      { ...(choices ? choice(choices, { default: "", help }) : text({ default: "", help })), default: undefined },
    ]),
  );

const splitFlag = (word: string): [string, string | undefined] => {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
};

const unknownFlag = (command: AnyCommand, flag: string, known: readonly string[]): TemperError => {
  const near = nearest(flag, known);
  const hint = near ? ` Did you mean ${near}?` : "";
  return new TemperError("bad-option", `${command.name} has no option ${flag}.${hint} Known: ${known.join(", ")}.`);
};

/** Options of the command, and of the variants that its arguments name. Messages speak of flags (`--sweep-count`). */
const resolveFlags = (
  command: AnyCommand,
  given: Readonly<Record<string, unknown>>,
  args: readonly string[],
): OptionValues<OptionSpec> => {
  const own = optionsOf(command, args);
  for (const [name, value] of Object.entries(given)) {
    const option = own[name];
    if (!option)
      throw new TemperError(
        "bad-option",
        `${command.name} ${args.join(" ")} has no option --${flagName(name)}: that is of ${variantsWith(command, name).join(", ")}.`,
      );
    if (option.parse(value) === undefined) throw invalidValue(command.name, `--${flagName(name)}`, option, value);
  }
  const settings = variantsOf(command, args).map((variant) => variant.settings);
  return resolveOptions(command.name, own, { ...Object.assign({}, ...settings), ...given });
};

const variantsWith = (command: AnyCommand, option: string): string[] =>
  allVariants(command).flatMap(([name, { options }]) => (Object.hasOwn(options, option) ? [name] : []));

const checkPositionals = ({ name, positionals }: AnyCommand, args: readonly string[]): void => {
  const missing = positionals[args.length];
  if (missing && !missing.optional)
    throw new TemperError(
      "bad-option",
      `${name}: ${missing.name} is missing: ${missing.help}. See \`temper ${name} --help\`.`,
    );
  if (args.length > positionals.length)
    throw new TemperError("bad-option", `${name}: unexpected argument "${args[positionals.length]}".`);
  positionals.forEach(({ name: what, choices }, i) => {
    const value = args[i];
    if (value === undefined || !choices || choices.includes(value)) return;
    const near = nearest(value, choices);
    throw new TemperError(
      "bad-option",
      `${name}: ${what} must be one of ${choices.join(", ")}, got ${value}.${near ? ` Did you mean ${near}?` : ""}`,
    );
  });
};
