// Exported training steps: Python's onnxruntime trains with the file, and its steps are Temper's own, to rounding.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRng, f32, i64, sizeOf } from "../dist/core/index.js";
import { batchBetween, glyphs } from "../dist/data/index.js";
import { model } from "../dist/models/index.js";
import { createLocalRuntime } from "../dist/runtime/index.js";
import {
  createSteps,
  decodeSafetensors,
  encodeSafetensors,
  recipes,
  settingsOf,
  trainStep,
} from "../dist/train/index.js";

const STEPS = 80,
  BATCH = 64,
  CHECKED = [0, 20, 79]; // whole runs part after some 20 steps, whoever computes: rounding grows
const CASES = {
  standard: { lr: 0.1 },
  trades: { optimizer: "adam", lr: 0.003, steps: 2, epsilon: 0.05 },
  "pgd-at": { optimizer: "adam", lr: 0.003, steps: 7, epsilon: 0.05 }, // its inner attack is a Loop
};
const flagsOf = (settings) =>
  Object.entries(settings).flatMap(([name, value]) => [
    `--${name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`,
    String(value),
  ]);

/** What the steps are fed. */
const feedsFor = (draws) => {
  const data = glyphs({ split: "train", count: STEPS * BATCH }),
    { x, labels } = batchBetween(data, 0, STEPS * BATCH),
    rng = createRng(1);
  const drawn = draws.map(({ name, kind, shape }) => {
    const values = new Float32Array(STEPS * sizeOf(shape));
    if (kind === "uniform") rng.fillUniform(values, -1, 1);
    else rng.fillNormal(values, 0, 1);
    return [name, f32(values, [STEPS, ...shape])];
  });
  return {
    x: f32(x, [STEPS, BATCH, ...data.shape]),
    labels: i64(Array.from(labels), [STEPS, BATCH]),
    ...Object.fromEntries(drawn),
  };
};

/** The feeds of one step. */
const sliceOf = (feeds, i) =>
  Object.fromEntries(
    Object.entries(feeds).map(
      ([
        name,
        {
          dtype,
          data,
          shape: [, ...shape],
        },
      ]) => {
        const size = sizeOf(shape);
        return [name, { dtype, data: data.slice(i * size, (i + 1) * size), shape: [1, ...shape] }];
      },
    ),
  );

/** @param tools  `temper` and `python` run a command line, `show` prints what was found and whether it holds */
export const checkSteps = async ({ folder, temper, python, show }) => {
  for (const [recipe, more] of Object.entries(CASES)) {
    const settings = { batchSize: BATCH, epochs: 1, ...more },
      file = join(folder, `${recipe}.onnx`),
      start = join(folder, `${recipe}.safetensors`),
      given = join(folder, `${recipe}.given.safetensors`);
    const examples = ["--examples", String(STEPS * BATCH)];
    temper("export", "train-step", recipe, ...flagsOf(settings), ...examples, "--out", file);
    const { tensors } = decodeSafetensors(start, readFileSync(start)),
      record = recipes[recipe];
    const program = trainStep({
      model: model("small-cnn", { inputShape: [1, 28, 28], classes: 10 }),
      recipe: record,
      settings: settingsOf(record, settings),
    });
    const named = (keep) => Object.fromEntries(Object.entries(tensors).filter(([name]) => keep(name))),
      states = named((name) => !name.startsWith("scalar/")),
      scalars = Object.fromEntries(program.scalars.map((name) => [name, tensors[`scalar/${name}`]]));
    const shapes = Object.fromEntries(Object.entries(states).map(([name, { shape }]) => [name, shape])),
      feeds = feedsFor(program.draws);
    const steps = await createSteps(createLocalRuntime(), program.graph, shapes);
    const fed = { ...feeds, ...scalars },
      checked = {};
    let at = steps.pack(states);
    for (let i = 0; i < STEPS; i++) {
      const { reports, tensors } = await steps.run(at, sliceOf(fed, i));
      if (CHECKED.includes(i)) {
        const parts = { [`before/${i}`]: steps.unpack(at), [`after/${i}`]: steps.unpack(tensors) };
        for (const [part, values] of Object.entries(parts))
          for (const [name, tensor] of Object.entries(values)) checked[`${part}/${name}`] = tensor;
        checked[`loss/${i}`] = reports.loss;
      }
      at = tensors;
    }
    steps[Symbol.dispose]();
    writeFileSync(given, encodeSafetensors({ tensors: { ...feeds, ...checked }, metadata: {} }));
    const found = JSON.parse(python("train-step.py", file, start, given)),
      mean = (part) => part.reduce((sum, loss) => sum + loss, 0) / part.length,
      [first, last] = [mean(found.losses.slice(0, 5)), mean(found.losses.slice(-5))];
    show(`${recipe} step exported: checker, domains`, found.domains.join(" "), found.domains.join() === "ai.onnx");
    show(`... ${STEPS} steps in Python, loss`, `${first.toFixed(3)} to ${last.toFixed(3)}`, last < 0.8 * first);
    found.checked.forEach(([loss, weights], i) =>
      show(
        `... step ${CHECKED[i] + 1}, from the same weights here and there`,
        `loss ${loss.toExponential(1)}, weights after it ${weights.toExponential(1)}`,
        loss < 1e-4 && weights < 1e-3, // where a gradient is nearly zero, rounding turns a sign of the inner attack
      ),
    );
  }
};
