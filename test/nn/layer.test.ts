import { createRng } from "temper/core";
import {
  averagePool2d,
  batchNorm,
  compose,
  conv2d,
  countParameters,
  defaultInit,
  fans,
  flatten,
  globalAverage,
  glorotNormal,
  heNormal,
  heUniform,
  type Init,
  initialize,
  linear,
  maxPool2d,
  relu,
  sequential,
  standardize,
  weightNames,
  windowed,
} from "temper/nn";
import { add } from "temper/ops";
import { describe, expect, it } from "vitest";
import { array, evaluate, values } from "./evaluate.ts";

const off = { training: false };

describe("linear and conv2d", () => {
  it("linear computes x Wᵀ + b", () => {
    const inputs = values({ x: [2, 3], weight: [2, 3], bias: [2] });
    const { y } = linear(3, 2).apply(inputs, inputs["x"]!, off);
    const out = evaluate(
      inputs,
      { y },
      {
        x: array([2, 3], [1, 2, 3, 0, 1, 0]),
        weight: array([2, 3], [1, 0, -1, 2, 2, 2]),
        bias: array([2], [10, 20]),
      },
    );
    expect(Array.from(out["y"]!.data)).toEqual([8, 32, 10, 22]);
    expect(Object.keys(linear(3, 2, { bias: false }).parameters)).toEqual(["weight"]);
  });

  it("conv2d dilates", () => {
    const inputs = values({ x: [1, 1, 3, 3], weight: [1, 1, 2, 2], bias: [1] });
    const { y } = conv2d(1, 1, 2, { dilation: 2 }).apply(inputs, inputs["x"]!, off);
    const given = { x: array([1, 1, 3, 3], [1, 0, 2, 0, 9, 0, 3, 0, 4]), weight: array([1, 1, 2, 2], [1, 1, 1, 1]) };
    const out = evaluate(inputs, { y }, { ...given, bias: array([1], [100]) });
    expect(Array.from(out["y"]!.data)).toEqual([110]);
  });

  it("conv2d pads, strides and groups", () => {
    const inputs = values({ x: [1, 2, 3, 3], weight: [2, 1, 3, 3], bias: [2] });
    const layer = conv2d(2, 2, 3, { stride: 2, padding: 1, groups: 2 });
    const { y } = layer.apply(inputs, inputs["x"]!, off);
    expect(layer.parameters["weight"]!.shape).toEqual([2, 1, 3, 3]);
    const out = evaluate(
      inputs,
      { y },
      {
        x: array(
          [1, 2, 3, 3],
          Array.from({ length: 18 }, (_, i) => i),
        ),
        weight: array([2, 1, 3, 3], new Array(18).fill(1)),
        bias: array([2], [0, 100]),
      },
    );
    // corners of the padded sums: 0+1+3+4, 1+2+4+5, 3+4+6+7, 4+5+7+8; second channel adds 9 to each of four elements
    expect(out["y"]!.shape).toEqual([1, 2, 2, 2]);
    expect(Array.from(out["y"]!.data)).toEqual([8, 12, 20, 24, 144, 148, 156, 160]);
    expect(windowed(3, 3, 2, 1)).toBe(2);
  });
});

describe("layers without weights", () => {
  const run = (layer: typeof relu, shape: number[], data: number[]) => {
    const inputs = values({ x: shape });
    const y = evaluate(inputs, { y: layer.apply({}, inputs["x"]!, off).y }, { x: array(shape, data) })["y"]!;
    return [y.shape, Array.from(y.data)];
  };
  const image = [1, -2, 3, 4];
  it("do what they say", () => {
    expect(run(relu, [1, 1, 2, 2], image)).toEqual([
      [1, 1, 2, 2],
      [1, 0, 3, 4],
    ]);
    expect(run(flatten, [1, 1, 2, 2], image)).toEqual([[1, 4], image]);
    expect(run(globalAverage, [1, 2, 1, 2], image)).toEqual([
      [1, 2],
      [-0.5, 3.5],
    ]);
    expect(run(maxPool2d(2), [1, 1, 2, 2], image)).toEqual([[1, 1, 1, 1], [4]]);
    expect(run(averagePool2d(2), [1, 1, 2, 2], image)).toEqual([[1, 1, 1, 1], [1.5]]);
  });
  it("standardize refuses what is not a standardization", () => {
    expect(() => standardize(3, [0.5, 0.5], [1])).toThrow(/mean must be 1 or 3 numbers/);
    expect(() => standardize(3, [0.5], [1, 0, 1])).toThrow(/above 0/);
    expect(() => standardize(1, [NaN], [1])).toThrow(/mean/);
  });
});

describe("compose", () => {
  const block = compose({ a: linear(2, 2), norm: batchNorm(2), inner: sequential({ 0: linear(2, 2) }) }, (call, x) =>
    add(x, call("inner", call("norm", call("a", x)))),
  );
  it("gathers weights under dotted names", () => {
    expect(weightNames(block)).toEqual([
      "a.weight", "a.bias", "norm.weight", "norm.bias", "inner.0.weight", "inner.0.bias",
      "norm.running_mean", "norm.running_var",
    ]); // prettier-ignore
    expect(countParameters(block)).toBe(6 + 4 + 6);
  });
  it("routes weights in and updates out", () => {
    const outer = sequential({ body: block });
    const shapes = Object.fromEntries(
      Object.entries({ ...outer.parameters, ...outer.buffers }).map(([n, { shape }]) => [n, shape]),
    );
    const inputs = values({ x: [4, 2], ...shapes });
    const { y, updates } = outer.apply(inputs, inputs["x"]!, { training: true });
    expect(y.shape).toEqual([4, 2]);
    expect(Object.keys(updates)).toEqual(["body.norm.running_mean", "body.norm.running_var"]);
    expect(outer.apply(inputs, inputs["x"]!, off).updates).toEqual({});
  });
  it("names a weight that is missing", () => {
    const inputs = values({ x: [4, 2] });
    expect(() => block.apply({}, inputs["x"]!, off)).toThrow(/"a.weight"/);
  });
});

describe("initialize", () => {
  it("draws every array from its own stream, the same for the same seed", () => {
    const small = sequential({ a: linear(4, 4), c: linear(4, 4) });
    const large = sequential({ a: linear(4, 4), b: conv2d(1, 8, 3), c: linear(4, 4) });
    const [one, two] = [initialize(small, createRng(5)), initialize(large, createRng(5))];
    for (const name of Object.keys(one)) expect(two[name]).toEqual(one[name]);
    expect(one["a.weight"]!.data).not.toEqual(one["c.weight"]!.data);
    expect(initialize(small, createRng(6))["a.weight"]).not.toEqual(one["a.weight"]);
  });

  it("starts normalization as the identity", () => {
    const start = initialize(batchNorm(2), createRng(0));
    expect(Object.entries(start).map(([name, { data }]) => [name, ...data])).toEqual([
      ["weight", 1, 1], ["bias", 0, 0], ["running_mean", 0, 0], ["running_var", 1, 1],
    ]); // prettier-ignore
  });

  it("has the spread that each rule names", () => {
    const shape = [64, 32, 5, 5];
    expect(fans(shape)).toEqual({ in: 800, out: 1600 });
    const draw = (init: Init): Float32Array => {
      const data = new Float32Array(64 * 800);
      init(data, shape, createRng(1));
      return data;
    };
    const deviation = (data: Float32Array): number => Math.sqrt(data.reduce((s, v) => s + v * v, 0) / data.length);
    expect(deviation(draw(heNormal("in")))).toBeCloseTo(Math.sqrt(2 / 800), 3);
    expect(deviation(draw(heNormal("out")))).toBeCloseTo(Math.sqrt(2 / 1600), 3);
    expect(deviation(draw(glorotNormal))).toBeCloseTo(Math.sqrt(2 / 2400), 3);
    expect(deviation(draw(heUniform))).toBeCloseTo(Math.sqrt(2 / 800), 3);
    const bound = 1 / Math.sqrt(800),
      data = draw(defaultInit);
    expect(data.reduce((m, v) => Math.max(m, Math.abs(v)), 0)).toBeLessThanOrEqual(bound);
    expect(deviation(data)).toBeCloseTo(bound / Math.sqrt(3), 3);
  });
});
