import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTarget } from "temper/attack";
import { i64 } from "temper/core";
import { BATCH, createGraph, input } from "temper/graph";
import { decodeModel } from "temper/onnx";
import { relu } from "temper/ops";
import { defaultEngine } from "temper/runtime";
import { threat } from "temper/threat";
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
