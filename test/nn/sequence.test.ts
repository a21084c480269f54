import { convTranspose2d, layerNorm, linear, lstm, relu6, selfAttention, transformerBlock } from "temper/nn";
import type { Layer } from "temper/nn";
import { describe, expect, it } from "vitest";
import { array, evaluate, randomArray, values } from "./evaluate.ts";

const shapesOf = (layer: Layer): Record<string, readonly number[]> =>
  Object.fromEntries(Object.entries(layer.parameters).map(([name, { shape }]) => [name, shape]));

/** The layer at random weights: output, input and weights. */
const run = (layer: Layer, shape: readonly number[]) => {
  const shapes = { x: shape, ...shapesOf(layer) };
  const inputs = values(shapes);
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, s], i) => [name, randomArray(i + 1, s)]));
  const { y } = layer.apply(inputs, inputs["x"]!, { training: false });
  return { y: evaluate(inputs, { y }, feeds)["y"]!, x: feeds["x"]!, weights: feeds };
};

const logistic = (v: number): number => 1 / (1 + Math.exp(-v));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
/** Rows of a flat array. */
const rows = ({ data }: { readonly data: Float64Array }, width: number): number[][] =>
  Array.from({ length: data.length / width }, (_, i) => Array.from(data.subarray(i * width, (i + 1) * width)));
const product = (x: readonly number[][], w: readonly number[][], b: ArrayLike<number>): number[][] =>
  x.map((row) => w.map((column, i) => dot(row, column) + b[i]!));

it("linear takes any number of leading axes", () => {
  const { y, x, weights } = run(linear(3, 2), [2, 4, 3]);
  expect(y.shape).toEqual([2, 4, 2]);
  const expected = product(rows(x, 3), rows(weights["weight"]!, 3), weights["bias"]!.data).flat();
  y.data.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 12));
});

it("layerNorm standardizes every row, then scales and shifts it", () => {
  const { y, x, weights } = run(layerNorm(5, { epsilon: 0.1 }), [2, 3, 5]);
  rows(x, 5).forEach((row, r) => {
    const mean = row.reduce((a, b) => a + b) / 5,
      variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 5;
    row.forEach((v, i) => {
      const unit = (v - mean) / Math.sqrt(variance + 0.1);
      expect(y.data[5 * r + i]).toBeCloseTo(unit * weights["weight"]!.data[i]! + weights["bias"]!.data[i]!, 6);
    });
  });
});

it("relu6 cuts at 0 and 6", () => {
  const inputs = values({ x: [3] });
  const { y } = relu6.apply({}, inputs["x"]!, { training: false });
  expect(Array.from(evaluate(inputs, { y }, { x: array([3], [-1, 2, 7]) })["y"]!.data)).toEqual([0, 2, 6]);
});

it("convTranspose2d writes each pixel as a tile", () => {
  const { y, x, weights } = run(convTranspose2d(2, 3, 2), [1, 2, 2, 2]);
  expect(y.shape).toEqual([1, 3, 4, 4]);
  const w = weights["weight"]!.data;
  for (let o = 0; o < 3; o++)
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 4; j++) {
        const from = (i >> 1) * 2 + (j >> 1),
          tap = (i % 2) * 2 + (j % 2);
        const sum = [0, 1].reduce((s, c) => s + x.data[4 * c + from]! * w[(c * 3 + o) * 4 + tap]!, 0);
        expect(y.data[16 * o + 4 * i + j]).toBeCloseTo(sum + weights["bias"]!.data[o]!, 12);
      }
});

describe("selfAttention", () => {
  it("weighs the values of each head by the softmax of queries times keys", () => {
    const [tokens, width, heads] = [3, 4, 2],
      size = width / heads;
    const { y, x, weights } = run(selfAttention(width, heads), [2, tokens, width]);
    const qkv = product(rows(x, width), rows(weights["qkv.weight"]!, width), weights["qkv.bias"]!.data);
    const joined = qkv.map((row, r) => {
      const mates = qkv.slice(Math.floor(r / tokens) * tokens, Math.floor(r / tokens + 1) * tokens);
      return Array.from({ length: heads }, (_, h) => {
        const part = (of: readonly number[], which: number): number[] =>
          of.slice(which * width + h * size, which * width + (h + 1) * size);
        const powers = mates.map((mate) => Math.exp(dot(part(row, 0), part(mate, 1)) / Math.sqrt(size)));
        const total = powers.reduce((a, b) => a + b);
        return Array.from({ length: size }, (_, i) =>
          mates.reduce((sum, mate, m) => sum + (powers[m]! / total) * part(mate, 2)[i]!, 0),
        );
      }).flat();
    });
    const expected = product(joined, rows(weights["proj.weight"]!, width), weights["proj.bias"]!.data).flat();
    y.data.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 6));
  });
  it("wants heads that divide the width", () => expect(() => selfAttention(10, 3)).toThrow(/divide the width 10/));
});

it("a transformer block has the weights that published ones have", () => {
  const block = transformerBlock(192, 3);
  expect(Object.keys(block.parameters)).toEqual(
    ["norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"].flatMap((n) => [`${n}.weight`, `${n}.bias`]),
  );
  expect(block.parameters["mlp.fc1.weight"]!.shape).toEqual([768, 192]);
});

it("lstm follows the equations, gates in PyTorch's order", () => {
  const [steps, inputs, units] = [4, 3, 2];
  const { y, x, weights } = run(lstm(inputs, units), [2, steps, inputs]);
  const given = product(rows(x, inputs), rows(weights["weight_ih_l0"]!, inputs), weights["bias_ih_l0"]!.data);
  const expected = [0, 1].flatMap((n) => {
    let h = [0, 0],
      c = [0, 0];
    for (let t = 0; t < steps; t++) {
      const [back] = product([h], rows(weights["weight_hh_l0"]!, units), weights["bias_hh_l0"]!.data);
      const gate = (which: number, u: number): number =>
        given[n * steps + t]![which * units + u]! + back![which * units + u]!;
      c = c.map((v, u) => logistic(gate(1, u)) * v + logistic(gate(0, u)) * Math.tanh(gate(2, u)));
      h = c.map((v, u) => logistic(gate(3, u)) * Math.tanh(v));
    }
    return h;
  });
  expect(y.shape).toEqual([2, units]);
  y.data.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 10));
});
