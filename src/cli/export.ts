import { resolve } from "node:path";
import { attackStepGraph, gradientGraph } from "../attack/index.ts";
import { choice, formatShape, TemperError, text } from "../core/index.ts";
import type { Graph } from "../graph/index.ts";
import { losses } from "../loss/index.ts";
import { adapt, loadClassifier } from "../models/index.ts";
import { writeModelFile } from "../onnx/index.ts";
import { toOnnx } from "../ops/index.ts";
import { lowerForCpu } from "../runtime/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { prepareFile } from "./files.ts";
import { countNodes, countOperators, describeEnds, typesText } from "./graph-text.ts";
import { names } from "./names.ts";
import { modelOptions } from "./shared-options.ts";

/** What can be written; each is a function from the model's graph to a graph. */
const WHAT = ["gradient", "attack-step"] as const;

export const exportCommand = defineCommand({
  name: "export",
  summary: "Write a gradient or an attack step as a standard ONNX file that any ONNX Runtime can run.",
  positionals: [
    { name: "what", help: "what to write", choices: WHAT },
    { name: "model.onnx", help: "an ONNX classifier" },
  ],
  options: {
    out: text({ default: undefined, help: "file to write (default <model>.<what>.onnx)" }),
    norm: choice(["linf", "l2"], { default: "linf", help: "attack-step: how changes are measured" }),
    loss: choice(names(losses), { default: "cross-entropy", help: "loss that is differentiated" }),
    mean: modelOptions.mean,
    std: modelOptions.std,
  },
  examples: [
    "temper export gradient model.onnx",
    "temper export attack-step model.onnx --norm l2 --loss margin --out step.onnx",
  ],
  run: async ({ args: [what, path], options: { out, loss, norm, mean, std }, output }) => {
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
