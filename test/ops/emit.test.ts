import { customVjp } from "temper/autodiff";
import { f32, i64, scalar } from "temper/core";
import {
  attr,
  BATCH,
  constant,
  createGraph,
  defineOp,
  emit,
  emitAll,
  float32,
  type Graph,
  trace,
  type Value,
} from "temper/graph";
import { concatChunks, decodeModel, encodeModel, validateModel } from "temper/onnx";
import { add, decomposeInternal, evaluateGraph, importModel, mul, neg, ops, toOnnx } from "temper/ops";
import { describe, expect, it } from "vitest";
import { difference, randomTensor, runModel } from "./model-file.ts";
import { errorOf } from "../errors.ts";

/** Runs a graph from its file and in float64 by the operators' references. */
const fileError = async (graph: Graph, batch = 2): Promise<number> => {
  const feeds = Object.fromEntries(
    graph.inputs.map((v, i) => [
      v.node.name,
      randomTensor(
        v.dtype,
        v.shape.map((d) => (d < 0 ? -d * batch : d)),
        i + 1,
      ),
    ]),
  );
  const model = toOnnx(graph);
  validateModel(model);
  const arrays = Object.entries(feeds).map(([name, { dtype, shape, data }]) => {
    const numbers = Float64Array.from(data as Float32Array, Number);
    return [name, { dtype, shape, data: numbers }] as const;
  });
  const expected = evaluateGraph(graph, Object.fromEntries(arrays));
  return difference(expected, await runModel(model, feeds));
};

const x32 = { x: float32(BATCH, 3) };

describe("names", () => {
  it("inputs, outputs and unique nodes keep theirs; others become unique", () => {
    const graph = trace("g", x32, ({ x }) => {
      const a = emit(ops.Relu, [x], {}, "layer");
      const b = emit(ops.Relu, [neg(a)], {}, "layer");
      return { y: add(neg(a), b), layer_output_0: b };
    });
    const { node, input, output } = toOnnx(graph).graph!;
    expect(input!.map((v) => v.name)).toEqual(["x"]);
    expect(output!.map((v) => v.name)).toEqual(["y", "layer_output_0"]);
    expect(node!.map((n) => n.name).filter(Boolean)).toEqual(["layer", "layer_1"]);
    const outputs = node!.flatMap((n) => n.output!);
    expect(new Set(outputs).size).toBe(outputs.length);
    expect(node![0]!.output).toEqual(["layer_output_0_1"]); // the wish is taken by a graph output
  });

  it("survive writing, reading and writing", () => {
    const graph = trace("g", x32, ({ x }) => ({
      y: emit(ops.Relu, [mul(x, constant(f32([1, 2, 3]), "w"))], {}, "act"),
    }));
    const bytes = concatChunks(encodeModel(toOnnx(graph)));
    const again = importModel(decodeModel(bytes));
    expect(Object.keys(again.parameters)).toEqual(["w"]);
    expect(concatChunks(encodeModel(toOnnx(again.graph))).length).toBeGreaterThan(0);
    expect(toOnnx(again.graph).graph!.node!.map((n) => n.name)).toEqual([
      toOnnx(graph).graph!.node![0]!.output![0],
      "act",
    ]);
  });

  it("an output with the name of another input is refused", () => {
    const graph = trace("g", { x: float32(2), y: float32(2) }, ({ x }) => ({ y: neg(x) }));
    expect(errorOf(() => toOnnx(graph))).toMatchObject({ code: "bad-graph", message: expect.stringContaining('"y"') });
  });
});

describe("outputs", () => {
  it("that are inputs, constants or given twice are copies", async () => {
    const graph = trace("g", x32, ({ x }) => {
      const c = constant(f32([7, 8]));
      const y = neg(x);
      return { x, same: x, c, c2: c, y, z: y };
    });
    expect(toOnnx(graph).graph!.node!.filter((n) => n.opType === "Identity")).toHaveLength(4);
    expect(await fileError(graph)).toBe(0);
  });

  it("of a node are left out where they are optional and nobody reads them", () => {
    const graph = trace("g", { x: float32(BATCH, 6, 4, 4) }, ({ x }) => {
      const [, middle] = emitAll(ops.Split, [x, constant(i64([1, 2, 3]))], { axis: 1 });
      return emitAll(ops.MaxPool, [middle], { kernel_shape: [2, 2] })[0]!;
    });
    const [split, pool] = toOnnx(graph).graph!.node!;
    expect(split!.output).toHaveLength(3);
    expect(pool!.output).toEqual(["output"]);
  });
});

describe("constants", () => {
  it("are shared by tensor object and keep their data", () => {
    const w = f32([1, 2, 3]);
    const graph = trace("g", x32, ({ x }) => add(mul(x, constant(w, "w")), add(constant(w), constant(f32([1, 2, 3])))));
    const { initializer } = toOnnx(graph).graph!;
    expect(initializer!.map((t) => t.name)).toEqual(["w", "constant"]);
    expect(initializer![0]!.rawData!.buffer).toBe(w.data.buffer);
  });
  it("of every element type are written", async () => {
    const types = ["float32", "float64", "int32", "int64", "uint8", "int8", "bool"] as const;
    const made = {
      float32: Float32Array,
      float64: Float64Array,
      int32: Int32Array,
      uint8: Uint8Array,
      int8: Int8Array,
      bool: Uint8Array,
    };
    const graph = createGraph(
      "g",
      [],
      Object.fromEntries(
        types.map((dtype) => [
          dtype,
          constant(dtype === "int64" ? i64([1, 0]) : ({ dtype, shape: [2], data: made[dtype].of(1, 0) } as never)),
        ]),
      ),
    );
    const results = await runModel(toOnnx(graph), {});
    for (const dtype of types) expect(Array.from(results[dtype]!.data)).toEqual([1, 0]);
  });
});

describe("shapes and attributes", () => {
  it("the batch is N, multiples of it kN", () => {
    const graph = trace("g", { x: float32(BATCH, 2) }, ({ x }) => emit(ops.Reshape, [x, constant(i64([-1]))]));
    const { input, output } = toOnnx(graph).graph!;
    expect(input![0]!.type!.tensorType!.shape!.dim).toEqual([{ dimParam: "N" }, { dimValue: 2 }]);
    expect(output![0]!.type!.tensorType!.shape!.dim).toEqual([{ dimParam: "2N" }]);
  });
  it("attributes that hold their default are left out, others typed by the record", () => {
    const graph = trace("g", x32, ({ x }) =>
      emit(ops.Softmax, [emit(ops.LeakyRelu, [emit(ops.LeakyRelu, [x], { alpha: 0.5 })], { alpha: 0.01 })], {
        axis: 1,
      }),
    );
    const [first, second, third] = toOnnx(graph).graph!.node!;
    expect(first!.attribute).toEqual([{ name: "alpha", type: 1, f: 0.5 }]);
    expect(second!.attribute).toBeUndefined();
    expect(third!.attribute).toEqual([{ name: "axis", type: 2, i: 1 }]);
  });
  it("model fields", () => {
    const graph = trace("net", x32, ({ x }) => neg(x));
    const model = toOnnx(graph, { metadata: { range: "0,1" }, producer: "me", opset: 21, irVersion: 10 });
    expect(model).toMatchObject({ irVersion: 10, producerName: "me", opsetImport: [{ domain: "", version: 21 }] });
    expect(model.metadataProps).toEqual([{ key: "range", value: "0,1" }]);
    expect(toOnnx(graph)).toMatchObject({ irVersion: 9, opsetImport: [{ domain: "", version: 20 }] });
    expect(errorOf(() => toOnnx(graph, { opset: 13 })).code).toBe("bad-option");
  });
});

const Doubled = defineOp({
  name: "Doubled",
  domain: "temper",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  reference: ([x]) => [{ ...x, data: x.data.map((v) => 2 * v) }],
  decompose: (_, [x]) => [add(x, x)],
});
const Quadrupled = defineOp({
  name: "Quadrupled",
  domain: "temper",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  reference: ([x]) => [{ ...x, data: x.data.map((v) => 4 * v) }],
  decompose: (_, [x]) => [emit(Doubled, [emit(Doubled, [x])])],
});
const Stuck = defineOp({
  name: "Stuck",
  domain: "temper",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
});
const Endless: typeof Stuck = defineOp({
  name: "Endless",
  domain: "temper",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  decompose: (_, [x]): readonly Value[] => [emit(Endless, [x])],
});
const Foreign = defineOp({
  name: "QuickGelu",
  domain: "com.microsoft",
  arity: [1, 1],
  attributes: { alpha: attr.float() },
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
});

describe("internal and foreign operators", () => {
  it("internal ones are written out to the last", async () => {
    const graph = trace("g", x32, ({ x }) => emit(Quadrupled, [x]));
    const names = (g: Graph): string[] => toOnnx(g).graph!.node!.map((n) => n.opType!);
    expect(names(graph)).toEqual(["Add", "Add"]);
    expect(names(decomposeInternal(graph))).toEqual(["Add", "Add"]);
    expect(await fileError(graph)).toBe(0);
  });
  it("customVjp leaves no trace", () => {
    const straight = customVjp(
      (v: Value) => emit(ops.Sign, [v]),
      ({ g }) => [g],
    );
    const graph = trace("g", x32, ({ x }) => straight(x));
    expect(toOnnx(graph).graph!.node!.map((n) => n.opType)).toEqual(["Sign"]);
  });
  it("one without a decomposition is refused by name, an endless one ends", () => {
    const over = (op: typeof Stuck): Graph => trace("g", x32, ({ x }) => emit(op, [x], {}, "odd"));
    expect(errorOf(() => toOnnx(over(Stuck))).message).toContain('Stuck "odd"');
    expect(errorOf(() => toOnnx(over(Endless))).code).toBe("bad-graph");
  });
  it("other domains only where they are allowed", async () => {
    const graph = trace("g", x32, ({ x }) => emit(Foreign, [x], { alpha: 1.5 }, "gelu"));
    const error = errorOf(() => toOnnx(graph));
    expect(error.code).toBe("unsupported");
    expect(error.message).toMatch(/QuickGelu "gelu".*com\.microsoft/);
    const model = toOnnx(graph, { domains: { "com.microsoft": 1, unused: 3 } });
    expect(model.opsetImport).toEqual([
      { domain: "", version: 20 },
      { domain: "com.microsoft", version: 1 },
    ]);
    expect((await runModel(model, { x: f32([0, 0, 0], [1, 3]) }))["output"]!.data[0]).toBe(0);
  });
});

const Loop = defineOp({
  name: "Loop",
  arity: [2, Infinity],
  attributes: { body: attr.graph() },
  infer: ([, , state]) => [{ dtype: state.dtype, shape: state.shape }],
});

describe("sub-graphs", () => {
  it("are written with names of their own and constants inside", async () => {
    const bool = { dtype: "bool", shape: [] } as const;
    const body = trace("body", { i: { dtype: "int64", shape: [] }, going: bool, x: float32(2) }, ({ going, x }) => ({
      still: emit(ops.Identity, [going]),
      // an internal operator and a name that the graph around has too
      x: emit(Doubled, [mul(x, constant(f32([1, 3])))]),
    }));
    const graph = trace("g", { x: float32(2) }, ({ x }) =>
      emit(Loop, [constant(i64([3], [])), constant({ dtype: "bool", shape: [], data: Uint8Array.of(1) }), x], { body }),
    );
    const model = toOnnx(graph);
    validateModel(model);
    const inner = model.graph!.node![0]!.attribute![0]!.g!;
    expect(inner.initializer).toHaveLength(1);
    expect(inner.input!.map((v) => v.name)).not.toContain("x");
    const { output } = await runModel(model, { x: f32([1, 1]) });
    expect(Array.from(output!.data)).toEqual([8, 216]);
  });
});

it("scalars and empty optional inputs", async () => {
  const graph = trace("g", x32, ({ x }) => emit(ops.Clip, [x, undefined, constant(scalar(0.25))]));
  expect(toOnnx(graph).graph!.node![0]!.input).toEqual(["x", "", "constant"]);
  expect(await fileError(graph)).toBe(0);
});

it("a long chain is written in order and linear time", () => {
  const graph = trace("g", x32, ({ x }) => {
    let v = x;
    for (let i = 0; i < 20_000; i++) v = neg(v);
    return v;
  });
  const { node } = toOnnx(graph).graph!;
  expect(node).toHaveLength(20_000);
  expect(node![9_999]!.input).toEqual(node![9_998]!.output);
});
