import { grad, withoutRules } from "temper/autodiff";
import { createRng } from "temper/core";
import { type Array64, createGraph, input, printGraph, simplify, type Value } from "temper/graph";
import { model, type ModelDefinition } from "temper/models";
import { initialize, type Mode } from "temper/nn";
import { add, evaluateGraph, mul, reduceSum } from "temper/ops";
import { describe, expect, it } from "vitest";
import { array, randomArray } from "./evaluate.ts";

const task = { inputShape: [1, 8, 8] as const, classes: 3 };
const nets = [
  ["preact-resnet-18", model("preact-resnet-18", task), ["conv1", "layer1", "layer1.0.conv1", "layer4.1"]],
  ["wide-resnet", model("wide-resnet", task, { depths: [1, 1, 1], widths: [4, 4, 8], stem: 4 }), ["conv1", "block1"]],
  ["small-cnn", model("small-cnn", task), ["conv1", "relu1", "fc1"]],
] as const;

const applied = (net: ModelDefinition, mode: Mode) => {
  const specs = { ...net.parameters, ...net.buffers };
  const x = input("x", "float64", [2, ...net.inputShape]);
  const weights = Object.fromEntries(Object.entries(specs).map(([n, { shape }]) => [n, input(n, "float64", shape)]));
  return { x, inputs: [x, ...Object.values(weights)], ...net.apply(weights, x, mode) };
};
const start = (net: ModelDefinition): Record<string, Array64> =>
  Object.fromEntries(
    Object.entries(initialize(net, createRng(1))).map(([name, { shape, data }]) => [name, array(shape, data)]),
  );

describe.each(nets)("taps of %s", (name, net, wanted) => {
  it("see every named part, inner ones first, and the identity changes nothing", () => {
    const seen: string[] = [];
    const tap = (part: string, v: Value): Value => {
      seen.push(part);
      return v;
    };
    const graphs = [{ training: true }, { training: true, tap }].map((mode) => {
      const { inputs, y, updates } = applied(net, mode);
      return printGraph(withoutRules(simplify(createGraph("g", inputs, { y, ...updates }))));
    });
    expect(graphs[1]).toBe(graphs[0]);
    expect(seen).toEqual(expect.arrayContaining([...wanted]));
    expect(seen.length).toBe(new Set(seen).size);
    for (const part of seen) {
      const inner = seen.filter((other) => other.startsWith(`${part}.`));
      expect(inner.every((other) => seen.indexOf(other) < seen.indexOf(part))).toBe(true);
    }
  });

  it("a zero added at a tap has the gradient of what is there", () => {
    const part = wanted[1];
    let there: Value | undefined, zero: Value | undefined;
    const tap = (at: string, v: Value): Value => {
      if (at !== part) return v;
      zero = input("zero", "float64", v.shape);
      there = add(v, zero);
      return there;
    };
    const { x, inputs, y } = applied(net, { training: false, tap });
    const cost = reduceSum(mul(y, y), [0, 1]);
    const [atZero, atTap] = grad(cost, [zero!, there!]);
    const graph = createGraph("g", [...inputs, zero!], { atZero: atZero!, atTap: atTap!, cost });
    const feeds = { ...start(net), x: randomArray(2, x.shape) };
    const at = (data: Float64Array): Record<string, Array64> =>
      evaluateGraph(graph, { ...feeds, zero: array(zero!.shape, data) });
    const size = zero!.shape.reduce((a, b) => a * b),
      found = at(new Float64Array(size));
    expect(found["atZero"]!.data).toEqual(found["atTap"]!.data);
    // the tap's value counts: a step there changes the cost by its gradient
    const direction = randomArray(3, [size]).data,
      h = 1e-5;
    const step = (sign: number): number => at(direction.map((v) => sign * h * v))["cost"]!.data[0]!;
    const slope = found["atTap"]!.data.reduce((s, g, i) => s + g * direction[i]!, 0);
    expect(slope).not.toBe(0);
    expect((step(1) - step(-1)) / (2 * h) / slope).toBeCloseTo(1, 4);
  });
});
