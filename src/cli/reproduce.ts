import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bool, choice, many, numbers, type OptionSpec, type OptionValues, TemperError, text } from "../core/index.ts";
import { renderReproduction, renderReproductionJson, type ReproductionReport } from "../report/index.ts";
import { reproduce, type Reproduction, reproductions } from "../reproduce/index.ts";
import { replaceFile } from "../train/index.ts";
import { type Command, type CommandContext, defineCommand, EXIT, type ExitCode } from "./command.ts";
import { names } from "./names.ts";
import { printReproduction } from "./print-reproduction.ts";
import { assignData, fullSource, openSources, type Source } from "./reproduce-data.ts";
import { reproductionReport } from "./reproduction-report.ts";
import { openValidation, trainRun } from "./train-run.ts";

const options = {
  all: bool({ default: false, help: "every system, one after another" }),
  scale: choice(["small", "full"], {
    default: "small",
    help: "the small experiment of the claims, or the paper's own configuration: trained once, resumed by the same command",
  }),
  data: many({
    help: "glyphs, or MNIST or CIFAR-10 by name or path; each system takes the best that it has thresholds for (default glyphs)",
    expected: "a name or a path",
  }),
  seeds: numbers({ default: [0, 1, 2], min: 0, help: "seeds of the experiment; --scale full takes the first" }),
  out: text({
    default: "runs/reproduce",
    help: "folder of pages, documents and trained arms; what was trained there already is not trained again",
  }),
} as const satisfies OptionSpec;

type Systems = Readonly<Record<string, Reproduction>>;
type Context = CommandContext<typeof options>;

/** The command over a registry of systems. */
export const reproduceCommandOf = (systems: Systems): Command<typeof options> =>
  defineCommand({
    name: "reproduce",
    summary: "Run a published system's experiment, and compare with its claims.",
    positionals: [{ name: "system", help: "what to reproduce", optional: true, choices: names(systems) }],
    options,
    examples: [
      "temper reproduce trades",
      "temper reproduce --all --data mnist --data cifar10",
      "temper reproduce trades --data mnist --seeds 0 --json",
      "temper reproduce trades --scale full --data cifar10",
    ],
    run: async (context) => {
      const { args, options: given } = context;
      checkSeeds(given.seeds);
      const chosen = chosenOf(systems, args[0], given.all),
        sources = await openSources(given.data);
      return given.scale === "full" ? runFull(chosen, sources, context) : runSmall(chosen, sources, context);
    },
  });
export const reproduceCommand = reproduceCommandOf(reproductions);

const chosenOf = (systems: Systems, slug: string | undefined, all: boolean): readonly Reproduction[] => {
  if ((slug === undefined) !== all)
    throw new TemperError(
      "bad-option",
      `reproduce: give ${all ? "either a system or --all" : "a system, or --all"}. Systems: ${names(systems).join(", ")}.`,
    );
  return slug === undefined ? Object.values(systems) : [systems[slug]!];
};

const checkSeeds = (seeds: OptionValues<typeof options>["seeds"]): void => {
  if (seeds.every(Number.isInteger) && new Set(seeds).size === seeds.length) return;
  throw new TemperError(
    "bad-option",
    `reproduce: --seeds must be different whole numbers such as 0,1,2, got ${seeds.join(",")}.`,
  );
};

/** The small experiments, each written as soon as it is there. */
const runSmall = async (
  chosen: readonly Reproduction[],
  sources: readonly Source[],
  { options: { seeds, out, all }, output, commandLine }: Context,
): Promise<ExitCode> => {
  const assigned = assignData(chosen, sources),
    reports: ReproductionReport[] = [];
  await mkdir(out, { recursive: true });
  for (const [i, reproduction] of chosen.entries()) {
    const { kind, open } = assigned[i]!,
      { slug } = reproduction;
    const [train, test] = [await open("train"), await open("test")];
    const onProgress = (line: string): void => output.note(`${slug}, ${line}`);
    const result = await reproduce({ reproduction, kind, train, test, seeds, folder: join(out, "arms"), onProgress });
    const report = reproductionReport(reproduction, result, { train, test, command: commandLine });
    reports.push(report);
    const place = join(out, `${slug}-${kind}`);
    await replaceFile(`${place}.json`, renderReproductionJson(report));
    await replaceFile(`${place}.html`, renderReproduction(report));
    printReproduction(output, report);
    output.print(`report: ${place}.html\n`);
  }
  const held = reports.every((report) => report.held),
    documents = reports.map(renderReproductionJson);
  output.document(all ? `{ "held": ${held}, "results": [${documents.join(",")}] }` : documents[0]!);
  return held ? EXIT.done : EXIT.missed;
};

/** The papers' own configurations: hours to weeks, so runs that are resumed. */
const runFull = async (
  chosen: readonly Reproduction[],
  sources: readonly Source[],
  { options: { seeds, out }, output, signal }: Context,
): Promise<ExitCode> => {
  const assigned = chosen.map((reproduction) => fullSource(reproduction, sources)),
    models: string[] = [];
  for (const [i, { slug, full }] of chosen.entries()) {
    const source = assigned[i]!,
      folder = join(out, `${slug}-full`),
      { data: _, ...arm } = full;
    output.print(`${slug}: ${full.recipe} on ${full.data} in ${folder}`);
    const outcome = await trainRun({
      request: {
        ...arm,
        options: { ...arm.options, seed: seeds[0]! },
        train: await source.open("train"),
        validation: await openValidation({ data: source.name, pixelRange: undefined, dataLayout: "auto" }),
        folder,
        resume: true,
        signal,
      },
      title: `${slug}: ${full.recipe} ${full.model} ${full.data}`,
      tensorboard: false,
      output,
    });
    if (outcome.finished) models.push(outcome.modelPath!);
    output.print(
      outcome.finished
        ? `model: ${outcome.modelPath}`
        : `Stopped. The state is in ${folder}; the same command goes on from there.`,
    );
    if (!outcome.finished) break;
  }
  output.document({ scale: "full", finished: models.length === chosen.length, models });
  return models.length === chosen.length ? EXIT.done : EXIT.failed;
};
