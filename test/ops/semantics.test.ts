import { grad, vjp } from "temper/autodiff";
import { f32, i64, type TemperError } from "temper/core";
import {
  type Array64,
  BATCH,
  constant,
  createGraph,
  elements,
  extentsOf,
  input,
  ints,
  type Shape,
  type Value,
} from "temper/graph";
import * as t from "temper/ops";
import { describe, expect, it } from "vitest";
import { run } from "./check.ts";

const array = (data: readonly number[], shape: readonly number[] = [data.length]): Array64 => ({
  dtype: "float32",
  shape,
  data: Float64Array.from(data),
});
const x = (...shape: number[]): Value => input("x", "float32", shape);
const sum = (v: Value): Value =>
  t.reduceSum(
    v,
    v.shape.map((_, i) => i),
  );
/** Gradient of the sum of f at a point. */
const slope = (f: (v: Value) => Value, ...at: number[]): number[] => {
  const v = x(at.length);
  return Array.from(run(grad(sum(f(v)), [v]), { x: array(at) })[0]!.data);
};
const value = (f: (v: Value) => Value, ...at: number[]): number[] =>
  Array.from(run([f(x(at.length))], { x: array(at) })[0]!.data);
const codeOf = (f: () => unknown): string | undefined => {
  try {
    f();
    return undefined;
  } catch (error) {
    return (error as TemperError).code;
  }
};
const dims = (...values: Value[]): Shape[] => values.map((v) => v.shape);

describe("gradients at kinks are those of PyTorch", () => {
  const zero = (v: Value): Value => t.scale(v, 0);
  it.each([
    ["relu", t.relu, 0],
    ["leakyRelu", (v: Value) => t.leakyRelu(v, 0.25), 0.25],
    ["abs", t.abs, 0],
    ["step", t.step, 0],
    ["maximum of equals", (v: Value) => t.maximum(v, zero(v)), 0.5],
    ["minimum of equals", (v: Value) => t.minimum(v, zero(v)), 0.5],
    ["maximum of three equals", (v: Value) => t.maximum(v, zero(v), zero(v)), 1 / 3],
    ["clip at its lower end", (v: Value) => t.clip(v, constant(f32([0], [])), undefined), 1],
    ["clip at its upper end", (v: Value) => t.clip(v, undefined, constant(f32([0], []))), 1],
    ["L2 norm of zero", (v: Value) => t.reduceL2(v, [0]), 0],
    ["L1 norm of zero", (v: Value) => t.reduceL1(v, [0]), 0],
  ])("%s", (_, f, expected) => {
    expect(slope(f, 0)[0]).toBeCloseTo(expected, 12);
  });

  it("extremes share among ties", () => {
    expect(slope((v) => t.reduceMax(v, [0]), 3, 1, 3)).toEqual([0.5, 0, 0.5]);
    expect(slope((v) => t.reduceMin(v, [0]), 3, 1, 3)).toEqual([0, 1, 0]);
  });
  it("products with zeros", () => {
    expect(slope((v) => t.reduceProd(v, [0]), 2, 0, 5)).toEqual([0, 10, 0]);
    expect(slope((v) => t.reduceProd(v, [0]), 2, 0, 0)).toEqual([0, 0, 0]);
  });
  it("powers at zero", () => {
    expect(slope((v) => t.powScalar(v, 0), 0, 2)).toEqual([0, 0]);
    expect(slope((v) => t.powScalar(v, 2), 0, 3)).toEqual([0, 6]);
    const p = x(2);
    const [byExponent] = grad(sum(t.pow(constant(f32([0, 2])), p)), [p]);
    const [atZero, atTwo] = run([byExponent!], { x: array([2, 3]) })[0]!.data;
    expect(atZero).toBe(0);
    expect(atTwo).toBeCloseTo(8 * Math.log(2), 12);
  });
});

describe("known values", () => {
  // Taylor series of erf (Abramowitz and Stegun 7.1.5) summed with 80 decimal digits, rounded to float64
  it.each([
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
    [-1, -0.8427007929497149],
    [7, 1],
  ])("erf(%f)", (at, expected) => {
    expect(Math.abs(value(t.erf, at)[0]! - expected)).toBeLessThan(3e-16);
  });
  it("erf has no seam between its two formulas", () => {
    const [below, above] = value(t.erf, 2.5 - 1e-12, 2.5);
    expect(above! - below!).toBeCloseTo((1e-12 * 2 * Math.exp(-6.25)) / Math.sqrt(Math.PI), 15);
  });
  it("functions that overflow naively do not", () => {
    expect(value(t.softplus, 1000, -1000)).toEqual([1000, 0]);
    expect(value(t.sigmoid, -1000, 1000)).toEqual([0, 1]);
    expect(value((v) => t.reduceLogSumExp(v, [0]), 1000, 1000)[0]).toBeCloseTo(1000 + Math.log(2), 10);
    expect(value((v) => t.reduceLogSumExp(v, [0]), -Infinity, -Infinity)).toEqual([-Infinity]);
    expect(value((v) => t.logSoftmax(v), 1000, 0)).toEqual([0, -1000]);
  });
  it("rounds half to even", () => {
    expect(value(t.round, 0.5, 1.5, -0.5, -1.5, 2.5).map((v) => v + 0)).toEqual([0, 2, 0, -2, 2]);
  });
  it("no number is larger than NaN", () => {
    expect(value((v) => t.reduceMax(v, [0]), 1, NaN, 2)).toEqual([NaN]);
    expect(value((v) => t.maximum(v, t.scalarLike(v, 0)), NaN, -1)).toEqual([NaN, 0]);
  });
});

describe("builders leave out what does nothing", () => {
  const v = x(2, 3);
  it.each([
    ["transpose", () => t.transpose(v, [0, 1])],
    ["slice", () => t.slice(v, [0], [3], [1])],
    ["pad", () => t.pad(v, [0, 0, 0, 0])],
    ["cast", () => t.cast(v, "float32")],
    ["concat", () => t.concat([v], 0)],
    ["expandTo", () => t.expandTo(v, v)],
  ])("%s", (_, f) => {
    expect(f()).toBe(v);
  });
});

describe("shapes with a symbolic batch", () => {
  const v = x(BATCH, 3, 4);
  const batch = t.shapeOf(v);

  it("follow through shape arithmetic", () => {
    // reshape(v, [shape(v)[0], 3 * 4]) the long way round
    const first = t.gather(batch, constant(i64([0])));
    const rest = t.reduceProd(t.slice(batch, [1], [3]), [0], true);
    const target = t.concat([first, t.squeeze(t.unsqueeze(rest, [0]), [0])], 0);
    expect(extentsOf(target)).toEqual([{ batches: 1 }, 12]);
  });
  it("follow through Where and Equal, as exporters write Expand", () => {
    const wanted = ints([-1, 3, 4]);
    const isFree = t.equal(wanted, ints([-1, -1, -1]));
    expect(extentsOf(t.where(isFree, batch, wanted))).toEqual([{ batches: 1 }, 3, 4]);
  });
  it("follow through floats, as exporters write Resize", () => {
    const sizes = t.cast(batch, "float32");
    const doubled = t.cast(t.floor(t.mul(sizes, constant(f32([1, 2.4, 2])))), "int64");
    expect(extentsOf(doubled)).toEqual([{ batches: 1 }, 7, 8]);
    expect(extentsOf(t.div(sizes, constant(f32([1, 2, 8]))))).toEqual([{ batches: 1 }, 1.5, 0.5]);
  });
  it("follow through Range, ConstantOfShape, Size and Split", () => {
    const count = t.squeeze(t.slice(batch, [0], [1]), [0]);
    expect(dims(t.rangeTo(count), t.constantOfShape(batch, f32([1])))).toEqual([[-1], [-1, 3, 4]]);
    expect(extentsOf(t.size(v))).toEqual([{ batches: 12 }]);
    expect(dims(t.concat([v, v], 0))).toEqual([[-2, 3, 4]]);
    expect(dims(...t.split(v, [1, 2], 1))).toEqual([
      [-1, 1, 4],
      [-1, 2, 4],
    ]);
  });
  it("are refused where a length would not be a number of batches", () => {
    expect(codeOf(() => t.slice(v, [1], [2 ** 40], [0]))).toBe("unsupported");
    expect(codeOf(() => t.slice(v, [0], [2], [0]))).toBe("unsupported");
    expect(codeOf(() => t.pad(v, [1, 0, 0, 0, 0, 0]))).toBe("unsupported");
    expect(codeOf(() => t.concat([v, x(2, 3, 4)], 0))).toBe("unsupported");
    expect(codeOf(() => t.topK(v, 1, 0))).toBe("unsupported");
  });
});

describe("what does not fit is refused", () => {
  const v = x(2, 3);
  const n = input("n", "int64", [2]);
  it.each([
    ["axis", () => t.softmax(v, 2), "bad-shape"],
    ["repeated axes", () => t.reduceMean(v, [0, -2]), "bad-shape"],
    ["permutation", () => t.transpose(v, [0, 0]), "bad-shape"],
    ["types", () => t.maximum(v, n), "bad-shape"],
    ["condition", () => t.where(v, v, v), "bad-shape"],
    ["squeeze", () => t.squeeze(v, [1]), "bad-shape"],
    ["split", () => t.split(v, [1, 1], 1), "bad-shape"],
    ["concat", () => t.concat([v, x(2, 4)], 0), "bad-shape"],
    ["step 0", () => t.slice(v, [0], [1], [0], [0]), "bad-shape"],
    ["constant index", () => t.gather(v, ints([3]), 1), "bad-shape"],
    ["float indices", () => t.gather(v, v), "bad-shape"],
    ["pads", () => t.pad(v, [1, 1]), "bad-shape"],
    ["top", () => t.topK(v, 4), "bad-shape"],
    ["huge fill", () => t.constantOfShape(ints([2 ** 30, 2 ** 30]), f32([0])), "bad-shape"],
    ["shape from data", () => t.constantOfShape(n, f32([0])), "unsupported"],
    ["updates", () => t.scatterElements(v, input("i", "int64", [2, 2]), v, 1), "bad-shape"],
  ])("%s", (_, f, code) => {
    expect(codeOf(f)).toBe(code);
  });
  it("an index out of range at run time", () => {
    const rows = t.gather(v, n);
    const feeds = { x: array([1, 2, 3, 4, 5, 6], [2, 3]), n: { ...array([0, 2]), dtype: "int64" as const } };
    expect(codeOf(() => run([rows], feeds))).toBe("bad-data");
  });
});

describe("evaluateGraph", () => {
  const v = input("x", "float32", [BATCH, 2]);
  const graph = createGraph("g", [v, input("y", "float32", [BATCH])], { out: t.relu(v) });

  it("runs internal operators without a reference through their decomposition", () => {
    const op = { ...t.ops.Step, reference: undefined } as unknown as typeof t.Step;
    const step = createGraph("g", [v], { out: { ...t.step(v) } });
    const node = { ...step.outputs["out"]!.node, op, outputs: [] as Value[] };
    node.outputs.push({ ...step.outputs["out"]!, node });
    const out = t.evaluateGraph({ ...step, outputs: { out: node.outputs[0]! } }, { x: array([1, -1], [1, 2]) });
    expect(Array.from(out["out"]!.data)).toEqual([1, 0]);
  });
  it("refuses missing inputs, wrong shapes and batch sizes that differ", () => {
    const good = { x: array([1, 2, 3, 4], [2, 2]), y: array([1, 2]) };
    expect(t.evaluateGraph(graph, good)["out"]!.shape).toEqual([2, 2]);
    expect(codeOf(() => t.evaluateGraph(graph, { x: good.x }))).toBe("not-found");
    expect(codeOf(() => t.evaluateGraph(graph, { ...good, x: array([1, 2, 3], [1, 3]) }))).toBe("bad-shape");
    expect(codeOf(() => t.evaluateGraph(graph, { ...good, y: array([1, 2, 3]) }))).toBe("bad-shape");
  });
  it("says which node it cannot run", () => {
    const op = { ...t.Relu, name: "Mystery", reference: undefined } as unknown as typeof t.Relu;
    const y = { ...t.relu(v) };
    const node = { ...y.node, op, outputs: [] as Value[] };
    node.outputs.push({ ...y, node });
    const strange = createGraph("g", [v], { out: node.outputs[0]! });
    expect(() => t.evaluateGraph(strange, { x: array([1, 2], [1, 2]) })).toThrow(/Mystery has no float64 reference/);
  });
});

it("the gradient of Relu masks by its output, so that the runtime can fuse the operator before it", () => {
  const v = x(2);
  const y = t.relu(v);
  const [g] = vjp([y], [input("g", "float32", [2])], [v]);
  const mask = g!.node.inputs[1]!;
  expect([g!.node.op.name, mask.node.op.name]).toEqual(["Mul", "Step"]);
  expect(mask.node.inputs[0]).toBe(y);
  expect(elements(g!.shape)).toBe(2);
});
