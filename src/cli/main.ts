import { isTemperError, nearest, TemperError } from "../core/index.ts";
import { keepIn } from "../runtime/index.ts";
import { version } from "../version.ts";
import { type AnyCommand, EXIT, type ExitCode } from "./command.ts";
import { commands } from "./commands.ts";
import { cacheRoot } from "./data-root.ts";
import { commandHelp, describeCommand, overview } from "./help.ts";
import { createOutput, type Output } from "./output.ts";
import { parseArguments } from "./parse.ts";

/** Runs a command line and sets the process's exit code. */
export const main = async (argv: readonly string[]): Promise<void> => {
  // A reader that has seen enough (`temper list | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  keepIn(cacheRoot());
  process.exitCode = await runCommandLine(argv);
};

/** Runs a command line. Errors are printed, and told by the exit code. */
export const runCommandLine = async (argv: readonly string[]): Promise<ExitCode> => {
  const [name, ...rest] = argv[0] === "help" && argv[1] !== undefined ? [argv[1], "--help"] : argv;
  const output = createOutput(argv.includes("--json"));
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(overview(version, commands));
    return EXIT.done;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${version}\n`);
    return EXIT.done;
  }
  if (Object.hasOwn(commands, name)) return runOne(commands[name as keyof typeof commands], rest);
  const near = nearest(name, Object.keys(commands));
  const hint = near ? ` Did you mean ${near}?` : "";
  const what = name.startsWith("-") ? `The command comes first, before ${name}.` : `There is no command "${name}".`;
  return report(new TemperError("bad-option", `${what}${hint} See \`temper --help\`.`), output);
};

/** Runs a command with what stands behind its name. */
export const runOne = async (
  command: AnyCommand,
  argv: readonly string[],
  early = createOutput(argv.includes("--json")),
): Promise<ExitCode> => {
  let output = early;
  try {
    const { args, common, options, given } = await parseArguments(command, argv);
    output = createOutput(common.json);
    if (common.help) {
      if (common.json) output.document(describeCommand(command, args));
      else process.stdout.write(commandHelp(command, args));
      return EXIT.done;
    }
    return await command.run({
      options,
      given,
      args,
      output,
      commandLine: quoted(["temper", command.name, ...argv]),
      // Made when a command asks for it: one that cannot stop in good order ends at the first Ctrl-C.
      get signal() {
        return interruptSignal(output);
      },
    });
  } catch (error) {
    return report(error, output);
  }
};

const quoted = (words: readonly string[]): string =>
  words.map((word) => (/^[\w./:=,@%+-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");

/**
 * Says what went wrong on standard error; with --json also as the one document, `{ error: { code, message } }`, so that
 * a program that reads standard output always finds JSON there.
 */
const report = (error: unknown, output: Output): ExitCode => {
  const { code, message } = describeError(error);
  output.note(message);
  output.document({ error: { code, message: message.split("\n")[0] } });
  // Wrong use is what the caller can mend on the command line; everything else is a failed run.
  return code === "bad-option" || code === "not-found" ? EXIT.usage : EXIT.failed;
};

const describeError = (error: unknown): { readonly code: string; readonly message: string } => {
  if (isTemperError(error)) return { code: error.code, message: error.message };
  if (!(error instanceof Error)) return { code: "unexpected", message: `Unexpected error: ${String(error)}` };
  const { code, syscall } = error as NodeJS.ErrnoException; // the system refused: disk full, permissions, memory
  if (code !== undefined && syscall !== undefined) return { code: "system", message: error.message };
  return { code: "unexpected", message: `Unexpected error, a defect of Temper: ${error.stack ?? error.message}` };
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
