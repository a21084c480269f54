// Small models that use every part of the format, made here: seeds for damaged files and subjects of the tests.
import { tensorToProto } from "temper/onnx";
import { createRng, f32, i64 } from "temper/core";

const text = (value) => new TextEncoder().encode(value);
const FLOAT = 1;
const BOOL = 9;

const info = (name, elemType, dims) => ({
  name,
  type: {
    tensorType: {
      elemType,
      shape: { dim: dims.map((d) => (typeof d === "string" ? { dimParam: d } : { dimValue: d })) },
    },
  },
});
const node = (opType, input, output, attribute = [], more = {}) => ({
  input,
  output,
  name: `${opType}_${output[0]}`,
  opType,
  ...(attribute.length > 0 ? { attribute } : {}),
  ...more,
});
const attr = {
  int: (name, i) => ({ name, i, type: 2 }),
  ints: (name, ints) => ({ name, ints, type: 7 }),
  float: (name, f) => ({ name, f, type: 1 }),
  text: (name, value) => ({ name, s: text(value), type: 3 }),
  tensor: (name, t) => ({ name, t, type: 4 }),
  graph: (name, g) => ({ name, g, type: 5 }),
};
const model = (graph, more = {}) => ({
  irVersion: 8,
  producerName: "temper",
  opsetImport: [{ domain: "", version: 17 }],
  graph: { name: "sample", ...graph },
  ...more,
});

const normals = (seed, shape) => {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  createRng(seed).fillNormal(data, 0, 0.5);
  return f32(data, shape);
};
/** Varints of small non-negative numbers. */
const varints = (values) => Uint8Array.from(values);
const floatBytes = (values) => new Uint8Array(Float32Array.from(values).buffer);

/** Convolution, dense layer, raw tensors. x [N, 1, 8, 8] -> [N, 3]. */
const convolution = () =>
  model(
    {
      node: [
        node("Conv", ["x", "w", "b"], ["c"], [attr.ints("kernel_shape", [3, 3]), attr.ints("strides", [2, 2])]),
        node("Relu", ["c"], ["r"]),
        node("Flatten", ["r"], ["f"], [attr.int("axis", 1)]),
        node("Gemm", ["f", "v"], ["y"], [attr.float("alpha", 0.5), attr.int("transB", 1)]),
      ],
      initializer: [
        tensorToProto("w", normals(1, [4, 1, 3, 3])),
        tensorToProto("b", normals(2, [4])),
        tensorToProto("v", normals(3, [3, 36])),
      ],
      input: [info("x", FLOAT, ["N", 1, 8, 8])],
      output: [info("y", FLOAT, ["N", 3])],
      valueInfo: [info("c", FLOAT, ["N", 4, 3, 3])],
      docString: "größer als ASCII: 模型 🙂",
    },
    { metadataProps: [{ key: "input range", value: "0..1" }], modelVersion: -3, docString: "" },
  );

/** The old fields for values: floatData, int64Data, int32Data (bool, float16), doubleData, a Constant. x [2, 6] -> [3, 4]. */
const typedFields = () =>
  model({
    node: [
      node(
        "Constant",
        [],
        ["half"],
        [attr.tensor("value", { dims: [1], dataType: 10, int32Data: varints([0x80, 0x78]) })],
      ),
      node("Cast", ["half"], ["one"], [attr.int("to", FLOAT)]),
      node("Cast", ["wide"], ["narrow"], [attr.int("to", FLOAT)]),
      node("Reshape", ["x", "shape"], ["r"]),
      node("Where", ["mask", "r", "narrow"], ["m"]),
      node("Mul", ["m", "scale"], ["s"]),
      node("Add", ["s", "one"], ["y"]),
    ],
    initializer: [
      { dims: [4], dataType: FLOAT, floatData: floatBytes([0.5, -1, 2, 3]), name: "scale" },
      { dims: [2], dataType: 7, int64Data: varints([3, 4]), name: "shape" },
      { dims: [4], dataType: BOOL, int32Data: varints([1, 0, 1, 0]), name: "mask" },
      { dims: [1], dataType: 11, doubleData: new Uint8Array(Float64Array.of(0.25).buffer), name: "wide" },
    ],
    input: [info("x", FLOAT, [2, 6])],
    output: [info("y", FLOAT, [3, 4])],
  });

/** A Loop with an If inside, which uses values of both graphs around it. x [4] -> [4]. */
const control = () => {
  const branch = (name, op) => ({
    name,
    node: [node(op, ["state", "step"], [`${name}_out`])],
    output: [info(`${name}_out`, FLOAT, [4])],
  });
  const body = {
    name: "body",
    node: [
      node("Greater", ["sum_before", "limit"], ["big"]),
      node(
        "If",
        ["big"],
        ["next"],
        [attr.graph("then_branch", branch("less", "Sub")), attr.graph("else_branch", branch("more", "Add"))],
      ),
      node("ReduceSum", ["next"], ["sum_after"], [attr.int("keepdims", 0)]),
      node("Identity", ["go"], ["go_on"]),
    ],
    initializer: [tensorToProto("limit", f32([3], []))],
    input: [info("i", 7, []), info("go", BOOL, []), info("state", FLOAT, [4]), info("sum_before", FLOAT, [])],
    output: [info("go_on", BOOL, []), info("next", FLOAT, [4]), info("sum_after", FLOAT, [])],
  };
  return model({
    node: [
      node("ReduceSum", ["x"], ["start"], [attr.int("keepdims", 0)]),
      node("Loop", ["trips", "", "x", "start"], ["y", "end"], [attr.graph("body", body)]),
    ],
    initializer: [tensorToProto("trips", i64([5], [])), tensorToProto("step", f32([0.25, 0.5, 0.75, 1]))],
    input: [info("x", FLOAT, [4])],
    output: [info("y", FLOAT, [4]), info("end", FLOAT, [])],
  });
};

/** Two functions, one calling the other, with an attribute handed down. x [3] -> [3]. */
const functions = () => {
  const opsetImport = [
    { domain: "", version: 17 },
    { domain: "local", version: 1 },
  ];
  const scaled = {
    name: "Scaled",
    domain: "local",
    input: ["a"],
    output: ["b"],
    attribute: ["factor"],
    opsetImport,
    node: [
      node("Constant", [], ["k"], [{ name: "value_float", refAttrName: "factor", type: 1 }]),
      node("Mul", ["a", "k"], ["b"]),
    ],
  };
  const twice = {
    name: "Twice",
    domain: "local",
    input: ["a"],
    output: ["c"],
    attributeProto: [attr.float("outer", 3)],
    opsetImport,
    node: [
      node("Scaled", ["a"], ["b"], [{ name: "factor", refAttrName: "outer", type: 1 }], { domain: "local" }),
      node("Scaled", ["b"], ["c"], [attr.float("factor", -0.5)], { domain: "local" }),
    ],
  };
  return model(
    {
      node: [node("Twice", ["x"], ["y"], [attr.float("outer", 7)], { domain: "local" })],
      input: [info("x", FLOAT, [3])],
      output: [info("y", FLOAT, [3])],
    },
    { opsetImport, functions: [scaled, twice] },
  );
};

/** A sparse initializer, 64-bit extremes in attributes, optional inputs. x [3, 4] -> [1, 5]. */
const sparse = () =>
  model({
    node: [
      node("Slice", ["x", "from", "to", "axes"], ["s"]),
      node("MatMul", ["s", "matrix"], ["m"]),
      node("Clip", ["m", "", "top"], ["y"]),
    ],
    initializer: [
      tensorToProto("from", i64([-1])),
      { dims: [1], dataType: 7, name: "to", int64Data: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 127) },
      tensorToProto("axes", i64([0])),
      tensorToProto("top", f32([1.5], [])),
    ],
    sparseInitializer: [
      { values: tensorToProto("matrix", f32([1, -2, 3])), indices: tensorToProto("", i64([0, 7, 19])), dims: [4, 5] },
    ],
    input: [info("x", FLOAT, [3, 4])],
    output: [info("y", FLOAT, [1, 5])],
  });

/** Strings, sequences and optional values: kept, not computed with. x [2] -> y [2]. */
const otherTypes = () =>
  model({
    node: [
      node("Identity", ["x"], ["y"], [], { docString: "kept", metadataProps: [{ key: "k", value: "v" }] }),
      node("SequenceConstruct", ["x", "x"], ["list"]),
      node(
        "Constant",
        [],
        ["words"],
        [attr.tensor("value", { dims: [2], dataType: 8, stringData: [text("a"), text("")] })],
      ),
    ],
    input: [info("x", FLOAT, [2])],
    output: [
      info("y", FLOAT, [2]),
      { name: "list", type: { sequenceType: { elemType: { tensorType: { elemType: FLOAT } } } } },
    ],
  });

/** Name -> model with the shape of its input `x`. */
export const sampleModels = () => ({
  convolution: { model: convolution(), input: [2, 1, 8, 8] },
  typedFields: { model: typedFields(), input: [2, 6] },
  control: { model: control(), input: [4] },
  functions: { model: functions(), input: [3] },
  sparse: { model: sparse(), input: [3, 4] },
  otherTypes: { model: otherTypes(), input: [2] },
});
