import { join } from "node:path";
import { bool, type OptionSpec, numbers, text } from "../core/index.ts";
import { applyRange, type Dataset, loadDataset } from "../data/index.ts";
import { objectives, train, trainOptions } from "../train/index.ts";
import { type CommandContext, defineCommand, EXIT } from "./command.ts";
import { dataRoot } from "./data-root.ts";
import { names } from "./names.ts";
import { percent } from "./shared-options.ts";

const options = {
  model: text({
    default: "small-cnn",
    help: "architecture; see `temper list models`; wide-resnet-28-10 and the like are names too",
  }),
  data: text({ default: "glyphs", help: "built-in name, fetched set, file or folder" }),
  range: text({
    default: undefined,
    help: "training examples to use, end excluded, such as 0:5000",
    expected: "two numbers such as 0:5000",
  }),
  out: text({ default: undefined, help: "folder of the run (default runs/<recipe>-<model>-<data>)" }),
  resume: bool({ default: false, help: "go on with the run in --out" }),
  mean: numbers({ default: [], help: "per-channel mean, subtracted inside the model" }),
  std: numbers({ default: [], help: "per-channel deviation, divided by inside the model" }),
  ...trainOptions,
} as const satisfies OptionSpec;

export const trainCommand = defineCommand({
  name: "train",
  summary: "Train a classifier, plainly or to be robust; resumes; saves ONNX.",
  positionals: [{ name: "recipe", help: "how to train", choices: names(objectives) }],
  options,
  examples: [
    "temper train pgd-at --data glyphs --epsilon 0.2 --epochs 6 --lr 0.05",
    "temper train standard --model resnet-18 --data cifar10 --mean 0.4914,0.4822,0.4465 --std 0.247,0.2435,0.2616",
    "temper train pgd-at --data glyphs --epsilon 0.2 --epochs 6 --lr 0.05 --resume",
  ],
  run: async ({ args: [recipe], options: given, output, signal }: CommandContext<typeof options>) => {
    const { model, data, range, out, resume, mean, std, ...rest } = given;
    const folder = out ?? join("runs", `${recipe}-${model}-${data.replaceAll(/[^\w-]+/g, "_")}`);
    const all = await loadDataset(data, { split: "train", dataRoot: dataRoot() });
    const training = range === undefined ? all : applyRange(all, range);
    const validation = rest.validation > 0 ? await validationOf(data) : undefined;
    if (rest.validation > 0 && !validation)
      output.note("note: this data has no validation split; accuracy is not measured while training.");
    const outcome = await train({
      objective: recipe!,
      model,
      options: rest,
      train: training,
      validation,
      mean,
      std,
      folder,
      resume,
      signal,
      onProgress: (progress) => {
        if (progress.kind === "step")
          return output.progress(
            `epoch ${progress.epoch}`,
            progress.step,
            progress.total,
            `loss ${progress.loss.toFixed(4)}`,
          );
        const { epoch, loss, validationAccuracy: clean, validationRobustAccuracy: robust, seconds } = progress.record;
        const measured =
          clean === null || robust === null ? "" : `  validation ${percent(clean)}  robust ${percent(robust)}`;
        output.print(`epoch ${epoch}  loss ${loss.toFixed(4)}${measured}  ${seconds.toFixed(1)} s`);
      },
    });
    output.print(outcome.finished ? `model: ${outcome.modelPath}` : `stopped; resume with --resume (${folder})`);
    output.document({ folder, finished: outcome.finished, model: outcome.modelPath ?? null, history: outcome.history });
    return EXIT.done;
  },
});

/** Sets without a validation part are trained without looking at one: the test part is not for that. */
const validationOf = async (name: string): Promise<Dataset | undefined> => {
  try {
    return await loadDataset(name, { split: "validation", dataRoot: dataRoot() });
  } catch {
    return undefined;
  }
};
