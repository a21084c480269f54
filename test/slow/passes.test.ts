import { grad } from "temper/autodiff";
import { createRng, isTemperError, sizeOf } from "temper/core";
import {
  type Array64,
  BATCH,
  concretize,
  constant,
  createGraph,
  float32,
  fromArray64,
  type Graph,
  input,
  printGraph,
  toArray64,
  trace,
  type Value,
  withBatch,
} from "temper/graph";
import { losses } from "temper/loss";
import { model } from "temper/models";
import { initialize } from "temper/nn";
import { readModelFile } from "temper/onnx";
import { add, conv, dataInputs, evaluateGraph, importModel, mul, reduceSum } from "temper/ops";
import { lowerForCpu } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { type Arrays, inFloat64, onCpu, worstDifference } from "../runtime/lowered.ts";
import { checkRandomGraphs } from "../runtime/random-check.ts";
import { hasShared, shared, sharedModels } from "../shared.ts";

const MINUTES = 60_000;
const uniform = (seed: number, shape: readonly number[]): Array64 => {
  const rng = createRng(seed);
  return {
    dtype: "float32",
    shape,
    data: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(rng.uniform())),
  };
};
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
const short = (value: number): string => value.toExponential(1);
/** Distance of two arrays, relative to the length of the expected one: as a whole, or of `parts` equal parts. */
const errors = (actual: Array64, expected: Array64, parts = 1): number[] => {
  const size = expected.data.length / parts;
  return Array.from({ length: parts }, (_, part) => {
    let distance = 0,
      length = 0;
    for (let i = part * size; i < (part + 1) * size; i++) {
      distance += (actual.data[i]! - expected.data[i]!) ** 2;
      length += expected.data[i]! ** 2;
    }
    return length === 0 ? distance : Math.sqrt(distance / length);
  });
};

/** Errors by output, but for those that are zero but for rounding. */
const relative = (actual: Arrays, expected: Arrays): (readonly [name: string, error: number])[] => {
  const length = ({ data }: Array64): number => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0));
  const most = Math.max(...Object.values(expected).map(length));
  return Object.entries(expected)
    .filter(([, array]) => length(array) > 1e-9 * most)
    .map(([name, array]) => [name, errors(actual[name]!, array)[0]!]);
};

describe("random graphs give the same, lowered or not", () => {
  it("2,000 graphs", { timeout: 30 * MINUTES }, () => checkRandomGraphs(2000, { seed: 1000, mostSteps: 12 }));
  it("100 graphs, after each pass", { timeout: 30 * MINUTES }, () =>
    checkRandomGraphs(100, { seed: 2000, eachPass: true }),
  );
});

/** A weighted sum of all float outputs: its gradient has no tails, in which float32 is far from everything. */
const lossOf = (outputs: readonly Value[]): Value => {
  const sums = outputs.map((y, i) => {
    const weights = uniform(i, concretize(y.shape, 1));
    return reduceSum(
      mul(y, constant(fromArray64(weights))),
      y.shape.map((_, axis) => axis),
    );
  });
  return sums.reduce(add);
};

/** Float outputs of a graph, and the gradients of a loss by the float inputs among `names`. */
const withGradients = (graph: Graph, names: readonly string[]): Graph => {
  const outputs = Object.entries(graph.outputs).filter(([, v]) => v.dtype === "float32");
  if (outputs.length === 0) return graph;
  const wanted = graph.inputs.filter((v) => v.dtype === "float32" && names.includes(v.node.name));
  const gradients = grad(lossOf(outputs.map(([, y]) => y)), wanted);
  return createGraph(graph.name, graph.inputs, {
    ...Object.fromEntries(outputs),
    ...Object.fromEntries(wanted.map((v, i) => [`d.${v.node.name}`, gradients[i]!])),
  });
};

/** Sizes for axes that are symbolic besides the batch. */
const DIMS: Readonly<Record<string, Record<string, number>>> = { "models/dncnn_s_25.onnx": { H: 12, W: 10 } };

/** A network from a file with its gradients by data and weights, and numbers for its data. */
const opened = async (path: string) => {
  const { model: file, external } = await readModelFile(shared(path));
  const imported = importModel(file, { external, batch: "symbolic", dims: DIMS[path] });
  const data = dataInputs(imported),
    { graph, parameters } = imported;
  const differentiated = ((): Graph => {
    try {
      return withGradients(graph, [...data, ...Object.keys(parameters)]);
    } catch (error) {
      // An operator that has no derivative: what the network gives remains.
      if (isTemperError(error) && error.code === "no-rule") return graph;
      throw error;
    }
  })();
  const feeds = (at: Graph, draw: number): Arrays =>
    Object.fromEntries(
      at.inputs.map(({ node, shape, dtype }, i) => {
        const given = parameters[node.name];
        return [node.name, given ? toArray64(given) : { ...uniform(100 * draw + i, shape), dtype }];
      }),
    );
  return { graph: differentiated, data, feeds };
};

describe.skipIf(!hasShared)("networks of others, before and after the lowering", () => {
  it.each([...sharedModels("models"), ...sharedModels("vnncomp")])("%s", { timeout: 20 * MINUTES }, async (path) => {
    const { graph, data, feeds } = await opened(path);
    for (const [batch, winograd] of [
      [2, false],
      [16, { minChannels: 16 }],
    ] as const) {
      const fixed = withBatch(graph, batch),
        lowered = lowerForCpu(fixed, { block: 16, winograd });
      if (winograd && !printGraph(lowered).includes("group=36")) continue;
      // Away from kinks: other numbers, where some lie on one.
      let worst = Infinity,
        exact = Infinity,
        found: number[] = [];
      for (let draw = 1; draw <= 3 && (worst > 1e-4 || exact > 1e-5); draw++) {
        const given = feeds(fixed, draw),
          expected = evaluateGraph(fixed, given);
        exact = Math.min(exact, worstDifference(inFloat64(lowered, given, batch, 16), expected));
        const each = relative(await onCpu(fixed, given, { winograd }), expected);
        const most = Math.max(0, ...each.map(([, error]) => error));
        if (most >= worst) continue;
        worst = most;
        found = each
          .filter(([name]) => name.startsWith("d.") && !data.includes(name.slice(2)))
          .map(([, error]) => error);
      }
      console.log(
        `${path}, ${winograd ? "Winograd" : "direct"}: in float64 ${short(exact)}; in float32 worst ${short(worst)}, ` +
          `median over ${found.length} weights ${short(median(found))}`,
      );
      expect(exact).toBeLessThanOrEqual(1e-5);
      expect(median(found)).toBeLessThanOrEqual(winograd ? 1e-5 : 3e-6);
      if (!winograd) expect(worst).toBeLessThanOrEqual(1e-4);
    }
  });
});

describe("Winograd's convolutions against float64", () => {
  it.each([
    [64, 32],
    [128, 16],
    [256, 8],
    [512, 4],
  ])("a layer of %i channels at %i pixels a side, batch 32", { timeout: 10 * MINUTES }, async (channels, size) => {
    const types = { x: float32(BATCH, channels, size, size), w: float32(channels, channels, 3, 3) };
    const graph = trace("layer", types, ({ x, w }) => {
      const y = conv(x, w, undefined, { pads: [1, 1, 1, 1] });
      const [dx, dw] = grad(lossOf([y]), [x, w]);
      return { y, dx: dx!, dw: dw! };
    });
    const fixed = withBatch(graph, 32),
      feeds = Object.fromEntries(fixed.inputs.map((v, i) => [v.node.name, uniform(i, v.shape)] as const));
    const centred = { ...feeds, w: { ...feeds["w"]!, data: feeds["w"]!.data.map((v) => Math.fround(v - 0.5)) } };
    const expected = evaluateGraph(fixed, centred);
    const [direct, fast] = await Promise.all(
      [false, { minChannels: 16 }].map(async (winograd) =>
        relative(await onCpu(fixed, centred, { winograd }), expected),
      ),
    );
    const text = (list: typeof fast): string => list!.map(([name, error]) => `${name} ${short(error)}`).join(", ");
    console.log(`${channels} channels at ${size}: Winograd ${text(fast)}; direct ${text(direct)}`);
    for (const [, error] of fast!) expect(error).toBeLessThanOrEqual(1e-5);
  });

  it("attack gradient of ResNet-18, 16 images", { timeout: 20 * MINUTES }, async () => {
    const definition = model("resnet-18", { inputShape: [3, 32, 32], classes: 10 }),
      weights = initialize(definition, createRng(0)),
      x = input("x", "float32", [16, 3, 32, 32]),
      labels = input("labels", "int64", [16]);
    const bound = Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [name, constant(tensor)]));
    const loss = losses["cross-entropy"].build(definition.apply(bound, x, { training: false }).y, labels);
    const [gradient] = grad(reduceSum(loss, [0]), [x]);
    const graph = createGraph("attack", [x, labels], { gradient: gradient! });
    const feeds = {
      x: uniform(1, [16, 3, 32, 32]),
      labels: { dtype: "int64", shape: [16], data: Float64Array.from({ length: 16 }, (_, i) => i % 10) },
    } as const;
    const expected = evaluateGraph(graph, feeds)["gradient"]!;
    for (const winograd of [false, true]) {
      const found = errors((await onCpu(graph, feeds, { winograd }))["gradient"]!, expected, 16);
      console.log(
        `attack gradient, ${winograd ? "Winograd" : "direct"}: median ${short(median(found))} an image, worst ${short(Math.max(...found))}`,
      );
      expect(median(found)).toBeLessThanOrEqual(5e-6);
    }
  });
});
