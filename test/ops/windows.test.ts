import { vjp } from "temper/autodiff";
import { f32, isTemperError } from "temper/core";
import { type AnyOp, type Array64, constant, createGraph, emitAll, input, type Value } from "temper/graph";
import {
  averagePool,
  conv,
  convTranspose,
  convWeightGrad,
  decomposeInternal,
  evaluateGraph,
  globalMaxPool,
  groupNorm,
  maxPool,
  maxPoolWithPositions,
  maxUnpool,
  ops,
  resize,
  toOnnx,
} from "temper/ops";
import { describe, expect, it } from "vitest";
import { build, relative, run } from "./check.ts";
import { samples } from "./samples.ts";

const fed = (shape: readonly number[], data: readonly number[]): Array64 => ({
  dtype: "float32",
  shape,
  data: Float64Array.from(data),
});
/** The gradient of the weighted sum of y with respect to x. */
const gradientAt = (x: Value, y: Value, at: Array64, weights: readonly number[]): number[] => {
  const seed = constant(f32(weights, y.shape));
  return Array.from(run([vjp([y], [seed], [x])[0]!], { x: at })[0]!.data);
};

describe("ties of a maximum", () => {
  const x = input("x", "float32", [1, 1, 4, 4]);
  const flat = fed([1, 1, 4, 4], new Array<number>(16).fill(3));

  it("send the gradient of a tile to its first cell", () => {
    const y = maxPool(x, [2, 2], { strides: [2, 2] });
    expect(gradientAt(x, y, flat, [1, 2, 3, 4])).toEqual([1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0]);
  });
  it("prefer the earlier row to the earlier column", () => {
    const y = maxPool(x, [2, 2], { strides: [2, 2] });
    const at = fed([1, 1, 4, 4], [0, 5, 0, 0, 5, 0, 0, 7, 0, 0, 0, 0, 1, 0, 2, 2]);
    expect(gradientAt(x, y, at, [1, 2, 3, 4])).toEqual([0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 4, 0]);
  });
  it("send the gradient of overlapping windows to their first cells, summed", () => {
    const y = maxPool(x, [3, 3], { strides: [2, 2], pads: [1, 1, 1, 1] });
    expect(gradientAt(x, y, flat, [1, 2, 4, 8])).toEqual([1, 2, 0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });
  it("send the gradient of a whole plane to its first cell", () => {
    expect(gradientAt(x, globalMaxPool(x), flat, [5])).toEqual([5, ...new Array<number>(15).fill(0)]);
  });
});

describe("known answers", () => {
  const image = input("x", "float32", [1, 1, 3, 3]);
  const at = fed([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const only = (y: Value): number[] => Array.from(run([y], { x: at })[0]!.data);

  it("convolution is a correlation: the kernel is not flipped", () => {
    const w = constant(f32([1, 10, 100, 1000], [1, 1, 2, 2]));
    expect(only(conv(image, w))).toEqual([5421, 6532, 8754, 9865]);
    expect(only(conv(image, w, constant(f32([0.5])), { auto_pad: "SAME_LOWER", strides: [2, 2] }))).toEqual([
      1000.5, 3200.5, 7040.5, 9865.5,
    ]);
  });
  it("transposed convolution stamps the kernel", () => {
    const w = constant(f32([1, 10, 100, 1000], [1, 1, 2, 2]));
    const y = convTranspose(image, w, undefined, { strides: [2, 2] });
    expect(y.shape).toEqual([1, 1, 6, 6]);
    expect(only(y).slice(0, 12)).toEqual([1, 10, 2, 20, 3, 30, 100, 1000, 200, 2000, 300, 3000]);
  });
  it("averages count what is there", () => {
    const options = { pads: [1, 1, 1, 1], strides: [2, 2] };
    expect(only(averagePool(image, [2, 2], options))).toEqual([1, 2.5, 5.5, 7]);
    expect(only(averagePool(image, [2, 2], { ...options, count_include_pad: 1 }))).toEqual([0.25, 1.25, 2.75, 7]);
    const hanging = { strides: [2, 2], ceil_mode: 1 };
    expect(only(averagePool(image, [2, 2], hanging))).toEqual([3, 4.5, 7.5, 9]);
    expect(only(averagePool(image, [2, 2], { ...hanging, count_include_pad: 1 }))).toEqual([3, 4.5, 7.5, 9]);
  });
  it("unpooling undoes pooling, also where a row is left over", () => {
    const [y, positions] = maxPoolWithPositions(image, [2, 2], { strides: [2, 2] });
    expect(Array.from(run([positions], { x: at })[0]!.data)).toEqual([4]);
    const tight = maxUnpool(y, constant({ dtype: "int64", shape: [1, 1, 1, 1], data: BigInt64Array.of(3n) }), [2, 2]);
    expect(only(tight)).toEqual([0, 0, 0, 5]);
  });
  it("linear resizing keeps a ramp", () => {
    const y = resize(image, [1, 1, 1, 5 / 3], { mode: "linear", coordinate_transformation_mode: "align_corners" });
    expect(only(y).slice(0, 5)).toEqual([1, 1.5, 2, 2.5, 3]);
  });
  it("group normalization with one group a channel standardizes channels", () => {
    const one = constant(f32([2]));
    const y = only(groupNorm(image, 1, one, constant(f32([1])), 0));
    const deviation = Math.sqrt(60 / 9);
    y.forEach((v, i) => expect(v).toBeCloseTo(1 + (2 * (i - 4)) / deviation, 12));
  });
});

describe("internal operators", () => {
  it.each(
    (["ConvWeightGrad", "ResizeGrad"] as const).flatMap((name) => samples[name].map((sample) => ({ name, sample }))),
  )("$name equals its decomposition: $sample.label", ({ name, sample }) => {
    for (const symbolic of sample.symbolic ? [false, true] : [false]) {
      const { outputs, feeds, inputs } = build(ops[name], sample, symbolic);
      const graph = createGraph(
        "g",
        inputs.filter((v) => v?.node.op.name === "Input").map((v) => v!),
        { y: outputs[0]! },
      );
      const direct = evaluateGraph(graph, feeds)["y"]!,
        written = evaluateGraph(decomposeInternal(graph), feeds)["y"]!;
      expect(written.shape).toEqual(direct.shape);
      // Constants of the decomposition are float32.
      written.data.forEach((v, i) => expect(relative(v, direct.data[i]!)).toBeLessThan(1e-6));
    }
  });
  it("weight gradients of several examples are the sums over single ones", () => {
    const x = input("x", "float32", [2, 1, 3, 3]),
      g = constant(f32([1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 2, 2]));
    const w = convWeightGrad(x, g, { kernel_shape: [2, 2] });
    const ones = fed([2, 1, 3, 3], new Array<number>(18).fill(1));
    expect(Array.from(run([w], { x: ones })[0]!.data)).toEqual([36, 36, 36, 36]);
  });
});

it("positions nobody reads are not written into a file", () => {
  const x = input("x", "float32", [-1, 1, 4, 4]);
  const forward = createGraph("g", [x], { y: maxPool(x, [2, 2]) });
  const [node] = toOnnx(forward).graph!.node!;
  expect(node!.output).toHaveLength(1);
});

describe("refuses", () => {
  const x = input("x", "float32", [-1, 4, 5, 5]);
  const w = (...shape: number[]): Value => constant(f32(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape));
  const cases: [string, AnyOp, readonly Value[], object, RegExp][] = [
    ["other channels", ops.Conv, [x, w(2, 3, 3, 3)], {}, /weights \[2, 3, 3, 3\] with group 1/],
    ["a kernel larger than the image", ops.Conv, [x, w(2, 4, 7, 7)], {}, /does not fit into \[5, 5\]/],
    ["a stride of zero", ops.Conv, [x, w(2, 4, 3, 3)], { strides: [0, 1] }, /strides must hold 2 integers/],
    ["negative pads", ops.Conv, [x, w(2, 4, 3, 3)], { pads: [-1, 0, 0, 0] }, /pads must hold 4 integers/],
    ["an unknown auto_pad", ops.Conv, [x, w(2, 4, 3, 3)], { auto_pad: "SAME" }, /auto_pad must be one of/],
    ["a bias of another size", ops.Conv, [x, w(2, 4, 3, 3), w(3)], {}, /bias must be \[2\]/],
    ["a group that does not divide", ops.ConvTranspose, [x, w(4, 1, 3, 3)], { group: 3 }, /with group 3/],
    ["pooling without a kernel", ops.MaxPool, [x], {}, /needs kernel_shape/],
    ["training statistics", ops.BatchNormalization, [x, w(4), w(4), w(4), w(4)], { training_mode: 1 }, /training_mode/],
    ["normalizing the batch", ops.LayerNormalization, [x, w(5)], { axis: 0 }, /batch axis/],
    ["groups that do not divide", ops.GroupNormalization, [x, w(3), w(3)], { num_groups: 3 }, /num_groups/],
    ["matrices that do not fit", ops.Gemm, [w(2, 3), w(2, 3)], {}, /do not fit/],
    ["stacks that do not fit", ops.MatMul, [w(2, 3), w(2, 3)], {}, /inner sizes/],
    ["a malformed equation", ops.Einsum, [w(2, 3)], { equation: "i?->i" }, /malformed/],
    ["labels of two sizes", ops.Einsum, [w(2, 3)], { equation: "ii->i" }, /sizes 2 and 3/],
    ["an output label from nowhere", ops.Einsum, [w(2, 3)], { equation: "ij->k" }, /does not follow/],
  ];
  it.each(cases)("%s", (_, op, inputs, attributes, message) => {
    const failure = ((): unknown => {
      try {
        return emitAll(op, inputs, attributes as Record<string, never>);
      } catch (error) {
        return error;
      }
    })();
    expect(isTemperError(failure), String(failure)).toBe(true);
    expect(String((failure as Error).message)).toMatch(message);
    expect(String((failure as Error).message)).toContain(op.name);
  });
});

it("data that depends on the run is refused where a constant is needed", () => {
  const x = input("x", "float32", [1, 1, 4, 4]),
    scales = input("scales", "float32", [4]);
  expect(() => emitAll(ops.Resize, [x, undefined, scales])).toThrow(/scales depends on data/);
});
