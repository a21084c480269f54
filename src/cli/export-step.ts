import { basename, resolve } from "node:path";
import {
  formatShape,
  int,
  lookup,
  numbers,
  type OptionSpec,
  type OptionValues,
  resolveOptions,
  TemperError,
  text,
} from "../core/index.ts";
import { parseMixer } from "../data/index.ts";
import { loadTrainable, model as modelOf, type ModelDefinition } from "../models/index.ts";
import { writeModelFile } from "../onnx/index.ts";
import { type AnyRecipe, recipes, replaceFile, settingsOf, stepFiles, trainOptions } from "../train/index.ts";
import { type CommandContext, EXIT, type ExitCode, type Variant } from "./command.ts";
import { prepareFile } from "./files.ts";
import { countNodes, countOperators, describeEnds, typesText } from "./graph-text.ts";
import { modelOptions, onlyOf, parseRange } from "./shared-options.ts";

/** Options of a run that no step knows of. */
const OUTSIDE = new Set([
  ...["augment", "labelNoise", "poolShare", "holdOut", "validation", "select", "patience", "guard"],
  ...["memory", "winograd", "checkpoint"],
]);

const own = {
  model: text({ default: "small-cnn", help: "architecture; see `temper list models`" }),
  from: text({ default: undefined, help: "ONNX file whose weights are trained, in place of a new network" }),
  dataShape: numbers({ default: [], help: "channels, height and width of an image (default 1,28,28, or as --from)" }),
  classes: int({ default: 10, min: 2, help: "classes of a new network" }),
  inputRange: modelOptions.inputRange,
  examples: int({ default: 10_000, min: 1, help: "training examples, which schedules go by" }),
} as const satisfies OptionSpec;

/** `export train-step <recipe>`. */
export const trainStepVariant: Variant = {
  summary: "Write a training step, its starting weights and its schedule: any ONNX Runtime trains with it.",
  options: {
    ...own,
    ...Object.fromEntries(Object.entries(trainOptions).filter(([name]) => !OUTSIDE.has(name))),
  },
  variants: recipes,
};

interface Placed {
  readonly out: string | undefined;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** @throws TemperError as `train` does for the same options */
export const exportTrainStep = async (
  { args: [, name], given, output }: Pick<CommandContext<OptionSpec>, "args" | "given" | "output">,
  { out, mean, std }: Placed,
): Promise<ExitCode> => {
  const recipe = lookup<AnyRecipe>(recipes, name!, "recipe"),
    asked = resolveOptions("export", own, onlyOf(given, own)),
    settings = settingsOf(recipe, onlyOf(given, trainOptions));
  const network = asked.from === undefined ? asked.model : basename(asked.from).replace(/\.onnx(\.gz)?$/, ""),
    target = out ?? `${name}-${network}.step.onnx`,
    beside = `${target.replace(/\.onnx(\.gz)?$/, "")}.safetensors`;
  const file = await prepareFile(target),
    startFile = await prepareFile(beside);
  if (asked.from !== undefined && file === resolve(asked.from))
    throw new TemperError("bad-option", `export: --out ${target} is the model itself. Choose another file.`);
  const perEpoch = Math.max(1, Math.floor(asked.examples / settings.batchSize)) * settings.replays;
  const { graph, model, start, description } = stepFiles(
    {
      model: await definitionOf(asked, mean, std),
      recipe,
      options: onlyOf(given, recipe.options as OptionSpec),
      settings,
      ...(asked.inputRange !== undefined && { range: parseRange("--input-range", asked.inputRange) }),
      mixed: parseMixer(settings.mix) !== undefined,
    },
    perEpoch,
  );
  await replaceFile(startFile, start);
  await writeModelFile(file, model);
  const ends = describeEnds(graph),
    fed = new Set([...description.examples, ...description.draws.map((drawn) => drawn.name), ...description.scalars]);
  output.print(`${target}: ${countNodes(countOperators(graph))} nodes`);
  output.print(`inputs   ${typesText(ends.inputs.filter((end) => fed.has(end.name)))}`);
  output.print(
    `states   ${description.states.length}, which start as in ${beside}; outputs next.<name> take their place`,
  );
  output.print(`reports  ${description.reports.join(", ")}`);
  output.document({ file: target, start: beside, ...description });
  return EXIT.done;
};

/** The network that is trained. @throws TemperError `bad-option`, `not-found`, and as `loadTrainable` */
const definitionOf = async (
  { model, from, dataShape, classes }: Pick<OptionValues<typeof own>, "model" | "from" | "dataShape" | "classes">,
  mean: readonly number[],
  std: readonly number[],
): Promise<ModelDefinition> => {
  if (![0, 3].includes(dataShape.length))
    throw new TemperError("bad-option", `export: --data-shape must be 3 numbers, got ${formatShape(dataShape)}.`);
  const normalization = { ...(mean.length > 0 && { mean }), ...(std.length > 0 && { std }) },
    shape = dataShape.length === 3 ? (dataShape as unknown as [number, number, number]) : undefined;
  if (from !== undefined) return (await loadTrainable(from, shape, normalization)).definition;
  return modelOf(model, { inputShape: shape ?? [1, 28, 28], classes, ...normalization });
};
