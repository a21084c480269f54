import {
  bool,
  flagName,
  invalidValue,
  nearest,
  type OptionSpec,
  type OptionValues,
  resolveOptions,
  TemperError,
} from "../core/index.ts";
import type { AnyCommand } from "./command.ts";

/** Flags that every command has. */
export const commonOptions = {
  json: bool({ default: false, help: "print one JSON document on standard output and nothing else there" }),
  help: bool({ default: false, help: "show this help" }),
} as const;

export interface Parsed {
  readonly args: readonly string[];
  /** The command's own, by the names of its record. */
  readonly options: OptionValues<OptionSpec>;
  /** What was written, of the options of the command and of its variant. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly common: OptionValues<typeof commonOptions>;
}

/**
 * Reads `--flag value`, `--flag=value`, `--flag` and `--no-flag`. A value may begin with a minus sign and a digit.
 *
 * @throws TemperError `bad-option`: an unknown flag (with the nearest one), a missing or invalid value, a wrong argument
 */
export const parseArguments = (command: AnyCommand, argv: readonly string[]): Parsed => {
  const variants = Object.values(command.variants ?? {}).map(({ options }) => options);
  const spec: OptionSpec = Object.assign({}, ...variants, command.options, commonOptions) as OptionSpec;
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
  const { json, help, ...options } = resolveFlags(command, given, args[0]);
  if (!help) checkPositionals(command, args);
  return { args, options, given, common: { json: json === true, help: help === true } };
};

const splitFlag = (word: string): [string, string | undefined] => {
  const at = word.indexOf("=");
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
};

const unknownFlag = (command: AnyCommand, flag: string, known: readonly string[]): TemperError => {
  const near = nearest(flag, known);
  const hint = near ? ` Did you mean ${near}?` : "";
  return new TemperError("bad-option", `${command.name} has no option ${flag}.${hint} Known: ${known.join(", ")}.`);
};

/** Options of the command, and of the variant that the first argument names. Messages speak of flags (`--sweep-count`). */
const resolveFlags = (
  command: AnyCommand,
  given: Readonly<Record<string, unknown>>,
  variant: string | undefined,
): OptionValues<OptionSpec> => {
  const own = optionsOf(command, variant);
  for (const [name, value] of Object.entries(given)) {
    const option = own[name];
    if (!option)
      throw new TemperError(
        "bad-option",
        `${command.name} ${variant ?? ""} has no option --${flagName(name)}: that is of ${variantsWith(command, name).join(", ")}.`,
      );
    if (option.parse(value) === undefined) throw invalidValue(command.name, `--${flagName(name)}`, option, value);
  }
  return resolveOptions(command.name, own, { ...command.variants?.[variant ?? ""]?.settings, ...given });
};

/** All options that a command takes with its first argument, common ones included. */
export const optionsOf = ({ options, variants = {} }: AnyCommand, variant: string | undefined): OptionSpec => ({
  ...(options as OptionSpec),
  ...(variant !== undefined && Object.hasOwn(variants, variant) && variants[variant]!.options),
  ...commonOptions,
});
const variantsWith = ({ variants = {} }: AnyCommand, option: string): string[] =>
  Object.keys(variants).filter((name) => Object.hasOwn(variants[name]!.options, option));

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
