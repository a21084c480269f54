import { type Chosen, flagName, formatChosen, type Option, type OptionSpec } from "../core/index.ts";
import { type AnyCommand, variantsOf } from "./command.ts";
import { optionsOf } from "./parse.ts";

const usage = ({ name, positionals }: AnyCommand): string =>
  `temper ${name}${positionals.map((p) => (p.optional ? ` [${p.name}]` : ` <${p.name}>`)).join("")} [options]`;

const describeDefault = ({ default: value, kind }: Option<unknown>): string =>
  value === undefined || kind === "bool" || (Array.isArray(value) && value.length === 0)
    ? ""
    : ` (default ${kind === "chosen" ? formatChosen(value as Chosen) : typeof value === "number" ? Number(value.toPrecision(4)) : String(value)})`;

const LINE = 110;
/** Words over as many lines as they need, each as long as fits beside `indent` blanks. */
const wrap = (text: string, indent: number): string => {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && indent + line.length + word.length >= LINE) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join(`\n${" ".repeat(indent)}`);
};

const VALUES = {
  int: "n",
  float: "x",
  list: "x,y,..",
  text: "text",
  many: "text",
  size: "size",
  chosen: "name:option=..",
  choice: "",
} as const;
const valueName = ({ kind, choices }: Option<unknown>): string =>
  kind === "bool" ? "" : choices ? ` ${choices.join("|")}` : ` <${VALUES[kind]}>`;

const optionLines = (spec: OptionSpec): string[] => {
  const rows = Object.entries(spec).map(([name, option]): [string, string] => [
    `  --${flagName(name)}${valueName(option)}`,
    `${option.help}${describeDefault(option)}${option.kind === "many" ? " (may be repeated)" : ""}`,
  ]);
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)) + 2);
  return rows.map(([left, right]) => {
    const text = wrap(right, width);
    return left.length < width ? left.padEnd(width) + text : `${left}\n${" ".repeat(width)}${text}`;
  });
};

/** Options as a command takes them with its arguments: what those set themselves is their default. */
const shown = (command: AnyCommand, args: readonly string[]): OptionSpec => {
  const settings: Record<string, unknown> = Object.assign(
    {},
    ...variantsOf(command, args).map((variant) => variant.settings),
  );
  return Object.fromEntries(
    Object.entries(optionsOf(command, args)).map(([name, option]) => [
      name,
      name in settings ? { ...option, default: option.parse(settings[name]) as unknown } : option,
    ]),
  );
};

/** @param args  where options depend on them */
export const commandHelp = (command: AnyCommand, args: readonly string[]): string =>
  [
    variantsOf(command, args).at(-1)?.summary ?? command.summary,
    "",
    `Usage: ${usage(command)}`,
    ...(command.positionals.length > 0
      ? [
          "",
          ...command.positionals.map(
            (p) => `  ${p.name.padEnd(12)}${wrap(`${p.help}${p.choices ? `: ${p.choices.join(", ")}` : ""}`, 14)}`,
          ),
        ]
      : []),
    "",
    "Options:",
    ...optionLines(shown(command, args)),
    "",
    "Examples:",
    ...command.examples.map((example) => `  ${example}`),
    "",
  ].join("\n");

export const overview = (version: string, commands: Readonly<Record<string, AnyCommand>>): string =>
  [
    `Temper ${version}: robust deep learning on ONNX models.`,
    "",
    "Usage: temper <command> [options]",
    "",
    ...Object.values(commands).map((command) => `  ${command.name.padEnd(10)}${command.summary}`),
    "",
    "`temper <command> --help` shows options and examples. With --json, standard output holds one JSON document and",
    "nothing else; of a command that failed it is { error: { code, message } }.",
    "Exit codes: 0 done, 1 a threshold or claim was not met, 2 wrong use, 3 a failed or interrupted run.",
    "",
  ].join("\n");

/** The help of a command for programs (`--help --json`). */
export const describeCommand = (command: AnyCommand, args: readonly string[]): object => ({
  name: command.name,
  summary: command.summary,
  usage: usage(command),
  arguments: command.positionals,
  options: Object.entries<Option<unknown>>(shown(command, args)).map(
    ([name, { kind, expected, help, choices, default: value }]) => ({
      flag: `--${flagName(name)}`,
      kind,
      expected,
      help,
      ...(choices && { choices }),
      default: value ?? null,
    }),
  ),
  examples: command.examples,
});
