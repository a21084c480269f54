import { attacks } from "../attack/index.ts";
import { text } from "../core/index.ts";
import { attackDataset, warmUp } from "../evaluate/index.ts";
import { formatEpsilon } from "../threat/index.ts";
import { defineCommand, EXIT } from "./command.ts";
import { prepareFile } from "./files.ts";
import { names } from "./names.ts";
import { attackTable } from "./print-evaluation.ts";
import { saveExamples, verifyExamples } from "./save-examples.ts";
import {
  announce,
  chosen,
  dataOptions,
  fractionText,
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
    const attack = parseAttack(options.attack, options.norm),
      file = options.save === undefined ? undefined : await prepareFile(options.save);
    void warmUp();
    const data = await openDataset(options);
    const { model, dataset } = await openModel(args[0]!, data, options);
    announce(output, model, dataset);
    const { norm, epsilon, seed, device } = options;
    const found = await attackDataset(model, dataset, {
      attack,
      norm,
      epsilon,
      seed,
      device,
      memory: options.memory,
      lanes: options.lanes,
      ...chosen(options),
      onProgress: (done, total, accuracy) =>
        output.progress(options.attack, done, total, `standing ${percent(accuracy)}`),
      signal,
    });
    const { cleanAccuracy, robustAccuracy, row, interrupted } = found;
    output.print(`clean accuracy  ${fractionText(cleanAccuracy)}`);
    output.print(`robust accuracy ${fractionText(robustAccuracy)} under ${norm} ${formatEpsilon(epsilon)}`);
    output.print(`\n${attackTable([row])}`);
    let verified: number | undefined;
    if (file !== undefined) {
      await saveExamples(file, dataset, found);
      verified = await verifyExamples(file, model, dataset, { norm, epsilon });
      output.print(
        `\n${options.save}: ${row.broken} adversarial examples; judged again from the file, ${verified} hold.`,
      );
    }
    if (interrupted) output.note("The attack was stopped: examples that it had not reached count as standing.");
    output.document({
      cleanAccuracy,
      robustAccuracy,
      attacks: [row],
      norm,
      epsilon,
      seed,
      interrupted,
      ...(verified !== undefined && { file: options.save, verified }),
    });
    return interrupted ? EXIT.failed : EXIT.done;
  },
});
