import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { float, int, numbers, text } from "../core/index.ts";
import { evaluate, type EvaluationResult, warmUp } from "../evaluate/index.ts";
import { renderJson, renderReport } from "../report/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { prepareFile } from "./files.ts";
import { printResult, progressOn } from "./print-evaluation.ts";
import {
  announce,
  attackOption,
  chosen,
  dataOptions,
  modelOptions,
  openDataset,
  openModel,
  parseAttack,
  percent,
  threatOptions,
} from "./shared-options.ts";

export const evaluateCommand = defineCommand({
  name: "evaluate",
  summary: "Measure a model's clean and attacked accuracy, and write a report.",
  positionals: [{ name: "model.onnx", help: "an ONNX classifier" }],
  options: {
    ...dataOptions,
    ...threatOptions,
    attack: attackOption,
    sweep: numbers({
      default: [],
      min: 0,
      help: "further epsilons for the curve; default a quarter, a half and twice epsilon; 0: none",
    }),
    sweepCount: int({ default: 500, min: 1, help: "examples that the further epsilons see" }),
    report: text({
      default: undefined,
      help: "HTML report to write, with a JSON file beside it; default <model>-report.html, with --json none",
    }),
    minRobustAccuracy: float({
      default: 0,
      min: 0,
      max: 1,
      help: "exit with 1 where robust accuracy is below this fraction",
    }),
    ...modelOptions,
  },
  examples: [
    "temper evaluate model.onnx --data mnist --norm linf --epsilon 0.1",
    "temper evaluate model.onnx --data cifar10 --epsilon 8/255 --range 0:1000 --attack pgd:steps=20",
    "temper evaluate model.onnx --data images/ --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --json",
  ],
  run: async ({ args, options, output, signal, commandLine }) => {
    const attacks = options.attack.map((value) => parseAttack(value, options.norm)),
      page = await reportPath(args[0]!, options.report, output.json);
    void warmUp();
    const data = await openDataset(options);
    const { model, dataset } = await openModel(args[0]!, data, options);
    announce(output, model, dataset);
    const result = await evaluate(model, dataset, {
      norm: options.norm,
      epsilon: options.epsilon,
      ...(attacks.length > 0 && { attacks }),
      ...(options.sweep.length > 0 && { sweep: options.sweep.filter((e) => e > 0) }),
      sweepCount: options.sweepCount,
      seed: options.seed,
      device: options.device,
      memory: options.memory,
      lanes: options.lanes,
      ...chosen(options),
      command: commandLine,
      onProgress: progressOn(output),
      signal,
    });
    printResult(output, result);
    if (page) {
      await writeFile(page, renderReport(result));
      await writeFile(page.replace(/\.html$/, ".json"), renderJson(result));
      output.print(`report: ${page}`);
    }
    output.document(renderJson(withoutPixels(result)));
    if (result.doubts.some(({ code }) => code === "interrupted")) return EXIT.failed;
    const least = options.minRobustAccuracy;
    if (result.robustAccuracy.value >= least) return EXIT.done;
    output.note(
      `Robust accuracy ${percent(result.robustAccuracy.value)} is below the ${percent(least)} of --min-robust-accuracy.`,
    );
    return EXIT.missed;
  },
});

/** Where the page goes; a program that reads standard output gets files only where it names them. */
const reportPath = async (model: string, given: string | undefined, json: boolean): Promise<string | undefined> => {
  if (given === undefined && json) return undefined;
  const named = given ?? `${basename(model).replace(/\.onnx(\.gz)?$/, "")}-report`;
  return prepareFile(`${named.replace(/\.(html?|json)$/, "")}.html`);
};

/** The document on standard output: of the form of the JSON file, but without the pictures' pixels. */
const withoutPixels = (result: EvaluationResult): EvaluationResult => ({
  ...result,
  examples: result.examples.map((example) => ({ ...example, pixels: [], adversarialPixels: [] })),
});
