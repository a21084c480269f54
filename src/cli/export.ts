import { writeFile } from "node:fs/promises";
import { gradientGraph, attackStepGraph } from "../attack/index.ts";
import { choice, text } from "../core/index.ts";
import { graphNodes } from "../graph/index.ts";
import { concatChunks, encodeModel } from "../onnx/index.ts";
import { losses } from "../loss/index.ts";
import { loadClassifier } from "../models/index.ts";
import { toOnnx } from "../ops/index.ts";
import { lowerForCpu } from "../runtime/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { names } from "./names.ts";

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
  },
  examples: [
    "temper export gradient model.onnx",
    "temper export attack-step model.onnx --loss cross-entropy --out step.onnx",
  ],
  run: async ({ args: [what, path], options: { out, loss, norm }, output }) => {
    const { graph } = await loadClassifier(path!);
    const made = what === "gradient" ? gradientGraph(graph, loss) : attackStepGraph(graph, loss, norm);
    const portable = lowerForCpu(made); // what the engine runs, in standard operators only
    const file = out ?? `${path!.replace(/\.onnx(\.gz)?$/, "")}.${what}.onnx`;
    await writeFile(file, concatChunks(encodeModel(toOnnx(portable))));
    const describe = (values: readonly { name: string; shape: readonly number[]; dtype: string }[]): string =>
      values
        .map(
          ({ name, dtype, shape }) =>
            `${name}: ${dtype}[${shape.map((d) => (d < 0 ? (d === -1 ? "N" : `${-d}N`) : d)).join(", ")}]`,
        )
        .join(", ");
    const inputs = portable.inputs.map((v) => ({ name: v.node.name, dtype: v.dtype, shape: v.shape }));
    const outputs = Object.entries(portable.outputs).map(([name, v]) => ({ name, dtype: v.dtype, shape: v.shape }));
    output.print(
      `${file}: ${graphNodes(portable).length} nodes\ninputs   ${describe(inputs)}\noutputs  ${describe(outputs)}`,
    );
    output.document({ file, inputs, outputs });
    return EXIT.done;
  },
});
