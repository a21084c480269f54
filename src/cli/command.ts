import type { OptionSpec, OptionValues } from "../core/index.ts";
import type { Sections } from "./config-file.ts";
import type { Output } from "./output.ts";

/** Exit codes: done; a threshold or claim was not met; wrong use; a failed or interrupted run. */
export const EXIT = { done: 0, missed: 1, usage: 2, failed: 3 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An argument without a flag. */
export interface Positional {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
  readonly choices?: readonly string[];
}

export interface CommandContext<S extends OptionSpec> {
  readonly options: OptionValues<S>;
  /** Those that the command line gives, options of variants included. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
  readonly output: Output;
  /** Set by the first Ctrl-C; the second one ends the process. Only a command that stops in good order may read it. */
  readonly signal: AbortSignal;
  /** The command line as it was given, for reports. */
  readonly commandLine: string;
}

/** What an argument such as a recipe's name adds to a command. */
export interface Variant {
  readonly summary: string;
  readonly options: OptionSpec;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** What the argument after it adds. */
  readonly variants?: Readonly<Record<string, Variant>>;
}

/** A command: one record, one file. Help, parsing and checks follow from it. */
export interface Command<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly options: S;
  /** Further options by the first argument, and defaults that it has for the command's own. */
  readonly variants?: Readonly<Record<string, Variant>>;
  /** Where options and arguments may come from a file too (`--config`): the sections that it may have. */
  readonly config?: Sections;
  readonly examples: readonly string[];
  readonly run: (context: CommandContext<S>) => Promise<ExitCode>;
}

/** The registry holds commands of different options; parsing checks them against the record. */
// oxlint-disable-next-line no-explicit-any
export type AnyCommand = Command<any>;

/** What the arguments add, one within the other. */
export const variantsOf = (
  { variants = {} }: Pick<Variant, "variants">,
  [first, ...rest]: readonly string[],
): readonly Variant[] =>
  first !== undefined && Object.hasOwn(variants, first)
    ? [variants[first]!, ...variantsOf(variants[first]!, rest)]
    : [];

export const defineCommand = <const S extends OptionSpec>(command: Command<S>): Command<S> => command;
