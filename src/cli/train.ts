import { join } from "node:path";
import { bool, isTemperError, type OptionSpec, numbers, text } from "../core/index.ts";
import { type RecipeName, recipes, train, trainOptions, type TrainProgress } from "../train/index.ts";
import { type CommandContext, defineCommand, EXIT } from "./command.ts";
import { names } from "./names.ts";
import type { Output } from "./output.ts";
import { dataOptions, openDataset, percent } from "./shared-options.ts";

const options = {
  model: text({
    default: "small-cnn",
    help: "architecture; see `temper list models`; wide-resnet-28-10 and the like are names too",
  }),
  data: dataOptions.data,
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
  ...trainOptions,
} as const satisfies OptionSpec;

export const trainCommand = defineCommand({
  name: "train",
  summary: "Train a classifier, plainly or to be robust; resumes; saves ONNX.",
  positionals: [{ name: "recipe", help: "how to train", choices: names(recipes) }],
  options,
  variants: recipes,
  examples: [
    "temper train pgd-at --data glyphs --epsilon 0.2 --epochs 6 --lr 0.05",
    "temper train standard --model resnet-18 --data cifar10 --mean 0.4914,0.4822,0.4465 --std 0.247,0.2435,0.2616",
    "temper train pgd-at --data glyphs --epsilon 0.2 --epochs 6 --lr 0.05 --resume",
  ],
  run: async ({ args: [recipe], options: all, given, output, signal }: CommandContext<typeof options>) => {
    const { model, data, range, pixelRange, dataLayout, out, resume, mean, std, ...rest } = all;
    const folder = out ?? join("runs", `${recipe}-${model}-${data.replaceAll(/[^\w-]+/g, "_")}`);
    const source = { data, pixelRange, dataLayout };
    const training = await openDataset({ ...source, split: "train", range });
    const validation =
      rest.validation > 0
        ? await openDataset({ ...source, split: "validation", range: undefined }).catch(noValidation)
        : undefined;
    if (rest.validation > 0 && !validation)
      output.note(
        "note: this data has no validation split (the test split is not for that): accuracy is not measured.",
      );
    const outcome = await train({
      recipe: recipe!,
      recipeOptions: only(given, recipes[recipe as RecipeName].options),
      model,
      options: only(given, trainOptions),
      train: training,
      validation,
      mean,
      std,
      folder,
      resume,
      signal,
      onProgress: progressOn(output),
    });
    output.print(
      outcome.finished
        ? `model: ${outcome.modelPath}`
        : `Stopped. The state is in ${folder}; the same command with --resume goes on from there.`,
    );
    output.document({ folder, finished: outcome.finished, model: outcome.modelPath ?? null, history: outcome.history });
    return outcome.finished ? EXIT.done : EXIT.failed;
  },
});

/** What was given of a record's options. */
const only = (given: Readonly<Record<string, unknown>>, spec: OptionSpec): Record<string, unknown> =>
  Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(spec, name)));

const progressOn =
  (output: Output) =>
  (progress: TrainProgress): void => {
    if (progress.kind === "step") {
      const { epoch, step, total, loss } = progress;
      return output.progress("training", step, total, `epoch ${epoch}  loss ${loss.toFixed(4)}`);
    }
    const { epoch, loss, validationAccuracy: clean, validationRobustAccuracy: robust, seconds } = progress.record;
    const measured =
      clean === null || robust === null ? "" : `  validation ${percent(clean)}  robust ${percent(robust)}`;
    output.print(`epoch ${epoch}  loss ${loss.toFixed(4)}${measured}  ${seconds.toFixed(1)} s`);
  };

/** Sets without a validation part are trained without looking at one: the test part is not for that. */
const noValidation = (error: unknown): undefined => {
  if (isTemperError(error) && error.code === "not-found") return undefined;
  throw error;
};
