import { writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { float, int, numbers, text } from "../core/index.ts";
import { evaluate, type EvaluationProgress, type EvaluationResult } from "../evaluate/index.ts";
import { formatTable, renderJson, renderReport } from "../report/index.ts";
import { formatEpsilon } from "../threat/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import type { Output } from "./output.ts";
import {
  announce,
  attackOption,
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
      help: "HTML report to write, with a JSON file beside it (default <model>-report.html)",
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
    const data = await openDataset(options);
    const { model, dataset } = await openModel(args[0]!, data, options);
    announce(output, model, dataset);
    const result = await evaluate(model, dataset, {
      norm: options.norm,
      epsilon: options.epsilon,
      ...(options.attack.length > 0 && { attacks: options.attack.map(parseAttack) }),
      ...(options.sweep.length > 0 && { sweep: options.sweep.filter((e) => e > 0) }),
      sweepCount: options.sweepCount,
      seed: options.seed,
      ...(options.batch > 0 && { batch: options.batch }),
      ...(options.threads > 0 && { threads: options.threads }),
      command: commandLine,
      onProgress: progressOn(output),
      signal,
    });
    const path = resolve(options.report ?? `${basename(args[0]!).replace(/\.onnx(\.gz)?$/, "")}-report.html`);
    await writeFile(path, renderReport(result));
    await writeFile(path.replace(/(\.html?)?$/, ".json"), renderJson(result));
    printResult(output, result);
    output.print(`report: ${path}`);
    output.document({
      ...result,
      examples: result.examples.map(({ pixels: _, adversarialPixels: __, ...rest }) => rest),
      report: path,
    });
    return result.robustAccuracy.value < options.minRobustAccuracy ? EXIT.missed : EXIT.done;
  },
});

/** Progress lines; the clean accuracy is printed the moment it is known. */
export const progressOn = (output: Output): ((progress: EvaluationProgress) => void) => {
  return ({ phase, attack, epsilon, done, total, accuracy }) => {
    if (phase === "clean" && done === total) output.print(`clean accuracy ${percent(accuracy)}`);
    const label = phase === "clean" ? "clean" : `${attack} at ${formatEpsilon(epsilon!)}`;
    output.progress(label, done, total, `${phase === "clean" ? "right" : "standing"} ${percent(accuracy)}`);
  };
};

export const printResult = (output: Output, result: EvaluationResult): void => {
  const { threat, robustAccuracy: robust, attacks, sweep, seconds, machine, doubts, cost } = result;
  output.print(
    `robust accuracy ${percent(robust.value)} (95 %: ${percent(robust.low)} to ${percent(robust.high)}) under ${threat.norm} ${formatEpsilon(threat.epsilon)}`,
  );
  output.print("");
  output.print(
    formatTable(
      ["attack", "tried", "broken", "accuracy after", "gradients each", "forwards each", "seconds"],
      attacks.map((row) =>
        [
          row.name,
          row.attempted,
          row.broken,
          percent(row.robustAccuracy.value),
          row.gradientEvaluations.toFixed(1),
          row.forwardEvaluations.toFixed(1),
          row.seconds.toFixed(1),
        ].map(String),
      ),
    ),
  );
  if (sweep.length > 1) {
    output.print("");
    output.print(
      formatTable(
        ["epsilon", "examples", "robust accuracy"],
        sweep.map((row) => [
          formatEpsilon(row.epsilon),
          String(row.robustAccuracy.count),
          percent(row.robustAccuracy.value),
        ]),
      ),
    );
  }
  for (const doubt of doubts) output.print(`\ndoubt (${doubt.code}): ${doubt.message}`);
  output.print("");
  output.print(
    `${seconds.total.toFixed(1)} s on ${machine.cpu}, ${machine.threads} threads; ${cost.gradientEvaluations} gradient and ${cost.forwardEvaluations} forward evaluations; seed ${result.seed}`,
  );
};
