import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { f32, type Tensor } from "temper/core";
import { type Dataset, inRange } from "temper/data";
import { type Doubt, evaluate, type EvaluateOptions } from "temper/evaluate";
import { constant, type Graph, ints, type Value } from "temper/graph";
import { type InputAdapter, loadClassifier } from "temper/models";
import { concatChunks, encodeModel } from "temper/onnx";
import { add, div, exp, gather, mul, reduceSum, round, scale, softmax, sub, toOnnx, transpose } from "temper/ops";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linearGraph, type Task, taskOf } from "./linear.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "temper-doubts-"));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
/** Doubts about a model in a file, loaded as the command loads it. */
const doubtsOf = async (
  graph: Graph,
  dataset: Dataset,
  adapter: InputAdapter = {},
  options: Partial<EvaluateOptions> = {},
): Promise<readonly Doubt[]> => {
  const path = join(folder, `${files++}.onnx`);
  await writeFile(path, concatChunks(encodeModel(toOnnx(graph))));
  const model = await loadClassifier(path, dataset.shape, adapter);
  const attacks = [{ name: "pgd", options: { steps: 10 } }];
  return (await evaluate(model, dataset, { epsilon: 0.01, sweep: [], attacks, ...options })).doubts;
};
const messageOf = (doubts: readonly Doubt[], ...codes: readonly string[]): string => {
  expect(doubts.map((d) => d.code)).toEqual(codes);
  return doubts[0]!.message;
};
/** Of a mistake that leaves accuracy at chance or merely low, by luck of the data. */
const inputMessage = (doubts: readonly Doubt[]): string => {
  expect(["chance", "input"]).toContain(doubts[0]?.code);
  return doubts[0]!.message;
};

const perChannel = (...values: readonly number[]): Value => constant(f32(values, [values.length, 1, 1]) as Tensor);
/** Pixels are rounded to this many levels: robust against nothing, but without gradients. */
const rounded =
  (levels: number) =>
  (x: Value): Value =>
    scale(round(scale(x, levels)), 1 / levels);

const grey = taskOf();
const colour = taskOf({ shape: [3, 8, 8], classes: 5, noise: 0.15 });

const shaded = { noise: 0.05, contrast: 0.02, brightness: 0.2 };
const shades = taskOf(shaded);
const colourShades = taskOf({ ...shaded, shape: [3, 8, 8], classes: 5 });

/** A network that expects `f(x)` where it is given x: its first operator is f's inverse. */
const expecting = (task: Task, inverse: (x: Value) => Value): Graph => linearGraph(task, { before: inverse });

describe("a sound model gives no doubt", () => {
  it.each([
    ["grey", grey],
    ["colour", colour],
    ["few classes", taskOf({ classes: 2 })],
    ["many classes", taskOf({ classes: 100, count: 400, shape: [3, 8, 8] })],
  ])("%s", async (_, task) => {
    expect(await doubtsOf(linearGraph(task), task.dataset)).toEqual([]);
  });

  it("nor one that is robust, nor one that is attacked at a large or a tiny epsilon", async () => {
    for (const epsilon of [1e-5, 0.3])
      expect(await doubtsOf(linearGraph(grey), grey.dataset, {}, { epsilon })).toEqual([]);
  });

  it("nor one of moderate accuracy", async () => {
    const hard = taskOf({ classes: 10, noise: 0.5, seed: 4 });
    expect(await doubtsOf(linearGraph(hard), hard.dataset, {}, { epsilon: 0.002 })).toEqual([]);
  });
});

describe("what the model was given is not what it was trained on", () => {
  it("wrong range: pixels up to 255 were meant", async () => {
    const graph = expecting(grey, (x) => scale(x, 1 / 255));
    const message = messageOf(await doubtsOf(graph, grey.dataset), "chance");
    expect(message).toMatch(/pixels from 0 to 255/);
    expect(message).toMatch(/--input-range 0:255/);
    expect(await doubtsOf(graph, inRange(grey.dataset, [0, 255]), {}, { epsilon: 2.5 })).toEqual([]);
  });

  it("wrong range: pixels up to 1 were meant", async () => {
    const doubts = await doubtsOf(linearGraph(shades), inRange(shades.dataset, [0, 255]), {}, { epsilon: 2.5 });
    expect(inputMessage(doubts)).toMatch(/--input-range 0:1/);
  });

  it.each([
    ["MNIST", shades, [0.1307], [0.3081]],
    ["CIFAR-10", colourShades, [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]],
    ["ImageNet", colourShades, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
  ] as const)("mean and std of %s were left out", async (name, task, mean, std) => {
    const graph = expecting(task, (x) => add(mul(x, perChannel(...std)), perChannel(...mean)));
    const doubts = await doubtsOf(graph, task.dataset);
    expect(inputMessage(doubts)).toMatch(name === "MNIST" ? /MNIST mean 0.1307/ : /--mean 0\.4/);
    expect(await doubtsOf(graph, task.dataset, { mean, std })).toEqual([]);
  });

  it("mean and std were given, but not wanted", async () => {
    const message = inputMessage(
      await doubtsOf(linearGraph(colourShades), colourShades.dataset, { mean: [0.5], std: [0.05] }),
    );
    expect(message).toMatch(/in place of the given --mean and --std/);
    expect(message).toMatch(/pixels from 0 to 1/);
  });

  it("flattened NHWC was meant, and giving it mends it", async () => {
    // The weights of a network that reads rows of H·W·C pixels.
    const [c, h, w] = colour.shape,
      weights = new Float32Array(colour.weights.length);
    for (let i = 0; i < c * h * w; i++)
      for (let k = 0; k < colour.classes; k++)
        weights[((i % (h * w)) * c + Math.floor(i / (h * w))) * colour.classes + k] =
          colour.weights[i * colour.classes + k]!;
    const graph = linearGraph({ ...colour, weights }, { flat: true });
    const message = inputMessage(await doubtsOf(graph, colour.dataset));
    expect(message).toMatch(/NHWC order/);
    expect(message).toMatch(/--layout NHWC/);
    expect(await doubtsOf(graph, colour.dataset, { layout: "NHWC" })).toEqual([]);
  });

  it("channels were meant in BGR order", async () => {
    const graph = expecting(colour, (x) => gather(x, ints([2, 1, 0]), 1));
    expect(inputMessage(await doubtsOf(graph, colour.dataset))).toMatch(/BGR/);
  });

  it("images were meant transposed", async () => {
    const graph = expecting(colour, (x) => transpose(x, [0, 1, 3, 2]));
    expect(inputMessage(await doubtsOf(graph, colour.dataset))).toMatch(/rows and columns exchanged/);
  });

  it("dark and bright were meant exchanged", async () => {
    const graph = expecting(grey, (x) => sub(perChannel(1), x));
    expect(inputMessage(await doubtsOf(graph, grey.dataset))).toMatch(/dark and bright/);
  });

  it("labels are in another order", async () => {
    const graph = linearGraph(colour, { after: (s) => gather(s, ints([1, 2, 3, 4, 0]), 1) });
    const message = messageOf(await doubtsOf(graph, colour.dataset), "chance");
    expect(message).toMatch(/number its classes differently/);
    expect(message).toMatch(/label 0 for its 4/);
  });

  it("two labels are exchanged in a task of two", async () => {
    const task = taskOf({ classes: 2 });
    const graph = linearGraph(task, { after: (s) => gather(s, ints([1, 0]), 1) });
    expect(messageOf(await doubtsOf(graph, task.dataset), "chance")).toMatch(/differently/);
  });

  it("an untrained model matches nothing", async () => {
    const other = taskOf({ seed: 99, classes: 5, shape: [3, 8, 8] });
    const message = messageOf(await doubtsOf(linearGraph(other), colour.dataset), "chance");
    expect(message).toMatch(/untrained, or made for other data/);
  });

  it("a model that always answers the same is at chance, whatever its accuracy", async () => {
    const task = taskOf({ classes: 2 });
    const labels = task.dataset.labels.map((_, i) => (i % 5 === 0 ? 1 : 0)); // 80 % of one class
    const graph = linearGraph(task, { after: (s) => scale(s, 0) });
    expect(messageOf(await doubtsOf(graph, { ...task.dataset, labels }), "chance", "zero-gradients")).toMatch(
      /near chance/,
    );
  });
});

describe("what hides gradients", () => {
  it("a softmax at the end, which attacks can look behind", async () => {
    const message = messageOf(
      await doubtsOf(linearGraph(grey, { after: (s) => softmax(s, 1) }), grey.dataset),
      "probabilities",
    );
    expect(message).toMatch(/the attacks raised losses of the scores before it/);
  });

  it("probabilities that the graph makes in another way", async () => {
    const after = (s: Value): Value => {
      const e = exp(s);
      return div(e, reduceSum(e, [1], true));
    };
    const message = messageOf(await doubtsOf(linearGraph(grey, { after }), grey.dataset), "probabilities");
    expect(message).toMatch(/had to go through them/);
  });

  it("rounded input: gradients are exactly zero", async () => {
    const graph = linearGraph(grey, { before: rounded(50) });
    const doubts = await doubtsOf(graph, grey.dataset, {}, { epsilon: 0.05 });
    const codes = doubts.map((d) => d.code);
    expect(codes).toContain("zero-gradients");
    expect(doubts[0]!.message).toMatch(/100\.0 %/);
  });

  it("scores so large that the cross-entropy is flat", async () => {
    const steep = taskOf({ gain: 5000 });
    const doubts = await doubtsOf(linearGraph(steep), steep.dataset);
    expect(doubts.map((d) => d.code)).toContain("zero-gradients");
    // The loss that the doubt proposes sees through it.
    const attacks = [{ name: "pgd", options: { steps: 10, loss: "margin" } }];
    expect(await doubtsOf(linearGraph(steep), steep.dataset, {}, { attacks })).toEqual([]);
  });

  it("noise finds as much as the attacks: masked gradients", async () => {
    // An attack that starts at the example and sees no gradient never moves; noise does.
    const graph = linearGraph(grey, { before: rounded(50) });
    const attacks = [{ name: "pgd", options: { steps: 5, randomStart: false } }];
    const doubts = await doubtsOf(graph, grey.dataset, {}, { epsilon: 0.4, attacks });
    expect(doubts.map((d) => d.code)).toEqual(["zero-gradients", "weak-gradients"]);
    expect(doubts[1]!.message).toMatch(/missed by the attacks/);
  });
});

describe("counts", () => {
  it("few examples", async () => {
    const few = taskOf({ count: 40 });
    expect(messageOf(await doubtsOf(linearGraph(few), few.dataset), "few-examples")).toMatch(/40 examples/);
  });

  it("NaN is no prediction", async () => {
    const graph = linearGraph(grey, { after: (s) => div(scale(s, 0), scale(s, 0)) });
    const doubts = await doubtsOf(graph, grey.dataset);
    expect(doubts.find((d) => d.code === "nonfinite")?.message).toMatch(/NaN on 240 of 240/);
  });
});
