import { flagName, type Option, type OptionSpec } from "../core/index.ts";
import type { AnyCommand } from "./command.ts";
import { commonOptions } from "./parse.ts";

const usage = ({ name, positionals }: AnyCommand): string =>
  `temper ${name}${positionals.map((p) => (p.optional ? ` [${p.name}]` : ` <${p.name}>`)).join("")} [options]`;

const describeDefault = ({ default: value, kind }: Option<unknown>): string =>
  value === undefined || kind === "bool" || (Array.isArray(value) && value.length === 0)
    ? ""
    : ` (default ${String(value)})`;

const valueName = ({ kind, choices }: Option<unknown>): string =>
  kind === "bool"
    ? ""
    : choices
      ? ` ${choices.join("|")}`
      : ` <${{ int: "n", float: "x", list: "x,y,..", text: "text", many: "text", choice: "" }[kind]}>`;

const optionLines = (spec: OptionSpec): string[] => {
  const rows = Object.entries(spec).map(([name, option]): [string, string] => [
    `  --${flagName(name)}${valueName(option)}`,
    `${option.help}${describeDefault(option)}${option.kind === "many" ? " (may be repeated)" : ""}`,
  ]);
  const width = Math.min(34, Math.max(...rows.map(([left]) => left.length)) + 2);
  return rows.map(([left, right]) =>
    left.length < width ? left.padEnd(width) + right : `${left}\n${" ".repeat(width)}${right}`,
  );
};

export const commandHelp = (command: AnyCommand): string =>
  [
    command.summary,
    "",
    `Usage: ${usage(command)}`,
    ...(command.positionals.length > 0
      ? [
          "",
          ...command.positionals.map(
            (p) => `  ${p.name.padEnd(12)}${p.help}${p.choices ? `: ${p.choices.join(", ")}` : ""}`,
          ),
        ]
      : []),
    "",
    "Options:",
    ...optionLines({ ...command.options, ...commonOptions }),
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
    "`temper <command> --help` shows options and examples.",
    "",
  ].join("\n");
