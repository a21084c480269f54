import { TemperError } from "temper/core";
import { customVjp, grad, hvp, jvp, overrideVjp, stopGradient, vjp } from "temper/autodiff";
import {
  type Array64,
  BATCH,
  createGraph,
  defineOp,
  emit,
  float32,
  type Graph,
  printGraph,
  trace,
  type Value,
} from "temper/graph";
import { add, evaluateGraph, exp, mul, reduceSum, relu, scale, sin, sub } from "temper/ops";
import { describe, expect, it } from "vitest";

const vector = (...values: number[]): Array64 => ({
  dtype: "float32",
  shape: [values.length],
  data: Float64Array.from(values),
});
const outputsOf = (graph: Graph, feeds: Record<string, Array64>): Record<string, number[]> =>
  Object.fromEntries(Object.entries(evaluateGraph(graph, feeds)).map(([name, a]) => [name, Array.from(a.data)]));
const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 10));
};

describe("grad, jvp, hvp", () => {
  it("agrees with closed forms of sum(x³ sin x)", () => {
    const graph = trace("f", { x: float32(3), v: float32(3) }, ({ x, v }) => {
      const y = reduceSum(mul(mul(mul(x, x), x), sin(x)), [0]);
      return { g: grad(y, [x])[0]!, j: jvp([y], [x], [v])[0]!, h: hvp(y, [x], [v])[0]! };
    });
    const x = [0.3, -1.2, 2.1],
      v = [1, 0.5, -2];
    const { g, j, h } = outputsOf(graph, { x: vector(...x), v: vector(...v) });
    const first = x.map((t) => 3 * t * t * Math.sin(t) + t ** 3 * Math.cos(t));
    const second = x.map((t) => 6 * t * Math.sin(t) + 6 * t * t * Math.cos(t) - t ** 3 * Math.sin(t));
    close(g!, first);
    close(j!, [first.reduce((s, f, i) => s + f * v[i]!, 0)]);
    close(
      h!,
      second.map((f, i) => f * v[i]!),
    );
  });

  it("reaches the fourth derivative of exp(2x)", () => {
    const graph = trace("f", { x: float32(2) }, ({ x }) => {
      let y = exp(scale(x, 2));
      for (let i = 0; i < 4; i++) y = grad(reduceSum(y, [0]), [x])[0]!;
      return y;
    });
    close(
      outputsOf(graph, { x: vector(0.1, -0.4) })["output"]!,
      [0.1, -0.4].map((t) => 16 * Math.exp(2 * t)),
    );
  });

  it("gives zeros, of the right shape, where nothing depends on x", () => {
    const graph = trace("f", { x: float32(BATCH, 2), z: float32(2) }, ({ x, z }) => grad(reduceSum(z, [0]), [x])[0]!);
    const { output } = evaluateGraph(graph, {
      x: { dtype: "float32", shape: [3, 2], data: new Float64Array(6) },
      z: vector(1, 2),
    });
    expect(output!.shape).toEqual([3, 2]);
    expect(Array.from(output!.data)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("sums over broadcast axes, the batch included", () => {
    const graph = trace(
      "f",
      { x: float32(BATCH, 2), b: float32(2) },
      ({ x, b }) => grad(reduceSum(mul(x, b), [0, 1]), [b])[0]!,
    );
    const x: Array64 = { dtype: "float32", shape: [3, 2], data: Float64Array.of(1, 2, 3, 4, 5, 6) };
    close(outputsOf(graph, { x, b: vector(1, 1) })["output"]!, [9, 12]);
  });

  it("differentiates by inner values as well as inputs", () => {
    const graph = trace("f", { x: float32(2) }, ({ x }) => {
      const hidden = mul(x, x);
      return grad(reduceSum(mul(hidden, hidden), [0]), [hidden])[0]!;
    });
    close(outputsOf(graph, { x: vector(2, 3) })["output"]!, [8, 18]);
  });

  it("refuses a gradient of more than one number, and a seed of another shape", () => {
    expect(() => trace("f", { x: float32(2) }, ({ x }) => grad(x, [x])[0]!)).toThrow(/wants a scalar, got \[2\]/);
    expect(() => trace("f", { x: float32(2), s: float32(3) }, ({ x, s }) => vjp([x], [s], [x])[0]!)).toThrow(
      /seed .* must be \[2\], got \[3\]/,
    );
  });
});

describe("customVjp and stopGradient", () => {
  it("uses the rule instead of the operators, in second order too", () => {
    const strange = customVjp(
      (x) => relu(x),
      ({ inputs: [x], g }) => [mul(g, mul(x!, x!))],
    ); // says f' = x²
    const graph = trace("f", { x: float32(3) }, ({ x }) => {
      const y = reduceSum(strange(x), [0]),
        [first] = grad(y, [x]);
      return { y, first: first!, second: grad(reduceSum(first!, [0]), [x])[0]! };
    });
    const { y, first, second } = outputsOf(graph, { x: vector(-1, 2, 3) });
    close(y!, [5]);
    close(first!, [1, 4, 9]);
    close(second!, [-2, 4, 6]);
  });

  it("overrides a named node of a graph", () => {
    const named = trace("f", { x: float32(2) }, ({ x }) => scale(emit(relu(x).node.op, [x], {}, "act"), 3));
    const through = overrideVjp(named, "act", ({ g }) => [g]);
    const gradient = createGraph("g", through.inputs, {
      g: grad(reduceSum(through.outputs["output"]!, [0]), [through.inputs[0]!])[0]!,
    });
    close(outputsOf(gradient, { x: vector(-1, 1) })["g"]!, [3, 3]);
    expect(() => overrideVjp(named, "nope", () => [])).toThrow(/no node "nope"/);
  });

  it("cuts the path", () => {
    const graph = trace("f", { x: float32(2) }, ({ x }) => grad(reduceSum(mul(x, stopGradient(x)), [0]), [x])[0]!);
    close(outputsOf(graph, { x: vector(5, 7) })["output"]!, [5, 7]);
  });
});

describe("missing rules", () => {
  const Mystery = defineOp({
    name: "Mystery",
    arity: [1, 1],
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    reference: ([x]) => [x],
  });
  const mystery = (x: Value): Value => emit(Mystery, [x], {}, "block3/odd");

  it("name the node, and only where a gradient flows through it", () => {
    const use = (side: (x: Value) => Value): Graph =>
      trace(
        "f",
        { x: float32(2), z: float32(2) },
        ({ x, z }) => grad(reduceSum(add(mul(x, x), side(z)), [0]), [x])[0]!,
      );
    close(outputsOf(use(mystery), { x: vector(1, 2), z: vector(0, 0) })["output"]!, [2, 4]);
    const through = (): Graph => trace("f", { x: float32(2) }, ({ x }) => grad(reduceSum(mystery(x), [0]), [x])[0]!);
    expect(through).toThrow(TemperError);
    expect(through).toThrow(/Mystery "block3\/odd" has no gradient rule/);
  });
});

it("prints a small gradient the same way every time", () => {
  const graph = trace("f", { x: float32(BATCH, 4), w: float32(4) }, ({ x, w }) => {
    const y = reduceSum(relu(sub(mul(x, w), w)), [0, 1]);
    return { g: grad(y, [w])[0]! };
  });
  expect(printGraph(graph)).toMatchSnapshot();
});
