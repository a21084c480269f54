import { f32, sizeOf } from "temper/core";
import {
  BATCH,
  concretize,
  constant,
  emit,
  float32,
  type Graph,
  graphNodes,
  ints,
  simplifyAlgebra,
  trace,
} from "temper/graph";
import {
  add,
  div,
  evaluateGraph,
  Expand,
  expandTo,
  full,
  mul,
  neg,
  Reshape,
  reshape,
  scalarLike,
  sub,
  transpose,
} from "temper/ops";
import { describe, expect, it } from "vitest";

const run = (graph: Graph, batch: number): unknown => {
  const feeds = graph.inputs.map(({ node, shape, dtype }) => {
    const real = concretize(shape, batch);
    const data = Float64Array.from({ length: sizeOf(real) }, (_, i) => [1.5, -0, 0, -2, Infinity, 1e-40][i % 6]!);
    return [node.name, { dtype, shape: real, data }] as const;
  });
  return evaluateGraph(graph, Object.fromEntries(feeds));
};
const operators = (graph: Graph): string[] =>
  graphNodes(graph)
    .map((node) => node.op.name)
    .filter((name) => name !== "Input" && name !== "Constant");

const types = { x: float32(BATCH, 3, 2), row: float32(BATCH, 1, 2), v: float32(1) };
type Build = Parameters<typeof trace<"x" | "row" | "v">>[2];
const ones = (...shape: number[]) => full(shape, 1);
const twice = (build: Build): Graph => trace("t", types, build);

describe("simplifyAlgebra", () => {
  const cases: readonly (readonly [string, readonly string[], Build])[] = [
    ["x · 1", [], ({ x }) => mul(x, ones(1, 3, 1))],
    ["1 · x", [], ({ x }) => mul(scalarLike(x, 1), x)],
    ["x / 1", [], ({ x }) => div(x, ones(2))],
    ["1 / x stays", ["Div"], ({ x }) => div(ones(2), x)],
    ["x · 2 stays", ["Mul"], ({ x }) => mul(x, full([1, 3, 1], 2))],
    ["a product with ones that widens stays", ["Mul"], ({ row }) => mul(row, ones(3, 1))],
    [
      "a number, expanded and reshaped",
      ["Mul"],
      ({ x, row }) => mul(reshape(expandTo(full([], 2), row), [BATCH, 1, 2]), x),
    ],
    [
      "a row that a reshape takes apart stays",
      ["Expand", "Reshape", "Reshape", "Mul"],
      ({ x, row }) => mul(reshape(expandTo(row, x), [BATCH, 2, 3]), reshape(x, [BATCH, 2, 3])),
    ],
    ["an expanded seed", [], ({ x }) => mul(x, expandTo(scalarLike(x, 1), x))],
    ["a broadcast that the product does", ["Mul"], ({ x, row }) => mul(x, expandTo(row, x))],
    ["one that the difference does", ["Sub"], ({ x, row }) => sub(expandTo(row, x), x)],
    ["two, of which one is needed", ["Expand", "Add"], ({ x, row }) => add(expandTo(row, x), expandTo(row, x))],
    ["the sign of a broadcast", ["Neg", "Expand"], ({ x, row }) => neg(expandTo(row, x))],
    ["reshape of a reshape", ["Reshape"], ({ x }) => reshape(reshape(x, [BATCH, 6]), [BATCH, 2, 3])],
    ["there and back", [], ({ x }) => reshape(reshape(x, [BATCH, 6]), [BATCH, 3, 2])],
    ["a reshape that does nothing", [], ({ x }) => emit(Reshape, [x, ints([-1, 3, 2])])],
    [
      "a 0 that copies stays",
      ["Reshape", "Reshape"],
      ({ x }) => emit(Reshape, [reshape(x, [BATCH, 6]), ints([0, 2, 3])]),
    ],
    ["transposed twice", ["Transpose"], ({ x }) => transpose(transpose(x, [1, 0, 2]), [0, 2, 1])],
    ["transposed back", [], ({ x }) => transpose(transpose(x, [1, 2, 0]), [2, 0, 1])],
  ];
  it.each(cases)("%s", (_, expected, build) => {
    const graph = twice(build),
      simple = simplifyAlgebra(graph);
    expect(operators(simple)).toEqual(expected);
    expect(Object.values(simple.outputs)[0]!.shape).toEqual(Object.values(graph.outputs)[0]!.shape);
    for (const batch of [1, 3]) expect(run(simple, batch)).toEqual(run(graph, batch)); // bits: -0, infinities
  });

  it("leaves the first operand's own broadcast alone", () => {
    const graph = twice(({ v }) => mul(emit(Expand, [v, ints([4])]), constant(f32([1], [1]))));
    expect(operators(simplifyAlgebra(graph))).toEqual(["Expand"]);
  });
});
