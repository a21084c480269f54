import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "../core/index.ts";
import { type Dataset, loadDataset } from "../data/index.ts";
import { evaluate, type EvaluationResult } from "../evaluate/index.ts";
import { loadClassifier } from "../models/index.ts";
import { formatTable, renderJson, renderReport } from "../report/index.ts";
import { formatEpsilon } from "../threat/index.ts";
import { type RecipeName, train } from "../train/index.ts";
import { type CommandContext, defineCommand, EXIT } from "./command.ts";
import type { Output } from "./output.ts";
import { percent } from "./shared-options.ts";

const EPSILON = 0.2;
const options = { out: text({ default: "reports", help: "folder for the reports" }) } as const;

/** Settings that reach their accuracy in well under a minute on two cores. */
const RECIPES: Readonly<
  Record<"plain" | "robust", { recipe: RecipeName; epochs: number; steps: number; ramp: number }>
> = {
  plain: { recipe: "standard", epochs: 3, steps: 1, ramp: 0 },
  robust: { recipe: "pgd-at", epochs: 5, steps: 5, ramp: 2 },
};

export const demoCommand = defineCommand({
  name: "demo",
  summary: "Train a plain and a robust small network on built-in digits, attack both, and write reports.",
  positionals: [],
  options,
  examples: ["temper demo", "temper demo --out my-reports"],
  run: async ({ options: { out }, output, signal, commandLine }: CommandContext<typeof options>) => {
    const folder = await mkdtemp(join(tmpdir(), "temper-demo-"));
    const [training, test] = [
      await loadDataset("glyphs", { split: "train" }),
      await loadDataset("glyphs", { split: "test" }),
    ];
    output.print(
      `Built-in digits: ${training.labels.length} to train on, ${test.labels.length} to test. Attacks may change every pixel by up to ${EPSILON}.`,
    );
    const rows: EvaluationResult[] = [],
      reports: string[] = [];
    for (const name of ["plain", "robust"] as const) {
      const modelPath = await trainOne(name, join(folder, name), training, output, signal);
      if (modelPath === undefined) return EXIT.failed;
      const model = await loadClassifier(modelPath, test.shape);
      const result = await evaluate({ ...model, path: `${name}.onnx` }, test, {
        epsilon: EPSILON,
        sweep: [0.05, 0.1, 0.15, 0.3],
        sweepCount: 300,
        command: commandLine,
        signal,
        onProgress: ({ phase, attack, done, total }) =>
          output.progress(`${name}: ${phase === "clean" ? "clean" : attack}`, done, total),
      });
      rows.push(result);
      reports.push(await writeReport(resolve(out), name, result));
    }
    output.print("");
    output.print(
      formatTable(
        ["network", "clean accuracy", `under attack (l-inf ${formatEpsilon(EPSILON)})`],
        rows.map((r) => [
          r.model.path.replace(".onnx", ""),
          percent(r.cleanAccuracy.value),
          `${percent(r.robustAccuracy.value)} (${percent(r.robustAccuracy.low)} to ${percent(r.robustAccuracy.high)})`,
        ]),
      ),
    );
    output.print("");
    for (const path of reports) output.print(`report: ${path}`);
    output.print(`models: ${folder}`);
    output.document(
      rows.map(({ model, cleanAccuracy, robustAccuracy, attacks }, i) => ({
        model: model.path,
        cleanAccuracy,
        robustAccuracy,
        attacks,
        report: reports[i],
      })),
    );
    return EXIT.done;
  },
});

const trainOne = async (
  name: "plain" | "robust",
  folder: string,
  training: Dataset,
  output: Output,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const { recipe, ...settings } = RECIPES[name];
  const { modelPath } = await train({
    recipe,
    model: "small-cnn",
    options: {
      ...settings,
      optimizer: "adam",
      lr: 6e-3,
      weightDecay: 0,
      batchSize: 50,
      epsilon: EPSILON,
      validation: 0,
    },
    train: training,
    folder,
    signal,
    onProgress: (p) =>
      p.kind === "step" && output.progress(`${name}: training`, p.step, p.total, `loss ${p.loss.toFixed(3)}`),
  });
  return modelPath;
};

const writeReport = async (out: string, name: string, result: EvaluationResult): Promise<string> => {
  await mkdir(out, { recursive: true });
  const path = join(out, `demo-${name}.html`);
  await writeFile(path, renderReport(result));
  await writeFile(join(out, `demo-${name}.json`), renderJson(result));
  return path;
};
