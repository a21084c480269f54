import { grad, vjp } from "temper/autodiff";
import { type Array64, createGraph, input, type Value } from "temper/graph";
import { batchNorm, type Layer } from "temper/nn";
import { add, evaluateGraph, mul, reduceSum, square } from "temper/ops";
import { describe, expect, it } from "vitest";
import { array, evaluate, randomArray, values } from "./evaluate.ts";

const C = 3;
const weightShapes = { weight: [C], bias: [C], running_mean: [C], running_var: [C] };
const weightFeeds = {
  weight: array([C], [0.5, 2, -1]),
  bias: array([C], [0.1, 0, 3]),
  running_mean: array([C], [1, -2, 0]),
  running_var: array([C], [1, 4, 0.25]),
};
const layer = batchNorm(C);

/** Elements of channel c. */
const channel = ({ shape, data }: Array64, c: number): number[] => {
  const area = shape.slice(2).reduce((a, b) => a * b, 1);
  return Array.from(data).filter((_, i) => Math.floor(i / area) % C === c);
};
const mean = (v: readonly number[]): number => v.reduce((a, b) => a + b, 0) / v.length;
const variance = (v: readonly number[]): number => mean(v.map((a) => (a - mean(v)) ** 2));

const apply = (by: Layer, shape: readonly number[], training: boolean, x: Array64): Record<string, Array64> => {
  const inputs = values({ x: shape, ...weightShapes });
  const { y, updates } = by.apply(inputs, inputs["x"]!, { training });
  return evaluate(inputs, { y, ...updates }, { x, ...weightFeeds });
};

describe.each([[[4, C, 2, 5]], [[6, C]]])("batchNorm on %j", (shape) => {
  const x = randomArray(1, shape, 5, 2);

  it("normalizes by running statistics in evaluation, without updates", () => {
    const out = apply(layer, shape, false, x);
    expect(Object.keys(out)).toEqual(["y"]);
    for (let c = 0; c < C; c++) {
      const { weight, bias, running_mean: m, running_var: v } = weightFeeds;
      const expected = channel(x, c).map(
        (a) => ((a - m.data[c]!) / Math.sqrt(v.data[c]! + 1e-5)) * weight.data[c]! + bias.data[c]!,
      );
      channel(out["y"]!, c).forEach((a, i) => expect(a).toBeCloseTo(expected[i]!, 6));
    }
  });

  it("normalizes by the batch in training, and moves the running statistics by a tenth", () => {
    const out = apply(layer, shape, true, x);
    for (let c = 0; c < C; c++) {
      const from = channel(x, c),
        y = channel(out["y"]!, c);
      expect(mean(y)).toBeCloseTo(weightFeeds.bias.data[c]!, 9);
      expect(Math.sqrt(variance(y))).toBeCloseTo(Math.abs(weightFeeds.weight.data[c]!), 4);
      const unbiased = (variance(from) * from.length) / (from.length - 1);
      expect(out["running_mean"]!.data[c]).toBeCloseTo(0.9 * weightFeeds.running_mean.data[c]! + 0.1 * mean(from), 6);
      expect(out["running_var"]!.data[c]).toBeCloseTo(0.9 * weightFeeds.running_var.data[c]! + 0.1 * unbiased, 6);
    }
  });

  it("keeps its precision where the mean is large (two passes)", () => {
    const far = apply(layer, shape, true, { ...x, data: x.data.map((v) => v + 1e7) })["y"]!;
    const near = apply(layer, shape, true, x)["y"]!;
    far.data.forEach((v, i) => expect(v).toBeCloseTo(near.data[i]!, 6));
  });

  it.each([true, false])(
    "has the gradient of central differences, and so has its gradient (training %s)",
    (training) => {
      const inputs = values({ x: shape, u: shape, ...weightShapes });
      const wrt = [inputs["x"]!, inputs["weight"]!, inputs["bias"]!];
      const { y } = layer.apply(inputs, inputs["x"]!, { training });
      const scalar = reduceSum(
        mul(add(y, square(y)), inputs["u"]!),
        shape.map((_, i) => i),
      );
      const first = grad(scalar, wrt);
      const total = first.reduce((sum: Value | undefined, g) => {
        const part = reduceSum(
          square(g),
          g.shape.map((_, i) => i),
        );
        return sum ? add(sum, part) : part;
      }, undefined)!;
      const second = grad(total, wrt);
      const names = ["x", "weight", "bias"];
      const outputs: Record<string, Value> = { scalar, total };
      names.forEach((name, i) =>
        Object.assign(outputs, { [`first.${name}`]: first[i]!, [`second.${name}`]: second[i]! }),
      );
      const feeds: Record<string, Array64> = { x, u: randomArray(2, shape), ...weightFeeds };
      const at = evaluate(inputs, outputs, feeds);
      const h = 1e-5;
      for (const name of names)
        for (let j = 0; j < feeds[name]!.data.length; j += 3) {
          const shifted = (by: number) =>
            evaluate(inputs, outputs, {
              ...feeds,
              [name]: { ...feeds[name]!, data: feeds[name]!.data.with(j, feeds[name]!.data[j]! + by) },
            });
          const [plus, minus] = [shifted(h), shifted(-h)];
          for (const [value, gradient] of [
            ["scalar", "first"],
            ["total", "second"],
          ] as const) {
            const numeric = (plus[value]!.data[0]! - minus[value]!.data[0]!) / (2 * h);
            const exact = at[`${gradient}.${name}`]!.data[j]!;
            expect(Math.abs(exact - numeric), `${gradient} ${name}[${j}]`).toBeLessThan(1e-5 * (1 + Math.abs(exact)));
          }
        }
    },
  );
});

it.each([true, false])("batchNorm without scale and bias only standardizes (training %s)", (training) => {
  const plain = batchNorm(C, { affine: false });
  expect(Object.keys(plain.parameters)).toEqual([]);
  const types = { x: [5, C], running_mean: [C], running_var: [C] };
  const feeds = { x: randomArray(4, [5, C]), running_mean: array([C], [0, 0, 0]), running_var: array([C], [1, 1, 1]) };
  const one = input("one", "float32", [5, C]); // the layer's constants are float32, and so must be its input
  const weights = Object.fromEntries(["running_mean", "running_var"].map((n) => [n, input(n, "float32", [C])]));
  const { y } = plain.apply(weights, one, { training });
  const graph = createGraph("plain", [one, ...Object.values(weights)], { y });
  const out = evaluateGraph(graph, { ...feeds, one: feeds.x })["y"]!;
  const learned = values({ ...types, weight: [C], bias: [C] });
  const same = layer.apply(learned, learned["x"]!, { training });
  const expected = evaluate(
    learned,
    { y: same.y },
    { ...feeds, weight: array([C], [1, 1, 1]), bias: array([C], [0, 0, 0]) },
  );
  out.data.forEach((v, i) => expect(v).toBeCloseTo(expected["y"]!.data[i]!, 6));
});

it("an attack in training mode gets a gradient through the batch statistics", () => {
  const inputs = values({ x: [4, C], ...weightShapes });
  const { y } = layer.apply(inputs, inputs["x"]!, { training: true });
  const [g] = vjp([y], [inputs["x"]!], [inputs["x"]!]);
  const out = evaluate(inputs, { g: g! }, { x: randomArray(3, [4, C]), ...weightFeeds });
  for (let c = 0; c < C; c++) expect(mean(channel(out["g"]!, c))).toBeCloseTo(0, 9); // shifting a channel does nothing
});
