import { createRng, f32, sizeOf, toFloat64 } from "temper/core";
import { grad } from "temper/autodiff";
import {
  type Array64,
  BATCH,
  concretize,
  constant,
  createGraph,
  emitAll,
  fromArray64,
  float32,
  type Graph,
  graphNodes,
  input,
  printGraph,
  trace,
  type Value,
  withBatch,
} from "temper/graph";
import { losses } from "temper/loss";
import { model, type ModelDefinition } from "temper/models";
import { batchNorm as batchNormLayer } from "temper/nn";
import {
  add,
  averagePool,
  batchNorm,
  concat,
  conv,
  convTranspose,
  type ConvOptions,
  convWeightGrad,
  decomposeInternal,
  div,
  evaluateGraph,
  gemm,
  globalAveragePool,
  lstm,
  maxPool,
  mul,
  ops,
  pad,
  reduceSum,
  relu,
  reshape,
  scan,
  sigmoid,
  split,
  sub,
  tanh,
  transpose,
} from "temper/ops";
import { blockSize, isPackable, lowerForCpu, loweringSteps, packEnds, packTensor, unpackTensor } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { type Arrays, onCpu } from "./lowered.ts";

/** Numbers that float32 holds, so that all devices start from the same ones. */
const numbers = (seed: number, shape: readonly number[], dtype: Array64["dtype"] = "float32"): Array64 => {
  const rng = createRng(seed);
  const draw = dtype === "int64" ? () => Math.floor(rng.uniform() * 3) : () => Math.fround(rng.uniform() - 0.5);
  return { dtype, shape, data: Float64Array.from({ length: sizeOf(shape) }, draw) };
};
const feedsOf = (graph: Graph, batch: number): Arrays =>
  Object.fromEntries(
    graph.inputs.map((v, i) => [v.node.name, numbers(i + 1, concretize(v.shape, batch), v.dtype)] as const),
  );

/** Largest difference, relative to the largest number of the expected output. */
const difference = (actual: Float64Array, expected: Float64Array): number => {
  expect(actual.length).toBe(expected.length);
  const most = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  return actual.reduce((m, v, i) => Math.max(m, Math.abs(v - expected[i]!)), 0) / most;
};
const expectSame = (actual: Arrays, expected: Arrays, tol: number): void => {
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(actual[name]!.shape, name).toEqual(shape);
    expect(difference(actual[name]!.data, data), name).toBeLessThan(tol);
  }
};
const operators = (graph: Graph): string[] => graphNodes(graph).map((node) => node.op.name);

/** Name, x without the batch, output channels, attributes of the convolution. */
type Case = readonly [string, readonly number[], number, ConvOptions & { readonly kernel_shape: readonly number[] }];
const cases: readonly Case[] = [
  ["3x3 in few positions", [4, 5, 5], 6, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
  ["3x3 in many positions", [3, 14, 13], 5, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
  ["no padding", [4, 6, 7], 3, { kernel_shape: [3, 2] }],
  ["1x1", [5, 4, 4], 3, { kernel_shape: [1, 1] }],
  ["1x1 in many positions", [5, 12, 12], 3, { kernel_shape: [1, 1] }],
  ["1x1, stride 2, remainder", [5, 8, 8], 3, { kernel_shape: [1, 1], strides: [2, 2] }],
  ["3x3, stride 2, remainder", [4, 8, 8], 6, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ["4x4, stride 2", [2, 14, 14], 4, { kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ["4x4, stride 2, many positions", [2, 28, 26], 4, { kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ["unequal pads and strides", [3, 9, 7], 4, { kernel_shape: [3, 2], strides: [2, 3], pads: [2, 0, 1, 1] }],
  ["window inside the padding", [2, 2, 2], 3, { kernel_shape: [2, 2], pads: [3, 3, 2, 2] }],
  ["dilated", [3, 9, 9], 4, { kernel_shape: [3, 3], dilations: [2, 3], pads: [2, 3, 2, 3] }],
  [
    "dilated, strided",
    [3, 10, 11],
    4,
    { kernel_shape: [2, 3], dilations: [3, 2], strides: [2, 2], pads: [1, 0, 0, 2] },
  ],
  ["one axis", [4, 20], 5, { kernel_shape: [5], strides: [2], pads: [2, 1] }],
  ["three axes", [2, 4, 5, 3], 3, { kernel_shape: [2, 3, 2], strides: [1, 2, 1], pads: [0, 1, 1, 1, 1, 0] }],
  ["one channel", [1, 9, 9], 4, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
  ["grouped", [4, 6, 6], 6, { kernel_shape: [3, 3], group: 2, pads: [1, 1, 1, 1] }],
  ["in wide groups", [34, 6, 5], 6, { kernel_shape: [3, 2], group: 2, strides: [1, 2], pads: [1, 1, 1, 0] }],
  ["in wide groups, many positions", [48, 12, 13], 9, { kernel_shape: [3, 3], group: 3, dilations: [1, 2] }],
  ["depthwise", [4, 6, 6], 4, { kernel_shape: [3, 3], group: 4, strides: [2, 2] }],
  ["patches in pieces", [64, 40, 40], 2, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
];
const outputOf = (x: readonly number[], outs: number, options: Case[3]): readonly number[] => {
  const w = input("w", "float32", [outs, x[0]! / (options.group ?? 1), ...options.kernel_shape]);
  return conv(input("x", "float32", [BATCH, ...x]), w, undefined, options).shape;
};
const weightGradGraph = ([name, x, outs, options]: Case): Graph =>
  trace(name, { x: float32(BATCH, ...x), g: float32(...outputOf(x, outs, options)) }, ({ x, g }) =>
    convWeightGrad(x, g, options),
  );

describe("weight gradients of convolutions", () => {
  it.each(cases)("%s: as the reference and the generic form", (...sample) => {
    const graph = weightGradGraph(sample),
      lowered = lowerForCpu(graph),
      generic = decomposeInternal(graph);
    const large = sizeOf(sample[1]) > 10_000;
    for (const batch of large ? [2] : [1, 3, 16]) {
      const feeds = feedsOf(graph, batch),
        expected = evaluateGraph(graph, feeds);
      expectSame(evaluateGraph(lowered, feeds), expected, 1e-12);
      if (!large) expectSame(evaluateGraph(generic, feeds), expected, 1e-12);
    }
  });

  it.each(cases)("%s: in float32 on the runtime", async (...sample) => {
    const graph = weightGradGraph(sample);
    for (const batch of [1, 5]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });

  it("take the form that fits: products over patches, in pieces where they are large, else one convolution", () => {
    const lowered = (name: string): string[] =>
      operators(lowerForCpu(weightGradGraph(cases.find((sample) => sample[0] === name)!)));
    expect(lowered("3x3 in few positions")).not.toContain("ReduceSum");
    expect(lowered("3x3 in many positions")).toContain("ReduceSum");
    expect(lowered("1x1")).not.toContain("Gather");
    expect(lowered("no padding")).not.toContain("Pad");
    expect(lowered("patches in pieces").filter((op) => op === "Gather").length).toBe(2);
    for (const name of ["in wide groups", "in wide groups, many positions"])
      expect(lowered(name)).not.toContain("Conv");
    for (const name of ["one channel", "grouped", "depthwise"]) expect(lowered(name)).toContain("Conv");
  });
});

describe("weight gradients at a known batch size", () => {
  /** Name, batch, x without it, output channels, attributes, whether the blocked form has them. */
  const known: readonly (readonly [string, number, readonly number[], number, Case[3], boolean])[] = [
    ["3x3", 16, [32, 6, 5], 16, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, true],
    ["two blocks of examples", 32, [16, 4, 4], 32, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, true],
    ["many channels", 16, [144, 5, 5], 16, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, true],
    ["an image's channels", 16, [3, 8, 8], 16, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, true],
    ["one channel, strided", 16, [1, 12, 12], 16, { kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] }, true],
    ["4x4 of stride 2", 16, [16, 10, 8], 48, { kernel_shape: [4, 4], strides: [2, 2], pads: [1, 1, 1, 1] }, true],
    ["3x3 of stride 2", 16, [160, 8, 8], 16, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }, true],
    ["unequal pads", 16, [16, 5, 6], 16, { kernel_shape: [2, 3], pads: [1, 0, 2, 1] }, true],
    ["1x1", 16, [16, 4, 4], 16, { kernel_shape: [1, 1] }, true],
    ["depthwise", 3, [32, 6, 5], 32, { kernel_shape: [3, 2], pads: [1, 0, 2, 1], group: 32 }, true],
    [
      "depthwise of stride 2",
      16,
      [16, 7, 8],
      16,
      { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], group: 16 },
      true,
    ],
    ["depthwise without whole blocks", 16, [24, 6, 6], 24, { kernel_shape: [3, 3], group: 24 }, false],
    ["a window that does not reach the end", 16, [16, 8, 8], 16, { kernel_shape: [1, 1], strides: [2, 2] }, false],
    ["dilated", 16, [16, 8, 8], 16, { kernel_shape: [3, 3], dilations: [2, 2] }, false],
    ["grouped", 16, [64, 6, 5], 96, { kernel_shape: [3, 2], pads: [1, 0, 2, 1], group: 2 }, true],
    ["grouped, of stride 2", 16, [32, 7, 7], 32, { kernel_shape: [3, 3], strides: [2, 2], group: 2 }, true],
    ["in groups that fill no block", 16, [16, 6, 6], 32, { kernel_shape: [3, 3], group: 2 }, false],
    ["outputs that fill no block", 16, [16, 6, 6], 17, { kernel_shape: [3, 3] }, false],
    ["a batch that nearly fills its blocks", 24, [16, 5, 5], 16, { kernel_shape: [3, 3] }, true],
    ["the same, many channels", 13, [144, 5, 5], 16, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }, true],
    ["the same, grouped", 13, [32, 5, 5], 32, { kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 2 }, true],
    ["a batch that does not", 20, [16, 5, 5], 16, { kernel_shape: [3, 3] }, false],
  ];
  it.each(known)("%s: one blocked convolution, as the reference", async (name, batch, x, outs, options, fits) => {
    const graph = withBatch(weightGradGraph([name, x, outs, options]), batch),
      found = operators(lowerForCpu(graph, { block: 16 }));
    expect(found.includes("ReorderOutput") && !found.includes("MatMul")).toBe(fits);
    const feeds = feedsOf(graph, batch);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
  });
});

describe("small batches", () => {
  /** Gradients of a convolution by x and by weights that are fed. */
  const gradients = (ins: number, outs: number, size: number, options: ConvOptions, kernel = 3): Graph =>
    trace("g", { x: float32(BATCH, ins, size, size), w: float32(outs, ins, kernel, kernel) }, ({ x, w }) => {
      const y = conv(x, w, undefined, options);
      const [dx, dw] = grad(reduceSum(mul(y, y), [0, 1, 2, 3]), [x, w]);
      return { dx: dx!, dw: dw! };
    });
  const cases: readonly (readonly [string, Graph])[] = [
    ["3x3", gradients(32, 128, 4, { pads: [1, 1, 1, 1] })],
    ["3x3, stride 2", gradients(16, 256, 8, { pads: [1, 1, 1, 1], strides: [2, 2] })],
    ["1x1, stride 2", gradients(48, 128, 8, { strides: [2, 2] }, 1)],
    ["unequal pads, dilated", gradients(32, 256, 8, { pads: [0, 2, 0, 2], dilations: [2, 2] })],
    ["4x4 without padding", gradients(16, 128, 7, {}, 4)],
  ];
  it.each(cases)("%s: as the reference, weights left in their order", async (_, graph) => {
    for (const batch of [1, 2]) {
      const fixed = withBatch(graph, batch),
        feeds = feedsOf(graph, batch);
      expectSame(await onCpu(fixed, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
    const lowered = lowerForCpu(withBatch(packEnds(graph, ["w", "dw"], 16), 1), { block: 16 });
    const moved = graphNodes(lowered).filter(({ op }) => /Reorder|Transpose|Gather/.test(op.name));
    const weights = sizeOf(graph.inputs[1]!.shape);
    for (const { outputs } of moved) expect(sizeOf(outputs[0]!.shape)).toBeLessThan(weights);
  });

  it("is not for images that are larger than the weights", () => {
    const found = loweringSteps(withBatch(gradients(16, 32, 16, { pads: [1, 1, 1, 1] }), 64), { block: 16 });
    const at = found.findIndex(({ pass }) => pass.name === "small-batches");
    expect(printGraph(found[at]!.graph)).toBe(printGraph(found[at - 1]!.graph));
  });
});

describe("data gradients of stride-1 convolutions", () => {
  const shapes: readonly (readonly [string, readonly number[], readonly number[], ConvOptions])[] = [
    ["3x3", [5, 6, 6], [5, 8, 3, 3], { pads: [1, 1, 1, 1] }],
    ["unequal pads", [3, 6, 5], [3, 9, 2, 4], { pads: [1, 0, 0, 3] }],
    ["dilated", [3, 7, 7], [3, 8, 3, 2], { dilations: [2, 3], pads: [1, 2, 4, 0] }],
    ["1x1", [4, 5, 5], [4, 8, 1, 1], {}],
    ["one axis", [4, 9], [4, 8, 3], { pads: [1, 1] }],
    ["grouped", [6, 7, 6], [6, 4, 3, 2], { pads: [1, 1, 1, 0], group: 2 }],
    ["depthwise", [9, 6, 6], [9, 1, 3, 3], { pads: [1, 1, 1, 1], group: 9 }],
  ];
  it.each(shapes)("%s: convolution with weights that are flipped at run time", async (_, x, w, options) => {
    const graph = trace("dx", { x: float32(BATCH, ...x), w: float32(...w) }, ({ x, w }) =>
      convTranspose(x, w, undefined, options),
    );
    const fixed = trace("dx", { x: float32(BATCH, ...x) }, ({ x }) =>
      convTranspose(x, constant(fromArray64(numbers(2, w))), undefined, options),
    );
    const lowered = lowerForCpu(graph);
    expect(operators(lowered)).not.toContain("ConvTranspose");
    expect(operators(lowerForCpu(fixed))).toEqual(["Input", "Constant", "Conv"]);
    expectSame(
      evaluateGraph(lowerForCpu(fixed), feedsOf(fixed, 2)),
      evaluateGraph(graph, { ...feedsOf(fixed, 2), w: numbers(2, w) }),
      1e-12,
    );
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch);
      expectSame(evaluateGraph(lowered, feeds), evaluateGraph(graph, feeds), 1e-12);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });
});

describe("data gradients of strided convolutions", () => {
  /** Channels and size of the cotangent, weights, attributes. */
  const shapes: readonly (readonly [string, readonly number[], readonly number[], ConvOptions & Padding])[] = [
    ["4x4 of stride 2", [32, 7, 7], [32, 16, 4, 4], { strides: [2, 2], pads: [1, 1, 1, 1] }],
    ["5x5 of stride 2", [16, 4, 5], [16, 32, 5, 5], { strides: [2, 2], pads: [2, 2, 2, 2], output_padding: [1, 1] }],
    ["no padding", [16, 3, 3], [16, 16, 2, 2], { strides: [2, 2] }],
    ["a kernel shorter than the stride", [16, 3, 2], [16, 16, 2, 3], { strides: [2, 3], output_padding: [1, 2] }],
    ["unequal axes and pads", [48, 5, 3], [48, 16, 6, 1], { strides: [3, 1], pads: [1, 0, 2, 0] }],
    [
      "by phases: 3x3 of stride 2",
      [16, 4, 4],
      [16, 32, 3, 3],
      { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    ],
    ["by phases: no padding", [16, 3, 2], [16, 16, 3, 3], { strides: [2, 2], output_padding: [1, 1] }],
    ["by phases: of 4 and 3 pixels", [32, 4, 5], [32, 16, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] }],
    ["by phases: unequal strides", [32, 4, 5], [32, 16, 4, 2], { strides: [3, 1], pads: [1, 1, 0, 0] }],
    ["more output than the kernel reaches", [16, 2, 2], [16, 16, 4, 4], { strides: [4, 4], output_padding: [3, 2] }],
  ];
  type Padding = { readonly output_padding?: readonly number[] };
  const graphOf = (x: readonly number[], w: readonly number[], options: ConvOptions & Padding): Graph => {
    const weights = fromArray64(numbers(9, w));
    return trace("dx", { x: float32(BATCH, ...x) }, ({ x }) => convTranspose(x, constant(weights), undefined, options));
  };

  it.each(shapes)("%s: one blocked convolution where the machine has blocks", async (_, x, w, options) => {
    const graph = graphOf(x, w, options);
    expect(operators(lowerForCpu(graph, { block: 16 }))).toEqual(
      expect.arrayContaining(["ReorderInput", "Conv", "Gather", "ReorderOutput"]),
    );
    expect(operators(lowerForCpu(graph, { block: 16 }))).not.toContain("ConvTranspose");
    for (const batch of [1, 3, 16]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
    }
  });

  it.each(shapes)("%s: as a layer, with a bias", async (_, x, w, options) => {
    const types = { x: float32(BATCH, ...x), bias: float32(w[1]!) };
    const graph = trace("up", types, ({ x, bias }) =>
      convTranspose(x, constant(fromArray64(numbers(9, w))), bias, options),
    );
    expect(operators(lowerForCpu(graph, { block: 16 }))).not.toContain("ConvTranspose");
    const feeds = feedsOf(graph, 3);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
  });

  const fed = ([name, , w, { strides = [] }]: (typeof shapes)[number]): boolean =>
    name.startsWith("by phases") || strides.every((stride, i) => w[i + 2]! % stride < 1);
  it.each(shapes.filter(fed))("%s: with fed weights", async (_, x, w, options) => {
    const graph = trace("dx", { x: float32(BATCH, ...x), w: float32(...w) }, ({ x, w }) =>
      convTranspose(x, w, undefined, options),
    );
    expect(operators(lowerForCpu(graph, { block: 16 }))).not.toContain("ConvTranspose");
    const feeds = feedsOf(graph, 3);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
  });

  it("leaves what would be slower, what does not fit the block, and portable graphs", () => {
    const half = { strides: [2, 2], pads: [1, 1, 1, 1] };
    const plain = (graph: Graph, block?: number): void =>
      expect(operators(lowerForCpu(graph, { block: block ?? 0 }))).toEqual(operators(graph));
    plain(graphOf([16, 4, 4], [16, 16, 1, 1], { strides: [2, 2] }), 16);
    plain(graphOf([16, 4, 4], [16, 8, 4, 4], half), 16);
    plain(graphOf([16, 4, 4], [16, 16, 4, 4], { ...half, dilations: [2, 2] }), 16);
    plain(graphOf([16, 4, 4], [16, 8, 4, 4], { ...half, group: 2 }), 16);
    plain(graphOf([16, 4, 4], [16, 16, 4, 4], half));
  });

  it("passes the self-test where there are blocks: on every x64 processor", async () => {
    const block = await blockSize();
    if (process.arch === "x64") expect([8, 16]).toContain(block);
    else if (block === 0) console.log("lowering: this machine has no blocks; only the portable form was tested");
  });
});

describe("convolutions with fed weights", () => {
  const shapes: readonly (readonly [string, readonly number[], readonly number[], ConvOptions])[] = [
    ["3x3", [16, 6, 5], [32, 16, 3, 3], { pads: [1, 1, 1, 1] }],
    ["of stride 2", [32, 7, 7], [16, 32, 3, 3], { strides: [2, 2], pads: [1, 0, 1, 2] }],
    ["dilated", [16, 9, 8], [48, 16, 2, 3], { dilations: [2, 1] }],
    ["1x1", [32, 3, 3], [16, 32, 1, 1], {}],
    ["grouped", [32, 6, 5], [64, 16, 3, 2], { pads: [1, 0, 2, 1], group: 2 }],
    ["depthwise", [32, 6, 5], [32, 1, 3, 2], { pads: [1, 0, 2, 1], group: 32 }],
    ["depthwise, dilated", [16, 8, 9], [16, 1, 3, 3], { pads: [2, 1, 2, 1], dilations: [2, 1], group: 16 }],
    ["depthwise of stride 2", [16, 7, 6], [16, 1, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2], group: 16 }],
  ];
  it.each(shapes)("%s: in the blocked layout, as the reference", async (_, x, w, options) => {
    const types = { x: float32(BATCH, ...x), w: float32(...w), b: float32(w[0]!) };
    const graph = trace("fed", types, ({ x, w, b }) => conv(x, w, b, options));
    const found = lowerForCpu(graph, { block: 16 });
    expect(operators(found)).toEqual(expect.arrayContaining(["ReorderInput", "ReorderOutput"]));
    expect(printGraph(found).match(/ = (com\.microsoft\.nchwc\.)?Conv\{/g)).toEqual([" = com.microsoft.nchwc.Conv{"]);
    expect(operators(found).filter((op) => ["Gather", "Transpose", "PackWeights"].includes(op))).toEqual([]);
    for (const batch of [1, 5]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
    }
  });

  it.each(shapes.filter(([, , , { strides }]) => !strides))("%s: data gradient", async (_, x, w, options) => {
    const types = { x: float32(BATCH, w[0]!, ...x.slice(1)), w: float32(...w) };
    const graph = trace("fed", types, ({ x, w }) => convTranspose(x, w, undefined, options));
    expect(operators(lowerForCpu(graph, { block: 16 }))).not.toContain("ConvTranspose");
    const feeds = feedsOf(graph, 3);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
  });

  it("stay as they are where channels do not fill blocks, or those of groups, and in portable graphs", () => {
    const plain = (w: readonly number[], options: ConvOptions, block: number): void => {
      const graph = trace("fed", { x: float32(BATCH, 16, 6, 6), w: float32(...w) }, ({ x, w }) =>
        conv(x, w, undefined, options),
      );
      expect(operators(lowerForCpu(graph, { block }))).toEqual(operators(graph));
    };
    plain([17, 16, 3, 3], {}, 16);
    plain([32, 8, 3, 3], { group: 2 }, 16);
    plain([32, 16, 3, 3], {}, 0);
  });
});

describe("transpositions that move channels", () => {
  const moved: readonly (readonly [string, readonly number[], readonly number[]])[] = [
    ["last", [32, 8, 6], [0, 2, 3, 1]],
    ["first", [8, 6, 32], [0, 3, 1, 2]],
    ["last, one axis of pixels", [48, 50], [0, 2, 1]],
    ["first, one axis of pixels", [50, 48], [0, 2, 1]],
    ["last, three axes of pixels", [16, 4, 5, 6], [0, 2, 3, 4, 1]],
    ["first, three axes of pixels", [4, 5, 6, 16], [0, 4, 1, 2, 3]],
  ];
  const graphOf = (shape: readonly number[], perm: readonly number[]): Graph =>
    trace("moved", { x: float32(BATCH, ...shape) }, ({ x }) => transpose(x, perm));

  it.each(moved)("%s: by way of blocks, bit for bit", async (_, shape, perm) => {
    const graph = graphOf(shape, perm);
    expect(operators(lowerForCpu(graph, { block: 16 }))).not.toContain("Transpose");
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch);
      expect(await onCpu(graph, feeds)).toEqual(evaluateGraph(graph, feeds));
    }
  });

  it("leaves other orders, other channel counts and small ones", () => {
    for (const [shape, perm] of [
      [
        [32, 8, 6],
        [0, 1, 3, 2],
      ],
      [
        [32, 8, 6],
        [0, 3, 2, 1],
      ],
      [
        [24, 8, 6],
        [0, 2, 3, 1],
      ],
      [
        [32, 4, 4],
        [0, 2, 3, 1],
      ],
      [
        [32, 8],
        [2, 0, 1],
      ],
    ] as const)
      expect(operators(lowerForCpu(graphOf(shape, perm), { block: 16 }))).toEqual(operators(graphOf(shape, perm)));
  });
});

describe("transpositions of whole rows", () => {
  const moved = (shape: readonly number[], perm: readonly number[]): Graph =>
    trace("moved", { x: float32(...shape) }, ({ x }) => ({ y: transpose(x, perm) }));
  it.each([
    [
      [8, 9, 64, 16],
      [1, 2, 0, 3],
    ],
    [
      [5, 6, 7, 4, 4, 32],
      [4, 0, 2, 1, 3, 5],
    ],
    [
      [64, 32, 8, 8],
      [1, 0, 2, 3],
    ],
  ])("%j by %j are gathers", async (shape, perm) => {
    const graph = moved(shape, perm),
      feeds = feedsOf(graph, 1);
    expect(operators(lowerForCpu(graph))).toContain("Gather");
    const { y } = await onCpu(graph, feeds);
    expect(y).toEqual(evaluateGraph(graph, feeds)["y"]);
  });
  it.each([
    [
      [64, 64, 64],
      [0, 2, 1],
    ],
    [
      [64, 128, 15],
      [1, 0, 2],
    ],
    [
      [BATCH, 64, 32, 64],
      [1, 0, 2, 3],
    ],
    [
      [8, 8, 16],
      [1, 0, 2],
    ],
  ])("%j by %j stay", (shape, perm) => {
    expect(operators(lowerForCpu(moved(shape, perm)))).not.toContain("Gather");
  });
});

describe("Winograd's convolutions", () => {
  const same = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const weights = (seed: number, outs: number, ins: number): Value =>
    constant(fromArray64(numbers(seed, [outs, ins, 3, 3])));
  /** A residual block with biases behind a convolution of stride 2, its masks, and a term a channel. */
  const block = (ins: number, outs: number, h: number, w: number): Graph =>
    trace("block", { x: float32(BATCH, ins, h, w), each: float32(BATCH, outs, 1, 1) }, ({ x, each }) => {
      const bias = constant(fromArray64(numbers(5, [outs])));
      const first = relu(conv(x, weights(1, outs, ins), bias, same));
      const second = relu(add(conv(first, weights(2, outs, outs), bias, same), first));
      const backward = conv(
        mul(mul(each, sigmoid(second)), constant(f32([0.5]))),
        weights(3, outs, outs),
        undefined,
        same,
      );
      return { second, dx: mul(backward, sigmoid(first)) };
    });
  it.each([
    [64, 64, 4, 4],
    [64, 80, 8, 8],
    [80, 64, 12, 8],
    [64, 64, 7, 5],
    [64, 64, 3, 3],
  ])("%i to %i channels at %i x %i: as the reference", async (ins, outs, h, w) => {
    const graph = block(ins, outs, h, w);
    for (const batch of [1, 3, 16]) {
      const feeds = feedsOf(graph, batch),
        expected = evaluateGraph(graph, feeds);
      expectSame(await onCpu(graph, feeds, { winograd: { minChannels: 1 } }), expected, 1e-5);
      expectSame(await onCpu(graph, feeds), expected, 1e-6);
    }
  });

  it.each([
    [8, 8, [2, 2]],
    [9, 7, [2, 2]],
    [13, 8, [3, 1]],
    [5, 4, [2, 1]],
  ])("dilated, at %i x %i by %j: as the reference, and its gradients", async (h, w, dilations) => {
    const types = { x: float32(BATCH, 64, h, w), w: float32(80, 64, 3, 3), bias: float32(80) };
    const graph = trace("dilated", types, (given) => {
      const y = conv(given.x, given.w, given.bias, { pads: [...dilations, ...dilations], dilations });
      const gradients = grad(reduceSum(mul(y, sigmoid(y)), [0, 1, 2, 3]), Object.values(given));
      return { y, ...Object.fromEntries(gradients.map((v, i) => [`d${i}`, v!])) };
    });
    for (const batch of [16, 21]) {
      const fixed = withBatch(graph, batch),
        feeds = feedsOf(graph, batch);
      const winograd = { minChannels: 1 };
      const found = printGraph(lowerForCpu(fixed, { block: 16, winograd })).match(/group=36/g);
      expect(found?.length ?? 0).toBe(3);
      expectSame(await onCpu(fixed, feeds, { winograd }), evaluateGraph(graph, feeds), 1e-5);
    }
  });

  it("sums channels of a batch of any size", async () => {
    const graph = trace("sums", { x: float32(BATCH, 64, 4, 4) }, ({ x }) =>
      reduceSum(relu(conv(x, weights(1, 64, 64), undefined, same)), [0, 2, 3]),
    );
    const feeds = feedsOf(graph, 3);
    expectSame(await onCpu(graph, feeds, { winograd: true }), evaluateGraph(graph, feeds), 1e-5);
  });

  it("takes values whose channels were moved last by way of blocks for what they now are", async () => {
    const graph = trace("moved", { x: float32(BATCH, 16, 64, 8) }, ({ x }) =>
      conv(transpose(x, [0, 2, 3, 1]), weights(1, 64, 64), undefined, same),
    );
    for (const batch of [1, 16]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds, { winograd: true }), evaluateGraph(graph, feeds), 1e-5);
    }
  });

  it("enters and leaves its layout once, and keeps to it in between", () => {
    const found = operators(lowerForCpu(block(64, 64, 8, 8), { block: 16, winograd: true }));
    const count = (name: string): number => found.filter((op) => op === name).length;
    expect(count("ReorderInput")).toBe(2); // x and the term a channel
    expect(count("ReorderOutput")).toBe(2); // one an output
    expect(count("MatMul")).toBe(9); // transforms of input, output and weights of three convolutions
  });

  /** Two normalized layers behind a stem and a strided one, and the gradients of all weights. */
  const trained = (size: number): Graph => {
    const layer = batchNormLayer(64);
    const types = {
      x: float32(BATCH, 64, 2 * size, 2 * size),
      strided: float32(64, 64, 3, 3),
      w1: float32(64, 64, 3, 3),
      w2: float32(80, 64, 3, 3),
      bias: float32(80),
      gain: float32(64),
      shift: float32(64),
    };
    return trace("trained", types, ({ x, strided, w1, w2, bias, gain, shift }) => {
      const stats = { running_mean: constant(fromArray64(numbers(1, [64]))), running_var: gain };
      const normal = (v: Value): Value =>
        sigmoid(layer.apply({ weight: gain, bias: shift, ...stats }, v, { training: true }).y);
      const entry = normal(conv(x, strided, undefined, { ...same, strides: [2, 2] }));
      const inner = add(normal(conv(entry, w1, undefined, same)), entry);
      const y = conv(inner, w2, bias, same);
      const loss = reduceSum(mul(y, sigmoid(y)), [0, 1, 2, 3]);
      const wanted = { x, strided, w1, w2, bias, gain, shift };
      const gradients = grad(loss, Object.values(wanted));
      return { loss, ...Object.fromEntries(Object.keys(wanted).map((name, i) => [`d.${name}`, gradients[i]!])) };
    });
  };
  it.each([
    [16, 8],
    [32, 4],
    [20, 7],
    [16, 12],
  ])("trains: batch %i at %i pixels a side", async (batch, size) => {
    const graph = withBatch(trained(size), batch),
      feeds = feedsOf(graph, batch);
    const winograd = { minChannels: size % 4 === 0 ? 64 : 32 };
    expectSame(await onCpu(graph, feeds, { winograd }), evaluateGraph(graph, feeds), 2e-4);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 2e-4);
    const transforms = printGraph(lowerForCpu(graph, { block: 16, winograd })).match(/group=36/g) ?? [];
    expect(transforms.length).toBe(6); // forward pass, data and weight gradient of two layers
  });

  it("stays in its layout from one batch norm to the next", () => {
    const steps = loweringSteps(withBatch(trained(8), 16), { block: 16, winograd: true });
    const found = printGraph(steps.find(({ pass }) => pass.name === "tidy")!.graph);
    expect(found).not.toContain("BatchNormalization");
    const count = (perm: string): number => found.split(`Transpose{perm=[${perm}]}`).length - 1;
    expect(count("2, 4, 3, 5, 1, 0, 6")).toBe(1); // what the strided layer gives
    expect(count("5, 4, 0, 2, 1, 3, 6")).toBe(2); // its cotangent, and what the loss sums
  });

  it("does not transform weights for few pixels", () => {
    const found = printGraph(lowerForCpu(withBatch(trained(4), 16), { block: 16, winograd: true }));
    expect(found).not.toContain("group=36");
  });

  it("is used only where asked for, and where it pays", () => {
    const plain = (graph: Graph, options = {}): void =>
      expect(operators(lowerForCpu(graph, { block: 16, ...options }))).not.toContain("ReorderInput");
    plain(block(64, 64, 8, 8));
    plain(block(32, 32, 8, 8), { winograd: true });
    plain(block(64, 64, 2, 2), { winograd: true });
    plain(block(64, 72, 8, 8), { winograd: true, block: 0 });
    const one = (options: ConvOptions, kernel = 3): Graph =>
      trace("one", { x: float32(BATCH, 64, 8, 8) }, ({ x }) =>
        conv(x, constant(fromArray64(numbers(1, [64, 64 / (options.group ?? 1), kernel, kernel]))), undefined, options),
      );
    plain(one({ pads: [1, 1, 1, 1], strides: [2, 2] }), { winograd: true });
    plain(one({ pads: [0, 0, 0, 0] }), { winograd: true });
    plain(one({ pads: [1, 1, 1, 1], dilations: [2, 2] }), { winograd: true });
    plain(one({ pads: [1, 1, 1, 1], group: 2 }), { winograd: true });
    plain(one({ pads: [1, 1, 1, 1] }, 1), { winograd: true });
  });
});

describe("the blocked layout", () => {
  const weights = (seed: number, ...shape: number[]): Value => constant(fromArray64(numbers(seed, shape)));
  const padded = { pads: [1, 1, 1, 1] };
  /** A network with a stem, a residual sum, groups, a depthwise layer, a strided layer and dense layers. */
  const network = (x: Value): Value => {
    const stem = relu(conv(x, weights(1, 16, 3, 3, 3), weights(2, 16), padded));
    const joined = relu(add(conv(stem, weights(3, 16, 16, 3, 3), undefined, padded), stem));
    const deep = sigmoid(conv(joined, weights(4, 32, 16, 4, 4), weights(5, 32), { ...padded, strides: [2, 2] }));
    const each = conv(deep, weights(6, 32, 1, 3, 3), undefined, { ...padded, group: 32 });
    const groups = tanh(conv(each, weights(7, 64, 16, 1, 1), weights(8, 64), { group: 2 }));
    const flat = reshape(groups, [BATCH, 64 * 16]);
    const dense = relu(gemm(flat, weights(9, 10, 64 * 16), weights(10, 10), { transB: 1 }));
    return gemm(dense, weights(11, 10, 4));
  };
  const gradient = (): Graph =>
    trace("gradient", { x: float32(BATCH, 3, 8, 8) }, ({ x }) => {
      const y = network(x);
      return { y, dx: grad(reduceSum(mul(y, y), [0, 1]), [x])[0]! };
    });

  it("reaches from the first convolution to the last, dense layers included, as the reference", async () => {
    const graph = gradient(),
      lowered = lowerForCpu(graph, { block: 16 });
    const found = operators(lowered),
      count = (name: string): number => found.filter((op) => op === name).length;
    expect(count("ReorderInput")).toBe(0);
    expect(count("ReorderOutput")).toBe(1); // what the stem's ConvTranspose takes
    expect(printGraph(lowered)).toMatch(/nchwc\.Conv.*activation="Relu"/);
    expect(printGraph(lowered)).toMatch(/nchwc\.Conv.*activation="Tanh"/);
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });

  it("is left to the runtime where no other pass has put a blocked operator", () => {
    const graph = trace("forward", { x: float32(BATCH, 3, 8, 8) }, ({ x }) => network(x));
    expect(operators(lowerForCpu(graph, { block: 16 }))).toEqual(operators(lowerForCpu(graph)));
  });

  it("takes a sum into the convolution that nothing else reads, whichever comes first", async () => {
    for (const swap of [false, true]) {
      const graph = trace("sums", { x: float32(BATCH, 16, 8, 8), w: float32(16, 16, 3, 3) }, ({ x, w }) => {
        const fed = conv(x, w, undefined, padded),
          read = conv(fed, weights(1, 16, 16, 3, 3), undefined, padded),
          own = conv(relu(fed), weights(2, 16, 16, 3, 3), undefined, padded);
        const joined = swap ? add(own, read) : add(read, own);
        return { joined: relu(joined), read, twice: add(joined, joined) };
      });
      const lowered = lowerForCpu(graph, { block: 16 });
      expect(operators(lowered).filter((op) => op === "Add").length).toBe(1); // twice
      for (const batch of [1, 4]) {
        const feeds = feedsOf(graph, batch);
        expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
      }
    }
  });

  it("scales and shifts channels in one operator, whatever is written", async () => {
    const graph = trace("channels", { x: float32(BATCH, 16, 8, 8), w: float32(16, 16, 3, 3) }, ({ x, w }) => {
      const y = conv(x, w, undefined, padded),
        each = (seed: number): Value => add(weights(seed, 16, 1, 1), constant(f32([2])));
      const moved = add(mul(div(sub(y, each(1)), each(2)), each(3)), each(4));
      const norm = batchNorm(y, weights(5, 16), weights(6, 16), weights(7, 16), sigmoid(weights(8, 16)), 1e-3);
      return { moved: relu(moved), norm: relu(add(norm, y)), one: mul(y, reshape(weights(9, 16), [1, 16, 1, 1])) };
    });
    const lowered = lowerForCpu(graph, { block: 16 });
    expect(operators(lowered).filter((op) => op === "Conv").length).toBe(4);
    expect(operators(lowered)).not.toContain("BatchNormalization");
    expect(printGraph(lowered).match(/activation="Relu"/g)?.length).toBe(2);
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });

  it("takes means of channels, and spreads numbers an image and channel", async () => {
    const graph = trace("squeeze", { x: float32(BATCH, 16, 8, 6), w: float32(32, 16, 3, 3) }, ({ x, w }) => {
      const y = conv(x, w, undefined, padded),
        means = globalAveragePool(y);
      return { gated: mul(y, sigmoid(means)), moved: sub(means, y) };
    });
    const found = operators(lowerForCpu(graph, { block: 16 }));
    expect(found.filter((op) => op === "ReorderOutput").length).toBe(2); // the outputs
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });

  it("holds a training step with batch normalization, and its gradients", async () => {
    const layer = batchNormLayer(16);
    const types = { x: float32(BATCH, 16, 6, 6), w: float32(16, 16, 3, 3), scale: float32(16), shift: float32(16) };
    const graph = trace("trained", types, ({ x, w, scale, shift }) => {
      const stats = { running_mean: weights(1, 16), running_var: weights(2, 16) };
      const convolved = conv(x, w, undefined, padded);
      const { y } = layer.apply({ weight: scale, bias: shift, ...stats }, convolved, { training: true });
      const loss = reduceSum(mul(sigmoid(y), weights(3, 16, 6, 6)), [0, 1, 2, 3]);
      const [dx, dw, dscale, dshift] = grad(loss, [x, w, scale, shift]);
      return { loss, dx: dx!, dw: dw!, dscale: dscale!, dshift: dshift! };
    });
    for (const batch of [2, 16]) {
      const fixed = withBatch(graph, batch),
        lowered = lowerForCpu(fixed, { block: 16 });
      expect(operators(lowered)).not.toContain("BatchNormalization");
      expect(operators(lowered).filter((op) => op === "MatMul").length).toBe(batch === 16 ? 0 : 1);
      const feeds = feedsOf(graph, batch);
      for (const g of [graph, fixed]) expectSame(await onCpu(g, feeds), evaluateGraph(graph, feeds), 1e-4);
    }
  });

  it("sums channels where they lie", async () => {
    const graph = trace("sums", { x: float32(BATCH, 16, 6, 5), w: float32(32, 16, 3, 3) }, ({ x, w }) => {
      const y = conv(x, w, undefined, padded);
      return { bias: reduceSum(y, [0, 2, 3], false), each: reduceSum(y, [2, 3], true), rows: reduceSum(y, [3], false) };
    });
    const wide = lowerForCpu(createGraph("wide", graph.inputs, { bias: graph.outputs["bias"]! }), { block: 16 });
    expect(operators(wide).filter((op) => op === "ReorderOutput").length).toBe(0);
    const feeds = feedsOf(graph, 3);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
  });

  it("joins and divides channels", async () => {
    const types = { x: float32(BATCH, 16, 5, 5), v: float32(32, 16, 3, 3), w: float32(16, 48, 1, 1) };
    const graph = trace("joined", types, ({ x, v, w }) => {
      const y = conv(concat([x, relu(conv(x, v, undefined, padded))], 1), w);
      const [dx, dv, dw] = grad(reduceSum(mul(y, y), [0, 1, 2, 3]), [x, v, w]);
      return { dx: dx!, dv: dv!, dw: dw! };
    });
    for (const batch of [2, 16]) {
      const fixed = withBatch(graph, batch),
        feeds = feedsOf(graph, batch);
      expectSame(await onCpu(fixed, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
    const text = printGraph(lowerForCpu(withBatch(graph, 16), { block: 16 }));
    const sources = [...text.matchAll(/ = (Concat|Split)\{axis=1\}\(%(\d+)/g)];
    expect(sources.map(([, op]) => op)).toEqual(["Concat", "Split"]);
    for (const [, , id] of sources) expect(text).toMatch(new RegExp(`%${id}: .* = com\\.microsoft\\.nchwc\\.`));
  });

  it("keeps other broadcasts out of it", async () => {
    const graph = trace("each", { x: float32(BATCH, 16, 8, 8), w: float32(16, 16, 3, 3) }, ({ x, w }) => {
      const y = conv(x, w, undefined, padded);
      return {
        scaled: mul(y, weights(1, 1, 1, 8, 1)),
        moved: add(y, constant(f32([0.5]))),
        rows: mul(y, weights(2, 8)),
      };
    });
    const feeds = feedsOf(graph, 2);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
  });
});

describe("weights in the order of blocks", () => {
  const shape = [32, 16, 3, 2];
  it("come back as they were", () => {
    const w = fromArray64(numbers(1, shape));
    for (const block of [8, 16]) {
      const packed = packTensor(w, block);
      expect(packed.data).not.toEqual(w.data);
      expect(unpackTensor(packed, block)).toEqual(w);
    }
    expect(
      [
        [32, 16, 3, 3],
        [32, 8, 3, 3],
        [24, 16, 3, 3],
        [32, 16],
      ].map((s) => isPackable(s, 16)),
    ).toEqual([true, false, false, false]);
    expect(isPackable([32, 16, 3, 3], 0)).toBe(false);
  });

  /** An optimizer's step of two layers, weights and velocities fed and given back. */
  const step = (): Graph => {
    const types = { x: float32(BATCH, 16, 8, 6), w: float32(...shape), v: float32(...shape), u: float32(16, 32, 3, 3) };
    return trace("step", types, ({ x, w, v, u }) => {
      const inner = sigmoid(conv(x, w, undefined, { pads: [1, 1, 1, 0] }));
      const y = sigmoid(conv(inner, u, undefined, { pads: [1, 1, 1, 1], strides: [2, 2] }));
      const loss = reduceSum(mul(y, y), [0, 1, 2, 3]);
      const [dx, dw, du] = grad(loss, [x, w, u]);
      const velocity = add(mul(v, constant(f32([0.9]))), add(dw!, mul(w, constant(f32([0.01])))));
      return { loss, dx: dx!, "next.w": sub(w, velocity), "next.v": velocity, "next.u": sub(u, du!) };
    });
  };
  const names = ["w", "v", "u", "next.w", "next.v", "next.u"];
  it.each([1, 16])("give the same step, and nothing is put in order on the way (batch %i)", async (batch) => {
    const block = await blockSize();
    if (block === 0) return console.log("lowering: this machine has no blocks; packed weights were not tested");
    const graph = step(),
      packed = packEnds(withBatch(graph, batch), names, block);
    const feeds = feedsOf(graph, batch),
      expected = evaluateGraph(graph, feeds);
    const change = (arrays: Arrays, how: typeof packTensor): Arrays =>
      Object.fromEntries(
        Object.entries(arrays).map(([name, a]) => {
          if (!names.includes(name)) return [name, a];
          const t = how(fromArray64(a), block);
          return [name, { ...a, data: toFloat64(t) }];
        }),
      );
    const got = await onCpu(packed, change(feeds, packTensor));
    expectSame(change(got, unpackTensor), expected, 1e-5);
    expect(difference(got["next.w"]!.data, expected["next.w"]!.data)).toBeGreaterThan(0.1); // it is in another order
    if (batch !== 16) return;
    const found = operators(lowerForCpu(packed, { block }));
    expect(found.filter((op) => op === "ReorderOutput").length).toBe(1 + 1); // dx, and the squares that are summed
    expect(found.filter((op) => op.endsWith("packWeights") || op === "PackWeights")).toEqual([]);
  });
});

/** Loss gradients by the input and by every weight, in training mode. */
const gradients = (definition: ModelDefinition): Graph => {
  const x = input("x", "float32", [BATCH, ...definition.inputShape]),
    labels = input("labels", "int64", [BATCH]);
  const of = (specs: ModelDefinition["parameters"] | ModelDefinition["buffers"]): Record<string, Value> =>
    Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, input(name, "float32", shape)]));
  const parameters = of(definition.parameters),
    buffers = of(definition.buffers);
  const { y } = definition.apply({ ...parameters, ...buffers }, x, { training: true });
  const loss = reduceSum(losses["cross-entropy"].build(y, labels), [0]);
  const [dx, ...rest] = grad(loss, [x, ...Object.values(parameters)]);
  const outputs = Object.fromEntries(Object.keys(parameters).map((name, i) => [`d.${name}`, rest[i]!]));
  const inputs = [x, labels, ...Object.values(parameters), ...Object.values(buffers)];
  return createGraph(definition.name, inputs, { loss, dx: dx!, ...outputs });
};

/** Without gradients that are zero but for rounding, as that of a bias in front of a batch norm. */
const present = (arrays: Record<string, Array64>, expected: Record<string, Array64>): Record<string, Array64> =>
  Object.fromEntries(Object.entries(arrays).filter(([name]) => expected[name]!.data.some((v) => Math.abs(v) > 1e-9)));

describe("models: gradients by input and weights as without lowering", () => {
  const definitions = [
    model("small-cnn", { inputShape: [1, 12, 12], classes: 3 }),
    model("small-cnn", { inputShape: [3, 9, 11], classes: 3 }),
    model("wide-resnet-10-1", { inputShape: [3, 8, 8], classes: 3 }),
    model("vgg", { inputShape: [3, 8, 8], classes: 3 }, { depths: [1, 2], widths: [8, 16] }),
    model("densenet", { inputShape: [3, 8, 8], classes: 3 }, { depths: [2, 2], growth: 8 }),
    model("unet", { inputShape: [3, 8, 8], classes: 3 }, { width: 8, levels: 2 }),
    model("vit", { inputShape: [3, 8, 8], classes: 3 }, { width: 12, depth: 1 }),
    model("lstm", { inputShape: [1, 5, 6], classes: 3 }, { units: 8 }),
  ];
  it.each(definitions.map((d) => [`${d.name} on ${d.inputShape.join("x")}`, d] as const))(
    "%s",
    async (_, definition) => {
      const graph = gradients(definition),
        lowered = lowerForCpu(graph);
      expect(operators(lowered).filter((op) => op === "ConvWeightGrad")).toEqual([]);
      for (const batch of [2, 5]) {
        const feeds = feedsOf(graph, batch),
          expected = evaluateGraph(graph, feeds);
        const same = (actual: Record<string, Array64>, tol: number): void =>
          expectSame(present(actual, expected), present(expected, expected), tol);
        same(evaluateGraph(lowered, feeds), 1e-6); // folded constants are rounded to float32
        same(await onCpu(graph, feeds), 1e-3);
      }
    },
  );
});

/** A chain of convolutions of random geometry with smooth activations, and its gradients. */
const randomGraph = (seed: number): Graph => {
  const rng = createRng(seed),
    pick = (most: number): number => 1 + Math.floor(rng.uniform() * most);
  const x = input("x", "float32", [BATCH, pick(9), 5 + pick(8), 5 + pick(8)]);
  const weights: Value[] = [];
  let y: Value = x;
  for (let layer = 0; layer < 3; layer++) {
    const kernel = [pick(3), pick(3)],
      pads = [kernel[0]! - 1, kernel[1]! - 1, pick(2) - 1, pick(2) - 1];
    const w = input(`w${layer}`, "float32", [pick(12), y.shape[1]!, ...kernel]);
    weights.push(w);
    y = conv(y, w, undefined, { pads, strides: [pick(2), pick(2)] });
    y = [tanh, sigmoid, (v: Value): Value => mul(v, sigmoid(v))][pick(3) - 1]!(y);
  }
  const loss = reduceSum(reshape(mul(y, y), [BATCH, sizeOf(y.shape.slice(1))]), [0, 1]);
  const found = grad(loss, [x, ...weights]);
  return createGraph(`random ${seed}`, [x, ...weights], Object.fromEntries(found.map((v, i) => [`d${i}`, v])));
};

describe("random convolution chains", () => {
  it.each(Array.from({ length: 12 }, (_, i) => i))("seed %i: the same, lowered or not", async (seed) => {
    const graph = randomGraph(seed),
      feeds = feedsOf(graph, 1 + (seed % 4)),
      expected = evaluateGraph(graph, feeds);
    expectSame(evaluateGraph(lowerForCpu(graph), feeds), expected, 1e-6);
    expectSame(await onCpu(graph, feeds), expected, 1e-4);
  });
});

describe("gradients of recurrent networks", () => {
  const [steps, inputs, units] = [5, 3, 4];
  const types = {
    x: float32(steps, BATCH, inputs),
    w: float32(1, 4 * units, inputs),
    r: float32(1, 4 * units, units),
    b: float32(1, 8 * units),
  };
  type Inputs = Readonly<Record<keyof typeof types, Value>>;
  /** A loss of all states and of the last one and its cells, by the inputs named. */
  const gradients = (build: (given: Inputs) => Inputs, ...by: (keyof typeof types)[]): Graph =>
    trace("recurrent", types, (given) => {
      const all = build(given);
      const [states, last, cells] = lstm(all.x, all.w, all.r, all.b) as [Value, Value, Value];
      const loss = add(
        reduceSum(mul(states, states), [0, 1, 2, 3]),
        reduceSum(mul(add(last, cells), cells), [0, 1, 2]),
      );
      const found = grad(loss, by.map((name) => all[name])); // prettier-ignore
      return { loss, ...Object.fromEntries(by.map((name, i) => [`d${name}`, found[i]!])) };
    });

  it.each([["x"], ["w", "r", "b"], ["x", "r"]] as const)("by %s %s %s are two loops", async (...by) => {
    const graph = gradients((given) => given, ...by),
      lowered = lowerForCpu(graph);
    expect(operators(lowered).filter((op) => /Scan|LSTM/.test(op))).toEqual(["Scan", "Scan"]);
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch),
        expected = evaluateGraph(graph, feeds);
      expectSame(evaluateGraph(lowered, feeds), expected, 1e-12);
      expectSame(await onCpu(graph, feeds), expected, 1e-5);
    }
  });
  it("hold constant weights inside of the loops, and stack only what is read", async () => {
    const fixed = (name: keyof typeof types, seed: number): Value =>
      constant(fromArray64(numbers(seed, types[name].shape)));
    const graph = gradients(({ x }) => ({ x, w: fixed("w", 1), r: fixed("r", 2), b: fixed("b", 3) }), "x"),
      lowered = lowerForCpu(graph),
      feeds = feedsOf(graph, 2);
    const loops = graphNodes(lowered).filter(({ op }) => op.name === "Scan");
    expect(loops.map(({ attributes }) => attributes["num_shared"])).toEqual([0, 0]);
    // two states, all of h, the share kept and five slopes; not the rows that weights' gradients read
    expect(loops.map(({ outputs }) => outputs.length)).toEqual([9, 3]);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
  });
  it("of several in one graph are told apart; one without a gradient stays the runtime's own", async () => {
    const given = { ...types, x: float32(steps, BATCH, 2 * inputs), h: float32(1, BATCH, units) };
    const graph = trace("several", given, ({ x, w, r, b, h }) => {
      const [first, second] = split(x, [inputs, inputs], 2) as [Value, Value];
      const last = (v: Value, state?: Value): Value =>
        emitAll(ops.LSTM, [v, w, r, b, undefined, state], { hidden_size: units })[1]!;
      // Two differ in which half of x they read, two in their first state only.
      const loss = reduceSum(mul(add(last(first), last(second)), last(first, h)), [0, 1, 2]);
      const [dx, dw, dh] = grad(loss, [x, w, h]) as [Value, Value, Value];
      return { loss, dx, dw, dh, aside: last(mul(first, second)) };
    });
    const found = operators(lowerForCpu(graph)).filter((op) => /Scan|LSTM/.test(op));
    expect(found.sort()).toEqual(["LSTM", ...new Array<string>(6).fill("Scan")]);
    const feeds = feedsOf(graph, 2);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
  });
  it("by the first state alone stack nothing on the way back", async () => {
    const graph = trace("first", { ...types, h: float32(1, BATCH, units) }, ({ x, w, r, b, h }) => {
      const [, last] = emitAll(ops.LSTM, [x, w, r, b, undefined, h], { hidden_size: units }) as [Value, Value];
      return { dh: grad(reduceSum(mul(last, last), [0, 1, 2]), [h])[0]! };
    });
    const feeds = feedsOf(graph, 2);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
  });
  it("are not paid for by forward passes", () => {
    const graph = trace("forward", types, ({ x, w, r, b }) => ({ y: lstm(x, w, r, b)[1]! }));
    expect(operators(lowerForCpu(graph)).filter((op) => op !== "Input")).toEqual(["LSTM"]);
  });
  it("are taken in training steps of many, as written out", async () => {
    const body = gradients((given) => given, "w"),
      graph = trace(
        "steps",
        { ...types, x: float32(BATCH, steps, 2, inputs) },
        ({ x, w, r, b }): Readonly<Record<string, Value>> => {
          const [last, losses] = scan(stepOf(withBatch(body, 2)), [w, r, b], [x]).toSpliced(1, 2) as [Value, Value];
          return { last, losses };
        },
      );
    const feeds = feedsOf(graph, 3);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
  });
  /** w moves by its gradient, r and b stay. */
  const stepOf = (graph: Graph): Graph => {
    const by = Object.fromEntries(graph.inputs.map((v) => [v.node.name, v])) as Inputs;
    const next = sub(by.w, mul(graph.outputs["dw"]!, constant(f32([0.1], []))));
    return createGraph("step", [by.w, by.r, by.b, by.x], { next, r: by.r, b: by.b, loss: graph.outputs["loss"]! });
  };
});

describe("sums over the batch and more", () => {
  it.each([true, false])("are taken in two steps (axes kept: %s)", async (keep) => {
    const graph = trace("sums", { x: float32(BATCH, 3, 4, 5) }, ({ x }) => ({
      bias: reduceSum(x, [0, 2, 3], keep),
      all: reduceSum(x, [0, 1, 2, 3], keep),
      negative: reduceSum(x, [-4, -1], keep),
      batch: reduceSum(x, [0], keep),
      rows: reduceSum(x, [1, 2], keep),
    }));
    const lowered = lowerForCpu(graph);
    expect(operators(lowered).filter((op) => op === "ReduceSum").length).toBe(8);
    for (const batch of [1, 7]) {
      const feeds = feedsOf(graph, batch);
      expectSame(evaluateGraph(lowered, feeds), evaluateGraph(graph, feeds), 1e-12);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });
  it("of the rows of large matrices in parts of rows", async () => {
    const types = { x: float32(4160, 64), y: float32(-65, 3), z: float32(4093, 64), w: float32(64, 3) };
    const graph = trace("rows", types, (all) =>
      Object.fromEntries(Object.entries(all).map(([name, v]) => [`sum.${name}`, reduceSum(v, [0], name === "y")])),
    );
    const lowered = lowerForCpu(graph);
    expect(operators(lowered).filter((op) => op === "ReduceSum").length).toBe(2 + 2 + 1 + 1); // 4093 is a prime
    const feeds = feedsOf(graph, 2);
    expectSame(evaluateGraph(lowered, feeds), evaluateGraph(graph, feeds), 1e-12);
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
  });
});

describe("margins before pools", () => {
  // ONNX Runtime makes them margins of the pool, where a maximum does not see their zeros, and refuses large ones.
  const margins = [0, 0, 2, 1, 0, 0, 2, 1];
  it.each<readonly [string, (x: Value) => Value]>([
    ["a maximum sees their zeros", (x) => maxPool(pad(x, margins), [2, 2], { strides: [2, 2] })],
    ["a mean takes margins as large as its window", (x) => averagePool(pad(x, margins), [2, 1], { strides: [2, 1] })],
  ])("%s", async (_, build) => {
    const graph = trace("pool", { x: float32(BATCH, 2, 4, 4) }, ({ x }) => build(x));
    const { x } = feedsOf(graph, 2),
      feeds = { x: { ...x!, data: x!.data.map((v) => v - 1) } };
    expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-6);
  });
});

describe("operands that end in axes of size 1", () => {
  const types = { x: float32(BATCH, 600, 1, 1), c: float32(600, 1, 1), k: float32() };
  it("are broadcast without these", async () => {
    const graph = trace("ones", types, ({ x, c, k }) => ({
      product: mul(x, k),
      difference: sub(c, mul(x, k)),
      small: mul(reduceSum(x, [1], true), k),
      same: mul(x, x),
    }));
    const lowered = lowerForCpu(graph);
    expect(operators(lowered).filter((op) => op === "Reshape").length).toBe(2 + 2);
    for (const batch of [1, 3]) {
      const feeds = feedsOf(graph, batch);
      expectSame(evaluateGraph(lowered, feeds), evaluateGraph(graph, feeds), 1e-12);
      expectSame(await onCpu(graph, feeds), evaluateGraph(graph, feeds), 1e-5);
    }
  });
});

describe("printed", () => {
  it("gradients of a convolution layer", () => {
    const graph = trace(
      "layer",
      { x: float32(BATCH, 8, 4, 4), w: float32(2, 8, 3, 3), b: float32(2) },
      ({ x, w, b }) => {
        const loss = reduceSum(relu(conv(add(x, x), w, b, { pads: [1, 1, 1, 1] })), [0, 1, 2, 3]);
        const [dx, dw, db] = grad(loss, [x, w, b]);
        return { dx: dx!, dw: dw!, db: db! };
      },
    );
    expect(printGraph(lowerForCpu(graph))).toMatchSnapshot();
  });
  it("a weight gradient in many positions, strided", () => {
    const sample = cases.find(([name]) => name === "4x4, stride 2, many positions")!;
    expect(printGraph(lowerForCpu(weightGradGraph(sample)))).toMatchSnapshot();
  });
});
