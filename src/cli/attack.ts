import { readFile, writeFile } from "node:fs/promises";
import { createTarget, predictionOf } from "../attack/index.ts";
import { i64, sizeOf, text, type Tensor, TemperError } from "../core/index.ts";
import { batchBetween, countOf, readNpz, writeNpz } from "../data/index.ts";
import { attackDataset } from "../evaluate/index.ts";
import { attacks } from "../attack/index.ts";
import { formatTable } from "../report/index.ts";
import { defaultEngine } from "../runtime/index.ts";
import { formatEpsilon, threat as createThreat } from "../threat/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { names } from "./names.ts";
import {
  announce,
  dataOptions,
  modelOptions,
  openDataset,
  openModel,
  parseAttack,
  percent,
  threatOptions,
} from "./shared-options.ts";

export const attackCommand = defineCommand({
  name: "attack",
  summary: "Run one attack and save what it finds.",
  positionals: [{ name: "model.onnx", help: "an ONNX classifier" }],
  options: {
    ...dataOptions,
    ...threatOptions,
    attack: text({
      default: "pgd",
      help: `attack with options, such as pgd:steps=20; one of ${names(attacks).join(", ")}`,
      expected: "name or name:option=value,...",
    }),
    save: text({ default: undefined, help: ".npz file for the examples: x, adversarial, labels, predictions, broken" }),
    ...modelOptions,
  },
  examples: [
    "temper attack model.onnx --data mnist --epsilon 0.1 --attack apgd-ce --save adv.npz",
    "temper attack model.onnx --norm l2 --epsilon 0.5 --attack pgd:steps=100,restarts=5 --range 0:200",
  ],
  run: async ({ args, options, output, signal }) => {
    const data = await openDataset(options);
    const { model, dataset } = await openModel(args[0]!, data, options);
    announce(output, model, dataset);
    const found = await attackDataset(model, dataset, {
      attack: parseAttack(options.attack),
      norm: options.norm,
      epsilon: options.epsilon,
      seed: options.seed,
      ...(options.batch > 0 && { batch: options.batch }),
      ...(options.threads > 0 && { threads: options.threads }),
      onProgress: (done, total, accuracy) =>
        output.progress(options.attack, done, total, `standing ${percent(accuracy)}`),
      signal,
    });
    const { cleanAccuracy, robustAccuracy, row } = found;
    output.print(`clean accuracy ${percent(cleanAccuracy.value)}`);
    output.print(
      `robust accuracy ${percent(robustAccuracy.value)} (95 %: ${percent(robustAccuracy.low)} to ${percent(robustAccuracy.high)}) under ${options.norm} ${formatEpsilon(options.epsilon)}`,
    );
    output.print(
      formatTable(
        ["attack", "tried", "broken", "gradients each", "forwards each", "seconds"],
        [
          [
            row.name,
            row.attempted,
            row.broken,
            row.gradientEvaluations.toFixed(1),
            row.forwardEvaluations.toFixed(1),
            row.seconds.toFixed(1),
          ].map(String),
        ],
      ),
    );
    let verified: number | undefined;
    if (options.save !== undefined) {
      verified = await saveAndVerify(options.save);
      output.print(
        `${options.save}: ${row.broken} adversarial examples, judged again from the file: ${verified} hold.`,
      );
    }
    output.document({
      cleanAccuracy,
      robustAccuracy,
      attacks: [row],
      norm: options.norm,
      epsilon: options.epsilon,
      ...(verified !== undefined && { file: options.save, verified }),
    });
    return EXIT.done;

    /** Writes the examples, reads them back and asks the model again about every one that counts as broken. */
    async function saveAndVerify(file: string): Promise<number> {
      const { x, labels } = batchBetween(dataset, 0, countOf(dataset)),
        n = labels.length,
        shape = [n, ...dataset.shape];
      const images = (data: Float32Array): Tensor => ({
        dtype: "float32",
        shape,
        data: data as Float32Array<ArrayBuffer>,
      });
      const predictions = i64(Array.from(found.predictions)),
        broken: Tensor = { dtype: "uint8", shape: [n], data: found.broken as Uint8Array<ArrayBuffer> };
      await writeFile(
        file,
        writeNpz({
          x: images(x),
          adversarial: images(found.adv),
          labels: i64(Array.from(labels)),
          predictions,
          broken,
        }),
      );
      const read = readNpz(file, new Uint8Array(await readFile(file))),
        adv = read.get("adversarial")?.data;
      if (!(adv instanceof Float32Array))
        throw new TemperError("bad-file", `${file}: reading back what was written failed.`);
      using target = await createTarget(defaultEngine(), model.graph);
      const set = createThreat({ norm: options.norm, epsilon: options.epsilon, box: [...dataset.range] });
      const d = sizeOf(dataset.shape),
        inside = set.contains(x, adv, d);
      let holds = 0;
      for (let i = 0; i < n; i++) {
        if (!found.broken[i] || !inside[i]) continue;
        const logits = await target.logits(adv.slice(i * d, (i + 1) * d));
        if (predictionOf(logits, 0, target.classes) !== labels[i]) holds++;
      }
      return holds;
    }
  },
});
