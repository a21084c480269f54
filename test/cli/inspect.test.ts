import { attackStepGraph, gradientGraph } from "temper/attack";
import { f32, sizeOf } from "temper/core";
import {
  BATCH,
  Constant,
  constant,
  float32,
  type Graph,
  graphNodes,
  Input,
  printGraph,
  trace,
  withBatch,
} from "temper/graph";
import { loadClassifier } from "temper/models";
import { conv, matmul, mul, reduceSum, relu, reshape } from "temper/ops";
import { blockSize, cpuPasses, lowerForCpu, type LowerOptions, loweringSteps, planMemory } from "temper/runtime";
import { afterAll, describe, expect, it } from "vitest";
import { documentOf, removeFolder, temper, writeModel } from "./command.ts";

afterAll(removeFolder);

const weights = (shape: readonly number[]) =>
  constant(
    f32(
      Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i)),
      shape,
    ),
  );
/** A convolution whose data gradient has blocks of channels, and a linear layer. */
const network = trace("strided", { x: float32(BATCH, 16, 8, 8) }, ({ x }) => {
  const features = relu(conv(x, weights([16, 16, 4, 4]), undefined, { strides: [2, 2], pads: [1, 1, 1, 1] }));
  return { scores: matmul(reshape(features, [BATCH, 256]), weights([256, 4])) };
});
const path = writeModel("model.onnx", network);
/** A sum over the batch of one keeps it at one. */
const single = trace("single", { x: float32(1, 4) }, ({ x }) => ({
  scores: matmul(mul(x, reduceSum(x, [0], true)), weights([4, 4])),
}));
writeModel("one.onnx", single);
const model = (await loadClassifier(path)).graph,
  gradient = gradientGraph(model, "cross-entropy"),
  block = await blockSize();

interface Contents {
  readonly nodes: number;
  readonly operators: Readonly<Record<string, number>>;
}
interface Inspected extends Contents {
  readonly inputs: readonly { readonly name: string }[];
  readonly lowered: Contents;
  readonly passes?: readonly (Contents & { readonly name: string; readonly summary: string })[];
}

const inspect = async (...options: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await temper(["inspect", "model.onnx", ...options]);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
};
const inspected = async (...options: readonly string[]): Promise<Inspected> => {
  const outcome = await temper(["inspect", "model.onnx", ...options, "--json"]);
  expect(outcome.code, outcome.stderr).toBe(0);
  return documentOf(outcome) as unknown as Inspected;
};
const namesOfPasses = ({ passes }: Inspected): string[] => passes!.map(({ name }) => name);
const passesUnder = (options: Required<LowerOptions>): string[] =>
  cpuPasses.filter(({ when }) => when?.(options) ?? true).map(({ name }) => name);
const nodesIn = (graph: Graph): number => graphNodes(graph).filter(({ op }) => op !== Input && op !== Constant).length;
const total = ({ operators }: Contents): number => Object.values(operators).reduce((sum, n) => sum + n, 0);

describe("inspect: what is in the model", () => {
  it("--graph forward is the network itself, without gradients and labels", async () => {
    const operators = { Conv: 1, MatMul: 1, Relu: 1, Reshape: 1 };
    expect(await inspected("--graph", "forward", "--portable")).toEqual({
      file: "model.onnx",
      producer: "temper",
      opset: expect.any(Number),
      parameters: 16 * 16 * 16 + 256 * 4,
      graph: "forward",
      inputs: [{ name: "x", dtype: "float32", shape: [-1, 16, 8, 8] }],
      outputs: [{ name: "scores", dtype: "float32", shape: [-1, 4] }],
      nodes: 4,
      operators,
      lowered: { nodes: 4, operators },
    });
    const text = await inspect("--graph", "forward", "--portable");
    expect(text).toMatch(/^file +model\.onnx\nproducer +temper\nopset +\d+\nparameters +5,120\ngraph +forward\n/);
    expect(text).toMatch(/^inputs +x: float32\[N, 16, 8, 8\]\noutputs +scores: float32\[N, 4\]$/m);
    expect(text).toMatch(
      /^nodes +4, after the lowering 4\n\noperator +nodes +lowered\n.*\nConv +1 +1\nMatMul +1 +1\n/m,
    );
  });

  it("the gradient is the default", async () => {
    const found = await inspected();
    expect(found).toMatchObject({
      graph: "gradient",
      loss: "cross-entropy",
      inputs: [{ name: "x" }, { name: "labels", dtype: "int64", shape: [-1] }],
      outputs: [{ name: "gradient", shape: [-1, 16, 8, 8] }, { name: "loss" }, { name: "logits" }],
      operators: { Conv: 1, ConvTranspose: 1, LogSoftmax: 2, "temper.Step": 1 }, // the lowering merges equal ones
    });
    expect(found.nodes).toBe(nodesIn(gradient));
    expect(total(found)).toBe(found.nodes);
    const text = await inspect();
    expect(text).toMatch(/^graph +gradient of cross-entropy$/m);
    expect(text).toMatch(/^temper\.Step +1 +0$/m); // internal: lowered to a standard operator
    expect(text).toMatch(/^HardSigmoid +0 +1$/m);
  });

  it("--loss and --graph attack-step choose others", async () => {
    expect((await inspected("--loss", "margin")).operators).not.toHaveProperty("LogSoftmax");
    const step = await inspected("--graph", "attack-step");
    expect(step.inputs.map(({ name }) => name)).toEqual([
      "x",
      "labels",
      "original",
      "epsilon",
      "step_size",
      "low",
      "high",
    ]);
    expect(step.operators).toMatchObject({ Sign: 1 });
    expect(step.nodes).toBe(nodesIn(attackStepGraph(model, "cross-entropy")));
  });
});

describe("inspect --passes", () => {
  it("--json: every pass that runs, with what it leaves", async () => {
    const found = await inspected("--passes"),
      options = { block, winograd: true, memory: 0 };
    expect(namesOfPasses(found)).toEqual(passesUnder(options));
    const steps = loweringSteps(gradient, options);
    expect(found.passes!.map(({ nodes }) => nodes)).toEqual(steps.map(({ graph }) => nodesIn(graph)));
    expect(found.passes!.map(({ summary }) => summary)).toEqual(steps.map(({ pass }) => pass.summary));
    for (const pass of found.passes!) expect(total(pass)).toBe(pass.nodes);
    const { name: _, summary: __, ...last } = found.passes!.at(-1)!;
    expect(found.lowered).toEqual(last);
    expect(last.nodes).toBe(nodesIn(lowerForCpu(gradient, options)));
  });

  it.runIf(block > 0)("a strided data gradient becomes a blocked convolution, with --portable it stays", async () => {
    const [here, portable] = [await inspected(), await inspected("--portable", "--passes")];
    expect(here.lowered.operators).toMatchObject({ "nchwc.Conv": expect.any(Number) });
    expect(here.lowered.operators).not.toHaveProperty("ConvTranspose");
    expect(portable.lowered.operators).toMatchObject({ Conv: 1, ConvTranspose: 1 });
    expect(Object.keys(portable.lowered.operators).filter((name) => name.includes("."))).toEqual([]);
    expect(namesOfPasses(portable)).toEqual(passesUnder({ block: 0, winograd: true, memory: 0 }));

    const text = await inspect("--passes");
    expect(text).toMatch(/^pass +before +after +ms +operators\n─/);
    expect(text).toMatch(
      /^strided-data-gradients +\d+ +\d+ +\d+\.\d +-1 ConvTranspose, (?=.*\+1 nchwc\.Conv)(?=.*\+2 Reshape)/m,
    );
    expect(await inspect("--passes", "--portable")).not.toMatch(/ConvTranspose|nchwc|^strided/m);
  });

  it("text: nodes go from pass to pass, and passes with nothing to do say so", async () => {
    const rows = (await inspect("--passes")).trimEnd().split("\n").slice(2);
    const counts = rows.map((row) => /^\S+ +(\d+) +(\d+) +\d+\.\d +(unchanged|[-+]\d+ \S+)/.exec(row)!);
    expect(counts[0]![1]).toBe(String(nodesIn(gradient)));
    counts.slice(1).forEach(([, before], i) => expect(before).toBe(counts[i]![2]));
    expect(rows.filter((row) => /^weight-gradients .* unchanged$/.test(row))).toHaveLength(1);
    expect(rows.filter((row) => /^decompose .* -1 temper\.Step, \+1 HardSigmoid$/.test(row))).toHaveLength(1);
  });

  it.runIf(block > 0)("Winograd's convolutions are for gradients in batches, unless --no-winograd", async () => {
    expect(namesOfPasses(await inspected("--passes"))).toContain("winograd");
    expect(namesOfPasses(await inspected("--passes", "--no-winograd"))).not.toContain("winograd");
    expect(namesOfPasses(await inspected("--passes", "--graph", "forward"))).not.toContain("winograd");
    const one = await temper(["inspect", "one.onnx", "--passes", "--json"]);
    expect(one.stderr).toMatch(/^note: The batch size stays 1/);
    expect(namesOfPasses(documentOf(one) as unknown as Inspected)).not.toContain("winograd");
  });
});

describe("inspect --memory", () => {
  it("shows the plan of the lowered graph: peak, where, and what is held then", async () => {
    const plan = planMemory(lowerForCpu(gradient, { block, winograd: true }), 32);
    const { memory } = (await inspected("--memory", "--batch", "32")) as Inspected & { readonly memory: object };
    expect(memory).toMatchObject({
      batch: 32,
      peakBytes: plan.peakBytes,
      constantBytes: plan.constantBytes,
      values: plan.lifetimes.length,
    });
    expect(memory).toHaveProperty("largest.0.bytes", plan.atPeak[0]!.bytes);
    const text = await inspect("--memory", "--batch", "32");
    expect(text).toMatch(/^batch +32\npeak +[\d.]+ kB, during \S+ "\S+" at step \d+\nconstants +[\d.]+ kB\n/);
    expect(text).toMatch(/^held at the peak +shape +bytes +from +to\n/m);
    expect(text).toMatch(/^\S+ "\S+" +\[32, [^\]]+\] +[\d.]+ kB +\d+ +\d+$/m);
  });

  it("--limit: beside it the plan of a run that makes values twice", async () => {
    const limit = 5e4,
      within = planMemory(lowerForCpu(withBatch(gradient, 32), { block, winograd: true, memory: limit }), 32);
    const args = ["--memory", "--batch", "32", "--limit", "50kB"];
    const found = (await inspected(...args)) as Inspected & { readonly memory: object; readonly within: object };
    expect(found.within).toMatchObject({ batch: 32, peakBytes: within.peakBytes, values: within.lifetimes.length });
    expect(await inspect(...args)).toMatch(/\n\nWith values made twice, for 50 kB:\n\nbatch +32\npeak +/);
    expect(await inspected("--memory")).not.toHaveProperty("within");
  });

  it("the forward pass needs less than the gradient", async () => {
    const peakOf = async (graph: string): Promise<number> =>
      ((await inspected("--memory", "--graph", graph)) as Inspected & { readonly memory: { peakBytes: number } }).memory
        .peakBytes;
    expect(await peakOf("forward")).toBeLessThan(await peakOf("gradient"));
  });
});

describe("inspect --after", () => {
  it("prints the graph as the pass leaves it", async () => {
    const steps = loweringSteps(gradient, { block, winograd: true });
    const graphAfter = (name: string): string => printGraph(steps.find(({ pass }) => pass.name === name)!.graph);
    expect(graphAfter("simplify")).not.toBe(graphAfter("fold"));
    expect(await inspect("--after", "simplify")).toBe(graphAfter("simplify"));
    expect(await inspect("--after", "fold")).toBe(graphAfter("fold"));
    expect(await inspected("--after", "fold")).toMatchObject({ after: { pass: "fold", text: graphAfter("fold") } });
    const both = await inspect("--after", "fold", "--passes");
    expect(both).toMatch(/^pass +before/);
    expect(both.endsWith(`\n\n${graphAfter("fold")}`)).toBe(true);
  });

  it.each([
    [
      ["--after", "wingrad"],
      block > 0 ? /"wingrad"\. Did you mean winograd\?/ : /"wingrad"\..*Known: bodies, loop-invariants, simplify/,
    ],
    [["--after", "algebar"], /"algebar"\. Did you mean algebra\? Known: bodies, loop-invariants, simplify, /],
    [
      ["--after", "winograd", "--portable"],
      /No pass that runs here is called "winograd"\. Known: bodies, loop-invariants, simplify, /,
    ],
    [["--graph", "backward"], /--graph must be one of forward, gradient, attack-step, got backward/],
    [["--loss", "marginn"], /Did you mean margin\?/],
  ] as const)("%j is wrong use", async (options, message) => {
    const { code, stdout, stderr } = await temper(["inspect", "model.onnx", ...options]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});
