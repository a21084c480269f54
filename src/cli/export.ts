import { resolve } from "node:path";
import { attackStepGraph, gradientGraph } from "../attack/index.ts";
import { choice, formatShape, resolveOptions, TemperError, text } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import { losses } from "../loss/index.ts";
import { adapt, loadClassifier } from "../models/index.ts";
import { writeModelFile } from "../onnx/index.ts";
import { toOnnx } from "../ops/index.ts";
import { lowerForCpu } from "../runtime/index.ts";
import { defineCommand, EXIT, type Variant } from "./command.ts";
import { exportTrainStep, trainStepVariant } from "./export-step.ts";
import { prepareFile } from "./files.ts";
import { countNodes, countOperators, describeEnds, typesText } from "./graph-text.ts";
import { names } from "./names.ts";
import { modelOptions, onlyOf } from "./shared-options.ts";

const lossOption = { loss: choice(names(losses), { default: "cross-entropy", help: "loss that is differentiated" }) };
const normOption = { norm: choice(["linf", "l2"], { default: "linf", help: "how changes are measured" }) };
/** What can be written, and its options. */
const kinds = {
  gradient: { summary: "Write the gradient of a loss as a standard ONNX file.", options: lossOption },
  "attack-step": {
    summary: "Write one step of an attack as a standard ONNX file.",
    options: { ...lossOption, ...normOption },
  },
  "train-step": trainStepVariant,
} as const satisfies Record<string, Variant>;

export const exportCommand = defineCommand({
  name: "export",
  summary: "Write a gradient, an attack step or a training step as a standard ONNX file that any ONNX Runtime can run.",
  positionals: [
    { name: "what", help: "what to write", choices: names(kinds) },
    { name: "model.onnx", help: "an ONNX classifier; of train-step a recipe" },
  ],
  options: {
    out: text({ default: undefined, help: "file to write (default <model>.<what>.onnx)" }),
    mean: modelOptions.mean,
    std: modelOptions.std,
  },
  variants: kinds,
  examples: [
    "temper export gradient model.onnx",
    "temper export attack-step model.onnx --norm l2 --loss margin --out step.onnx",
    "temper export train-step trades --beta 6 --model small-cnn --data-shape 1,28,28 --batch-size 64 --out step.onnx",
    "temper export train-step fast-at --from model.onnx --data-shape 3,32,32 --epsilon 8/255",
  ],
  run: async (context) => {
    const { args, options, given, output } = context,
      [what, path] = args,
      { out, mean, std } = options;
    if (what === "train-step") return exportTrainStep(context, options);
    const { loss } = resolveOptions("export", lossOption, onlyOf(given, lossOption)),
      { norm } = resolveOptions("export", normOption, onlyOf(given, normOption));
    const name = out ?? `${path!.replace(/\.onnx(\.gz)?$/, "")}.${what}.onnx`,
      file = await prepareFile(name);
    if (file === resolve(path!))
      throw new TemperError("bad-option", `export: --out ${name} is the model itself. Choose another file.`);
    const graph = normalized(path!, (await loadClassifier(path!)).graph, mean, std);
    const made = what === "gradient" ? gradientGraph(graph, loss) : attackStepGraph(graph, loss, norm);
    const portable = lowerForCpu(made); // as the engine runs it where there are no blocks: standard operators only
    await writeModelFile(file, toOnnx(portable));
    const ends = describeEnds(portable);
    output.print(`${name}: ${countNodes(countOperators(portable))} nodes`);
    output.print(`inputs   ${typesText(ends.inputs)}`);
    output.print(`outputs  ${typesText(ends.outputs)}`);
    output.document({ file: name, ...ends });
    return EXIT.done;
  },
});

/** The network behind mean and deviation, so that the exported input is pixels. */
const normalized = (path: string, graph: Graph, mean: readonly number[], std: readonly number[]): Graph => {
  if (mean.length + std.length === 0) return graph;
  const image = graph.inputs[0]!.shape.slice(1);
  if (image.length !== 3)
    throw new TemperError(
      "bad-option",
      `export: --mean and --std belong to images [N, C, H, W]; ${path} takes ${formatShape(graph.inputs[0]!.shape)}.`,
    );
  const given = { ...(mean.length > 0 && { mean }), ...(std.length > 0 && { std }), layout: "NCHW" as const };
  return adapt(path, graph, image as [number, number, number], given).graph;
};
