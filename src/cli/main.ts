import { isTemperError, nearest } from "../core/index.ts";
import { version } from "../version.ts";
import { type AnyCommand, EXIT, type ExitCode } from "./command.ts";
import { commands } from "./commands.ts";
import { commandHelp, overview } from "./help.ts";
import { createOutput, type Output } from "./output.ts";
import { parseArguments } from "./parse.ts";

/** Runs a command line and sets the process's exit code. */
export const main = async (argv: readonly string[]): Promise<void> => {
  process.exitCode = await runCommandLine(argv);
};

export const runCommandLine = async (argv: readonly string[]): Promise<ExitCode> => {
  const [name, ...rest] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(overview(version, commands));
    return EXIT.done;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${version}\n`);
    return EXIT.done;
  }
  if (!Object.hasOwn(commands, name)) {
    const near = nearest(name, Object.keys(commands));
    process.stderr.write(
      `There is no command "${name}".${near ? ` Did you mean ${near}?` : ""} See \`temper --help\`.\n`,
    );
    return EXIT.usage;
  }
  return runOne(name as keyof typeof commands, rest);
};

const runOne = async (name: keyof typeof commands, argv: readonly string[]): Promise<ExitCode> => {
  const command: AnyCommand = commands[name];
  let output: Output = createOutput(argv.includes("--json"));
  try {
    const { args, options } = parseArguments(command, argv);
    if (options.help) {
      process.stdout.write(commandHelp(command));
      return EXIT.done;
    }
    output = createOutput(options.json);
    const commandLine = ["temper", command.name, ...argv]
      .map((word) => (/^[\w./:=,@%+-]+$/.test(word) ? word : JSON.stringify(word)))
      .join(" ");
    return await command.run({ options: options as never, args, output, signal: interruptSignal(output), commandLine });
  } catch (error) {
    output.settle();
    return report(error);
  }
};

/** Wrong use is what the caller can mend on the command line; everything else is a failed run. */
const report = (error: unknown): ExitCode => {
  if (!isTemperError(error)) {
    process.stderr.write(
      `Unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return EXIT.failed;
  }
  process.stderr.write(`${error.message}\n`);
  return error.code === "bad-option" || error.code === "not-found" ? EXIT.usage : EXIT.failed;
};

/** First Ctrl-C: stop in good order. Second: end now. */
const interruptSignal = (output: Output): AbortSignal => {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    output.note("Stopping after the current step. Press Ctrl-C again to end at once.");
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller.signal;
};
