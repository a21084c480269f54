import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTarget } from "temper/attack";
import { createRng, f32, i64, type Tensor } from "temper/core";
import { batchBetween, glyphs } from "temper/data";
import { BATCH, createGraph, input } from "temper/graph";
import { model } from "temper/models";
import { decodeModel } from "temper/onnx";
import { importModel, relu } from "temper/ops";
import { compile, createLocalRuntime, defaultEngine } from "temper/runtime";
import { threat } from "temper/threat";
import {
  type AnyRecipe,
  createSteps,
  decodeSafetensors,
  recipes,
  settingsOf,
  type StepDescription,
  type StepProgram,
  trainStep,
} from "temper/train";
import { afterAll, describe, expect, it } from "vitest";
import { linearGraph, taskOf } from "../evaluate/linear.ts";
import { documentOf, folder, removeFolder, temper, writeModel } from "./command.ts";

process.env["ORT_DISABLE_TELEMETRY"] = "1";
const { default: ort } = await import("onnxruntime-node");
afterAll(removeFolder);

const task = taskOf({ count: 12 });
const graph = linearGraph(task, { after: (s) => relu(s) });
writeModel("model.onnx", graph);
const n = task.dataset.labels.length,
  dims = [n, ...task.shape],
  d = 64;
const x = task.dataset.pixels as Float32Array<ArrayBuffer>;
const flat = input("x", "float32", [BATCH, 4]);

/** What ONNX Runtime alone makes of an exported file. */
const runFile = async (
  name: string,
  scalars: Readonly<Record<string, number>> = {},
  original?: Float32Array,
  images = x,
) => {
  const session = await ort.InferenceSession.create(join(folder, name));
  const feeds: Record<string, InstanceType<typeof ort.Tensor>> = {
    x: new ort.Tensor("float32", images, dims),
    labels: new ort.Tensor("int64", i64(Array.from(task.dataset.labels)).data, [n]),
    ...(original && { original: new ort.Tensor("float32", original, dims) }),
  };
  for (const [key, value] of Object.entries(scalars))
    feeds[key] = new ort.Tensor("float32", Float32Array.of(value), []);
  const outputs = await session.run(feeds);
  return Object.fromEntries(Object.entries(outputs).map(([key, t]) => [key, t.data as Float32Array]));
};

/** Only operators that every ONNX Runtime has. */
const expectStandard = (name: string): void => {
  const model = decodeModel(new Uint8Array(readFileSync(join(folder, name))));
  expect(model.opsetImport?.map(({ domain }) => domain ?? "")).toEqual([""]);
  for (const node of model.graph?.node ?? []) expect(node.domain ?? "", node.opType).toBe("");
  expect(model.functions ?? []).toEqual([]);
};

describe("export gradient", () => {
  it.each(["cross-entropy", "margin"] as const)("of %s runs on ONNX Runtime alone, as here", async (loss) => {
    const outcome = await temper([
      "export",
      "gradient",
      "model.onnx",
      "--loss",
      loss,
      "--out",
      `${loss}.onnx`,
      "--json",
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(documentOf(outcome)).toMatchObject({
      file: `${loss}.onnx`,
      inputs: [
        { name: "x", dtype: "float32", shape: [-1, 1, 8, 8] },
        { name: "labels", dtype: "int64" },
      ],
      outputs: [{ name: "gradient" }, { name: "loss" }, { name: "logits" }],
    });
    expectStandard(`${loss}.onnx`);
    const found = await runFile(`${loss}.onnx`);
    using target = await createTarget(defaultEngine(), graph);
    const ours = await target.evaluate(x, task.dataset.labels, loss);
    for (const name of ["gradient", "loss", "logits"] as const) {
      expect(found[name]!.length).toBe(ours[name].length);
      ours[name].forEach((v, i) => expect(found[name]![i]).toBeCloseTo(v, 5));
    }
    expect(ours.gradient.some((v) => v !== 0)).toBe(true);
  });
});

describe("export with --mean and --std", () => {
  it("takes pixels: the gradient is that of the network at normalized ones, divided by the deviation", async () => {
    const files = ["plain.onnx", "pixels.onnx"];
    await temper(["export", "gradient", "model.onnx", "--out", files[0]!]);
    const options = ["--mean", "0.25", "--std", "0.5", "--out", files[1]!];
    expect((await temper(["export", "gradient", "model.onnx", ...options])).code).toBe(0);
    const direct = (await runFile(files[0]!))["gradient"]!;
    const pixels = x.map((v) => 0.25 + 0.5 * v);
    const found = (await runFile(files[1]!, {}, undefined, pixels))["gradient"]!;
    direct.forEach((v, i) => expect(found[i]).toBeCloseTo(v / 0.5, 5));
    expect(direct.some((v) => v !== 0)).toBe(true);
  });

  it("refuses a network that takes no images, and deviations of 0", async () => {
    writeModel("flat.onnx", createGraph("flat", [flat], { y: flat }));
    const refused = await temper(["export", "gradient", "flat.onnx", "--mean", "0.5"]);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toMatch(/images \[N, C, H, W\]; flat.onnx takes \[N, 4\]/);
    expect((await temper(["export", "gradient", "model.onnx", "--std", "0"])).stderr).toMatch(/std must not be 0/);
  });
});

describe("export attack-step", () => {
  it.each(["linf", "l2"] as const)("%s: is one projected step of the library", async (norm) => {
    const name = `${norm}.onnx`;
    const { code, stdout } = await temper(["export", "attack-step", "model.onnx", "--norm", norm, "--out", name]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/inputs   x: float32\[N, 1, 8, 8\], labels: int64\[N\], original: .*step_size/);
    expectStandard(name);
    const [epsilon, step] = norm === "linf" ? [0.05, 0.03] : [0.5, 0.3];
    const original = x.map((v, i) => v + (i % 2 ? 0.04 : -0.04)); // so that the projection has something to do
    const found = await runFile(name, { epsilon, step_size: step, low: 0, high: 1 }, original);
    using target = await createTarget(defaultEngine(), graph);
    const { gradient } = await target.evaluate(x, task.dataset.labels, "cross-entropy");
    const set = threat({ norm, epsilon, box: [0, 1] }),
      adv = x.slice();
    set.ascend(adv, gradient, step, d);
    set.project(original, adv, d);
    found["adversarial"]!.forEach((v, i) => expect(v).toBeCloseTo(adv[i]!, 5));
    expect(set.contains(original, found["adversarial"]!, d).every((inside) => inside === 1)).toBe(true);
  });

  it("refuses a loss that needs more classes", async () => {
    writeModel("two.onnx", linearGraph(taskOf({ classes: 2 })));
    const { code, stderr } = await temper(["export", "attack-step", "two.onnx", "--loss", "dlr"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/dlr needs at least 3 classes/);
  });
});

describe("export train-step", () => {
  const inputsOf = (program: StepProgram, start: Readonly<Record<string, Tensor>>) => {
    const rng = createRng(3),
      { x: pixels, labels } = batchBetween(glyphs({ split: "train", count: 16 }), 0, 16);
    const draws = program.draws.map(({ name, shape }) => {
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
      rng.fillUniform(values, -1, 1);
      return [name, f32(values, [...shape])] as const;
    });
    // Of the fourth step: the rate of the first is 0.
    const scalars = program.scalars.map((name) => {
      const { dtype, data } = start[`scalar/${name}`]!;
      return [name, { dtype, data: data.slice(3, 4), shape: [] } as Tensor] as const;
    });
    return {
      x: f32(pixels as Float32Array<ArrayBuffer>, [16, 1, 28, 28]),
      labels: i64(Array.from(labels)),
      ...Object.fromEntries([...draws, ...scalars]),
    };
  };

  // Two inner steps are written one after another; more are a Loop, which ONNX Runtime runs and the importer does not read.
  it.each([
    ["trades", ["--steps", "2", "--epsilon", "0.1", "--beta", "3"], true],
    ["pgd-at", ["--steps", "3", "--epsilon", "0.1", "--optimizer", "adam", "--lr", "0.002", "--average", "ema"], false],
    ["fw-at-adapt", ["--epsilon", "0.1"], false],
  ] as const)("%s: one step is that of the library", async (recipe, flags, importable) => {
    const file = `${recipe}.onnx`,
      out = ["--batch-size", "16", "--examples", "64", "--epochs", "2", "--out", file];
    const outcome = await temper(["export", "train-step", recipe, ...flags, ...out, "--json"]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expectStandard(file);
    const bytes = new Uint8Array(readFileSync(join(folder, file))),
      described = decodeModel(bytes).metadataProps!.find(({ key }) => key === "temper.step")!.value!;
    const step = JSON.parse(described) as StepDescription;
    expect(documentOf(outcome)).toEqual({ file, start: `${recipe}.safetensors`, ...step });
    const start = decodeSafetensors("start", readFileSync(join(folder, `${recipe}.safetensors`))).tensors,
      states = Object.fromEntries(step.states.map((name) => [name, start[name]!]));
    for (const name of step.scalars) expect(start[`scalar/${name}`]!.shape).toEqual([8]); // 4 steps an epoch

    expect(step.recipeOptions).toMatchObject(recipe === "trades" ? { beta: 3 } : {});
    const record: AnyRecipe = recipes[recipe],
      settings = settingsOf(record, step.settings);
    const program = trainStep({
      model: model("small-cnn", { inputShape: [1, 28, 28], classes: 10 }),
      recipe: record,
      options: step.recipeOptions,
      settings,
    });
    expect([step.draws, step.scalars, step.examples]).toEqual([program.draws, program.scalars, ["x", "labels"]]);
    const feeds: Record<string, Tensor> = inputsOf(program, start),
      shapes = Object.fromEntries(Object.entries(states).map(([name, { shape }]) => [name, shape]));
    using steps = await createSteps(createLocalRuntime(), program.graph, shapes);
    const stacked = Object.entries(feeds).map(([name, t]) => [name, { ...t, shape: [1, ...t.shape] }] as const);
    const { reports, tensors } = await steps.run(steps.pack(states), Object.fromEntries(stacked)),
      after = steps.unpack(tensors);

    const check = (found: Readonly<Record<string, ArrayLike<number | bigint>>>): void => {
      for (const name of step.reports)
        expect(Number(found[name]![0]), name).toBeCloseTo(Number(reports[name]!.data[0]), 4);
      for (const [name, before] of Object.entries(states)) {
        const next = found[`next.${name}`] ?? before.data;
        const off = Array.from(after[name]!.data as Float32Array, (v, i) => Math.abs(v - Number(next[i]))),
          most = off.reduce((a, b) => Math.max(a, b), 0);
        expect(most, name).toBeLessThan(2e-4);
      }
      const moved = Object.entries(states).filter(([name, { data }]) =>
        data.some((v, i) => v !== after[name]!.data[i]),
      );
      expect(moved.length).toBe(step.states.length);
    };
    const session = await ort.InferenceSession.create(join(folder, file));
    const all = Object.entries({ ...feeds, ...states }).map(([name, { dtype, data, shape }]) => [
      name,
      new ort.Tensor(dtype as "float32", data as Float32Array, shape),
    ]);
    const outputs = await session.run(Object.fromEntries(all) as Record<string, InstanceType<typeof ort.Tensor>>);
    check(Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data as Float32Array])));
    if (!importable) return;
    const { graph: imported, parameters } = importModel(decodeModel(bytes));
    using program2 = await compile(imported);
    const ours = await program2.run({ ...parameters, ...feeds, ...states });
    check(Object.fromEntries(Object.entries(ours).map(([name, { data }]) => [name, data as Float32Array])));
  });

  it("takes a network from a file, and the recipe's options alone", async () => {
    const made = await temper(["export", "train-step", "fast-at", "--from", "model.onnx", "--out", "tuned.onnx"]);
    expect(made.code, made.stderr).toBe(0);
    expect(made.stdout).toMatch(/inputs {3}x: float32\[128, 1, 8, 8\], labels: int64\[128\], draw.0/);
    const refused = await temper(["export", "train-step", "pgd-at", "--beta", "3"]);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toMatch(/export train-step pgd-at has no option --beta: that is of train-step trades/);
    expect((await temper(["export", "gradient", "model.onnx", "--norm", "l2"])).stderr).toMatch(/of attack-step/);
    const small = await temper(["export", "train-step", "pgd-at", "--data-shape", "28,28"]);
    expect(small.stderr).toMatch(/--data-shape must be 3 numbers/);
    const same = ["--from", "model.onnx", "--out", "model.onnx"];
    expect((await temper(["export", "train-step", "pgd-at", ...same])).stderr).toMatch(/is the model itself/);
  });
});
