import { grad } from "temper/autodiff";
import { createRng, f32, sizeOf } from "temper/core";
import {
  type Array64,
  BATCH,
  concretize,
  constant,
  createGraph,
  type Graph,
  graphNodes,
  input,
  printGraph,
  trace,
  float32,
  type Value,
  withBatch,
} from "temper/graph";
import { batchNorm } from "temper/nn";
import {
  add,
  averagePool,
  conv,
  type ConvOptions,
  div,
  evaluateGraph,
  exp,
  globalAveragePool,
  maxPool,
  mul,
  reduceSum,
  relu,
  sigmoid,
} from "temper/ops";
import { lowerForCpu, type LowerOptions } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { inFloat64, onCpu, worstDifference } from "./lowered.ts";

const numbers = (seed: number, shape: readonly number[]): Float32Array<ArrayBuffer> => {
  const rng = createRng(seed),
    spread = shape.length > 1 ? 3 / Math.sqrt(sizeOf(shape.slice(1))) : 1;
  return Float32Array.from({ length: sizeOf(shape) }, () => spread * (rng.uniform() - 0.5));
};
const feedsOf = (graph: Graph, batch: number): Record<string, Array64> =>
  Object.fromEntries(
    graph.inputs.map(({ node, shape, dtype }, i) => {
      const sizes = concretize(shape, batch),
        data = numbers(i + 1, i === 0 ? [sizeOf(sizes)] : sizes);
      return [node.name, { dtype, shape: sizes, data: Float64Array.from(data) }];
    }),
  );

/** A weight or vector, fed (and then differentiated by) or constant. */
type Weights = (...shape: number[]) => Value;
const normal = (channels: number, weights: Weights, x: Value): Value => {
  const { y } = batchNorm(channels).apply(
    {
      weight: weights(channels),
      bias: weights(channels),
      running_mean: constant(f32(new Float32Array(channels))),
      running_var: constant(f32(new Float32Array(channels).fill(1))),
    },
    x,
    { training: true },
  );
  return y;
};

/** Networks of channels that fill no blocks: image -> outputs. */
const networks: Readonly<Record<string, readonly [number, (x: Value, weights: Weights) => readonly Value[]]>> = {
  "layers, their sum, and a value that leaves in between": [
    3,
    (x, weights) => {
      const stem = relu(normal(28, weights, conv(x, weights(28, 3, 3, 3), weights(28), { pads: [1, 1, 1, 1] })));
      const first = sigmoid(normal(28, weights, conv(stem, weights(28, 28, 3, 3), undefined, { pads: [1, 1, 1, 1] })));
      const wide = conv(add(first, stem), weights(32, 28, 1, 1), weights(32));
      return [first, relu(conv(wide, weights(28, 32, 3, 3), weights(28), { pads: [1, 1, 1, 1] }))];
    },
  ],
  "dilated and strided": [
    28,
    (x, weights) => {
      const dilated = conv(x, weights(28, 28, 3, 3), undefined, { pads: [2, 2, 2, 2], dilations: [2, 2] });
      const uneven = conv(relu(dilated), weights(30, 28, 3, 3), weights(30), { pads: [2, 1, 2, 1], dilations: [2, 1] });
      return [conv(sigmoid(uneven), weights(28, 30, 3, 3), undefined, { pads: [1, 1, 1, 1], strides: [2, 2] })];
    },
  ],
  "groups that fill no blocks, between layers without": [
    50,
    (x, weights) => {
      const before = sigmoid(conv(x, weights(50, 50, 1, 1)));
      const grouped = sigmoid(normal(50, weights, conv(before, weights(50, 25, 3, 3), weights(50), { group: 2 })));
      return [conv(mul(grouped, grouped), weights(28, 50, 1, 1))];
    },
  ],
  "each channel by itself": [
    28,
    (x, weights) => {
      const wide = relu(conv(x, weights(44, 28, 1, 1)));
      const each = conv(wide, weights(44, 1, 3, 3), weights(44), { pads: [1, 1, 1, 1], group: 44 });
      return [conv(sigmoid(each), weights(28, 44, 1, 1), undefined, { strides: [2, 2] })];
    },
  ],
  "pools, means and numbers a channel": [
    28,
    (x, weights) => {
      const y = conv(x, weights(28, 28, 3, 3), weights(28), { pads: [1, 1, 1, 1] });
      const scaled = mul(y, sigmoid(globalAveragePool(y)));
      const pooled = averagePool(scaled, [2, 2], { strides: [2, 2] });
      const most = conv(maxPool(scaled, [2, 2], { strides: [1, 1] }), weights(28, 28, 1, 1));
      return [pooled, most, reduceSum(scaled, [0, 2, 3]), reduceSum(exp(scaled), [2, 3], true)];
    },
  ],
};

/** Outputs, and gradients by the image and by all that is fed. */
const graphOf = (name: string, h: number, w: number, fed: boolean): Graph => {
  const [channels, network] = networks[name]!,
    x = input("x", "float32", [BATCH, channels, h, w]),
    inputs = [x];
  let count = 0;
  const outputs = network(x, (...shape) => {
    count++;
    if (!fed) return constant(f32(numbers(count + 1, shape), shape));
    inputs.push(input(`w${count}`, "float32", shape));
    return inputs.at(-1)!;
  });
  const losses = outputs.map((y) =>
    reduceSum(
      mul(y, sigmoid(y)),
      y.shape.map((_, axis) => axis),
    ),
  );
  const gradients = grad(losses.reduce(add), inputs);
  return createGraph("padded", inputs, {
    ...Object.fromEntries(outputs.map((y, i) => [`y${i}`, y])),
    ...Object.fromEntries(inputs.map((v, i) => [`d.${v.node.name}`, gradients[i]!])),
  });
};

const FORMS: readonly LowerOptions[] = [
  { block: 16 },
  { block: 16, winograd: { minChannels: 16 } },
  { block: 8, winograd: { minChannels: 8 } },
];
/** Channels of the convolutions of a lowered graph, outputs and inputs. */
const widths = (graph: Graph): string[] =>
  graphNodes(graph).flatMap(({ op, inputs }) => (op.name === "Conv" ? [inputs[1]!.shape.slice(0, 2).join("x")] : []));

describe("channels that fill no blocks", () => {
  describe.each(Object.keys(networks))("%s", (name) => {
    it.each([
      [3, 8, 8, true],
      [13, 7, 6, true],
      [22, 9, 8, true],
      [16, 5, 4, false],
    ])("batch %i at %i x %i, weights fed: %s; as the reference", async (batch, h, w, fed) => {
      const graph = graphOf(name, h, w, fed),
        feeds = feedsOf(graph, batch),
        expected = evaluateGraph(graph, feeds);
      for (const given of [graph, withBatch(graph, batch)]) {
        for (const form of FORMS)
          expect(
            worstDifference(inFloat64(lowerForCpu(given, form), feeds, batch, form.block!), expected),
          ).toBeLessThan(1e-5);
        expect(worstDifference(await onCpu(given, feeds, {}), expected)).toBeLessThan(2e-4);
        expect(worstDifference(await onCpu(given, feeds, { winograd: { minChannels: 16 } }), expected)).toBeLessThan(
          1e-3,
        );
      }
    });
  });

  const layer = (outs: number, ins: number, options: ConvOptions = {}): Graph =>
    trace("layer", { x: float32(BATCH, ins, 8, 8), w: float32(outs, ins / (options.group ?? 1), 3, 3) }, ({ x, w }) =>
      conv(x, w, undefined, options),
    );

  it("are filled with zeros: those of each group by themselves, those of one layer for the next", () => {
    expect(widths(lowerForCpu(layer(28, 50), { block: 16 }))).toEqual(["32x64"]);
    expect(widths(lowerForCpu(layer(100, 100, { group: 4 }), { block: 16 }))).toEqual(["128x32"]);
    expect(widths(lowerForCpu(layer(44, 44, { group: 44 }), { block: 16 }))).toEqual(["44x1"]);
    const pads = printGraph(lowerForCpu(graphOf("dilated and strided", 8, 8, false), { block: 16, winograd: true }));
    expect(pads).not.toMatch(/\[-?\d+, (28|30), \d+, \d+\] = (Relu|Sigmoid|Mul)/);
  });

  it("stay where zeros would be too many, where there are no blocks, and where they are an image's", () => {
    const same = (graph: Graph, block: number): void =>
      expect(widths(lowerForCpu(graph, { block }))).toEqual(widths(graph));
    same(layer(17, 17), 16);
    same(layer(40, 40, { group: 4 }), 16);
    same(layer(28, 28), 0);
    same(layer(24, 3), 16);
  });

  it("and pixels beyond the image: nothing is divided by their zeros", async () => {
    const graph = trace("divided", { x: float32(BATCH, 64, 7, 5), z: float32(BATCH, 64, 7, 5) }, ({ x, z }) => {
      const w = constant(f32(numbers(1, [64, 64, 3, 3]), [64, 64, 3, 3])),
        same = { pads: [1, 1, 1, 1] };
      return conv(div(conv(x, w, undefined, same), add(mul(z, z), constant(f32([0])))), w, undefined, same);
    });
    const feeds = feedsOf(graph, 16);
    const found = await onCpu(graph, feeds, { winograd: { minChannels: 1 } });
    expect(worstDifference(found, evaluateGraph(graph, feeds))).toBeLessThan(1e-4);
  });
});
