import { basename, join } from "node:path";
import {
  bool,
  type Chosen,
  flagName,
  formatBytes,
  formatChosen,
  numbers,
  type OptionSpec,
  text,
} from "../core/index.ts";
import { formatTable } from "../report/index.ts";
import { estimate, type RecipeName, recipes, trainOptions } from "../train/index.ts";
import { type CommandContext, defineCommand, EXIT, type ExitCode } from "./command.ts";
import { names } from "./names.ts";
import type { Output } from "./output.ts";
import { dataOptions, onlyOf, openDataset } from "./shared-options.ts";
import { openValidation, trainRun } from "./train-run.ts";

const options = {
  model: text({
    default: "small-cnn",
    help: "architecture; see `temper list models`; wide-resnet-28-10 and the like are names too",
  }),
  from: text({ default: undefined, help: "ONNX file whose weights are trained, in place of a new network" }),
  data: dataOptions.data,
  pool: text({ default: undefined, help: "further examples, of which every batch takes a share (--pool-share)" }),
  range: text({
    default: undefined,
    help: "training examples to use, end excluded, such as 0:5000",
    expected: "two numbers such as 0:5000",
  }),
  pixelRange: dataOptions.pixelRange,
  dataLayout: dataOptions.dataLayout,
  out: text({ default: undefined, help: "folder of the run (default runs/<recipe>-<model>-<data>)" }),
  resume: bool({ default: false, help: "go on with the run in --out" }),
  mean: numbers({ default: [], help: "per-channel mean, subtracted inside the model" }),
  std: numbers({ default: [], help: "per-channel deviation, divided by inside the model" }),
  tensorboard: bool({ default: false, help: "also write event files for TensorBoard" }),
  ...trainOptions,
} as const satisfies OptionSpec;

export const trainCommand = defineCommand({
  name: "train",
  summary: "Train a classifier, plainly or to be robust; resumes; saves ONNX.",
  positionals: [{ name: "recipe", help: "how to train", choices: names(recipes) }],
  options,
  variants: recipes,
  config: {
    attack: [
      "norm",
      "epsilon",
      "steps",
      "stepSize",
      "relativeStep",
      "start",
      "rule",
      "stop",
      "project",
      "attackMode",
      "ramp",
    ],
  },
  examples: [
    "temper train pgd-at --data glyphs --epsilon 0.2 --epochs 6 --lr 0.05",
    "temper train standard --model resnet-18 --data cifar10 --mean 0.4914,0.4822,0.4465 --std 0.247,0.2435,0.2616",
    "temper train pgd-at --data glyphs --epsilon 0.2 --epochs 6 --lr 0.05 --resume",
    "temper train trades --beta 6 --model preact-resnet-18 --data cifar10 --augment crop,flip --epochs 0",
    "temper train fast-at --from model.onnx --data cifar10 --epochs 3 --guard rollback",
  ],
  run: async ({ args: [recipe], options: all, given, output, signal }: CommandContext<typeof options>) => {
    const { model, from, data, pool, range, pixelRange, dataLayout, out, resume, mean, std, tensorboard, ...rest } =
      all;
    const network = from === undefined ? model : basename(from).replace(/\.onnx(\.gz)?$/, "");
    const folder = out ?? join("runs", `${recipe}-${network}-${data.replaceAll(/[^\w-]+/g, "_")}`);
    const source = { data, pixelRange, dataLayout };
    const training = await openDataset({ ...source, split: "train", range });
    const validation = rest.validation > 0 && rest.holdOut === 0 ? await openValidation(source) : undefined;
    if (rest.validation > 0 && rest.holdOut === 0 && !validation)
      output.note(
        "note: this data has no validation split (the test split is not for that): accuracy is not measured. --hold-out takes some training examples for it.",
      );
    const request = {
      recipe: recipe!,
      recipeOptions: onlyOf(given, recipes[recipe as RecipeName].options),
      model,
      options: onlyOf(given, trainOptions),
      from,
      train: training,
      validation,
      pool:
        pool === undefined ? undefined : await openDataset({ ...source, data: pool, split: "train", range: undefined }),
      mean,
      std,
    };
    if (rest.epochs === 0) return dryRun(output, await estimate(request));
    const title = `${recipe} ${network} ${data}`;
    const outcome = await trainRun({ request: { ...request, folder, resume, signal }, title, tensorboard, output });
    output.print(
      outcome.finished
        ? `model: ${outcome.modelPath}`
        : `Stopped. The state is in ${folder}; the same command with --resume goes on from there.`,
    );
    output.document({ folder, finished: outcome.finished, model: outcome.modelPath ?? null, history: outcome.history });
    return outcome.finished ? EXIT.done : EXIT.failed;
  },
});

/** The resolved configuration and what an epoch takes, measured. */
const dryRun = (output: Output, { config, estimate: found }: Awaited<ReturnType<typeof estimate>>): ExitCode => {
  const { options: settings, ...rest } = config;
  const text = (value: unknown): string =>
    isChosen(value) ? formatChosen(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
  const rows = Object.entries({ ...rest, ...settings }).filter(([, value]) => value !== undefined && value !== null);
  output.print(
    formatTable(
      ["option", "value"],
      rows.map(([name, value]) => [flagName(name), text(value)]),
    ),
  );
  output.print("");
  output.print(`parameters           ${found.parameters.toLocaleString("en")}`);
  output.print(`steps an epoch       ${found.stepsPerEpoch}`);
  output.print(`gradients an epoch   ${Math.round(found.gradientEvaluations).toLocaleString("en")}`);
  output.print(`time an epoch        ${found.seconds.toFixed(1)} s, measured on the first steps, without validation`);
  output.print(`memory               ${formatBytes(found.memoryBytes)} while measuring`);
  output.document({ config, estimate: found });
  return EXIT.done;
};
const isChosen = (value: unknown): value is Chosen =>
  typeof value === "object" && value !== null && "name" in value && "options" in value;
