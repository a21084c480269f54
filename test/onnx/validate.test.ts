import {
  type AttributeProto,
  attributeField,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  tensorToProto,
  validateModel,
} from "temper/onnx";
import { describe, expect, it } from "vitest";
import { sampleModels } from "../../scripts/mutate/sample-models.mjs";

const type = { tensorType: { elemType: 1 } };
const relu = (input: string, output: string, more: NodeProto = {}): NodeProto => ({
  opType: "Relu",
  name: `to_${output}`,
  input: [input],
  output: [output],
  ...more,
});
const tensor = tensorToProto("w", { dtype: "float32", shape: [1], data: Float32Array.of(1) });
/** x -> y by two nodes. */
const good: GraphProto = {
  name: "g",
  node: [relu("x", "a"), relu("a", "y")],
  input: [{ name: "x", type }],
  output: [{ name: "y", type }],
};
const modelOf = (graph: GraphProto, more: ModelProto = {}): ModelProto => ({
  irVersion: 8,
  opsetImport: [{ version: 17 }],
  graph: { ...good, ...graph },
  ...more,
});
const node = (more: NodeProto): ModelProto => modelOf({ node: [relu("x", "y", more)] });
const attribute = (more: AttributeProto): ModelProto => node({ attribute: [{ name: "k", ...more }] });
const body = (graph: GraphProto): ModelProto =>
  modelOf({
    node: [relu("x", "a"), { opType: "If", input: ["a"], output: ["y"], attribute: [{ name: "k", g: graph }] }],
  });
const fn = (name: string, calls: readonly string[], more: FunctionProto = {}): FunctionProto => ({
  name,
  domain: "f",
  input: ["a"],
  output: [`b${calls.length}`],
  opsetImport: [{ version: 17 }, { domain: "f", version: 1 }],
  node: [relu("a", "b0"), ...calls.map((opType, i) => relu(`b${i}`, `b${i + 1}`, { opType, domain: "f" }))],
  ...more,
});
const withFunctions = (functions: readonly FunctionProto[], call = functions[0]!.name!): ModelProto =>
  modelOf(
    { node: [relu("x", "y", { opType: call, domain: "f" })] },
    { opsetImport: [{ version: 17 }, { domain: "f", version: 1 }], functions },
  );

it("accepts what is right", () => {
  for (const { model } of Object.values(sampleModels())) validateModel(model);
  validateModel(modelOf({}));
  validateModel(modelOf({ initializer: [{ ...tensor, name: "x" }] })); // the default of an input
  validateModel(modelOf({}, { irVersion: 1, opsetImport: [] })); // files older than operator sets
  validateModel(modelOf({}, { opsetImport: [{ version: 17 }, { domain: "ai.onnx", version: 17 }] }));
  validateModel(node({ input: ["x", ""], output: ["y", "", ""], domain: "ai.onnx" }));
  validateModel(attribute({ type: 7 })); // an empty list
  validateModel(attribute({ i: 1 })); // the first files gave no type
  validateModel(body({ node: [relu("a", "y")], output: [{ name: "y" }] })); // inner names may hide outer ones
  validateModel(body({ output: [{ name: "a" }] }));
  validateModel(withFunctions([fn("A", ["B", "B"]), fn("B", []), fn("B", ["B"], { overload: "two" })]));
});

describe("refuses, naming node and value", () => {
  it.each<[string, ModelProto, string]>([
    ["no version", modelOf({}, { irVersion: 0 }), "The model has IR version 0. Is it an ONNX file?"],
    ["no graph", { irVersion: 8, opsetImport: [{ version: 1 }] }, "The model has no graph."],
    ["no operator set", modelOf({}, { opsetImport: [] }), "The model imports no operator set."],
    ["version 0 of one", modelOf({}, { opsetImport: [{ version: 0 }] }), 'domain "" in version 0'],
    [
      "two versions of one",
      modelOf({}, { opsetImport: [{ version: 9 }, { domain: "ai.onnx", version: 8 }] }),
      "in versions 9 and 8",
    ],
    ["an input without type", modelOf({ input: [{ name: "x" }] }), 'graph.input[0] "x" has no type.'],
    ["an input without name", modelOf({ input: [{ type }] }), "graph.input[0] has no name."],
    [
      "an input twice",
      modelOf({
        input: [
          { name: "x", type },
          { name: "x", type },
        ],
      }),
      'graph.input[1] "x" has the name of an earlier value.',
    ],
    [
      "an input of two types",
      modelOf({ input: [{ name: "x", type: { ...type, sequenceType: {} } }] }),
      'graph.input[0] "x" has 2 types instead of one.',
    ],
    [
      "an unknown element type",
      modelOf({ output: [{ name: "y", type: { tensorType: { elemType: 99 } } }] }),
      "there is no data type 99",
    ],
    [
      "an element type in a sequence",
      modelOf({ valueInfo: [{ name: "v", type: { sequenceType: { elemType: { tensorType: {} } } } }] }),
      'graph.valueInfo[0] "v": there is no data type (none)',
    ],
    [
      "a dimension of -5",
      modelOf({ input: [{ name: "x", type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: -5 }] } } } }] }),
      'graph.input[0] "x" has dimension -5.',
    ],
    ["an unknown output", modelOf({ output: [{ name: "z" }] }), 'graph.output[0] "z" is produced by nothing.'],
    [
      "use before definition",
      modelOf({ node: [relu("a", "y"), relu("x", "a")] }),
      'graph.node[0] (Relu "to_y") uses "a", which nothing before it defines.',
    ],
    ["use of its own output", modelOf({ node: [relu("y", "y")] }), 'uses "y"'],
    [
      "a value defined twice",
      modelOf({ node: [relu("x", "y"), relu("x", "y")] }),
      'graph.node[1] (Relu "to_y"): output "y" has the name of an earlier value.',
    ],
    ["a value named as an input", modelOf({ node: [relu("x", "x")] }), 'output "x" has the name'],
    [
      "a value named as an initializer",
      modelOf({ initializer: [{ ...tensor, name: "y" }] }),
      'output "y" has the name',
    ],
    ["no operator", node({ opType: "" }), 'graph.node[0] (no operator "to_y") has no operator.'],
    ["a foreign domain", node({ domain: "com.x" }), 'is of domain "com.x", not imported.'],
    [
      "neither inputs nor outputs",
      modelOf({ node: [...good.node!, { opType: "No" }] }),
      "graph.node[2] (No) has neither inputs nor outputs.",
    ],
    [
      "an initializer without name",
      modelOf({ initializer: [{ ...tensor, name: "" }] }),
      "graph.initializer[0] has no name.",
    ],
    [
      "an initializer twice",
      modelOf({ initializer: [tensor, tensor] }),
      'graph.initializer[1] "w" has the name of an earlier value.',
    ],
    [
      "an initializer of wrong size",
      modelOf({ initializer: [{ ...tensor, dims: [2] }] }),
      'tensor "w", float [2], needs 8 bytes in rawData, got 4.',
    ],
    [
      "an external one without location",
      modelOf({ initializer: [{ name: "w", dims: [1], dataType: 1, dataLocation: 1 }] }),
      "no location says in which",
    ],
    [
      "a sparse one without indices",
      modelOf({ sparseInitializer: [{ values: tensor, dims: [9] }] }),
      'sparse tensor "w": it has no indices.',
    ],
    ["an attribute without name", node({ attribute: [{ i: 1, type: 2 }] }), "attribute 0 has no name."],
    [
      "an attribute twice",
      node({
        attribute: [
          { name: "k", i: 1 },
          { name: "k", f: 1 },
        ],
      }),
      'has two attributes "k".',
    ],
    ["an attribute of two values", attribute({ i: 1, f: 1 }), 'attribute "k" has two values, f and i.'],
    ["an attribute of another type", attribute({ i: 1, type: 1 }), "says that its value is in f, but has i."],
    ["an attribute of unknown type", attribute({ type: 15 }), "has type 15, which does not exist."],
    ["an attribute without anything", attribute({}), "has neither type nor value."],
    ["an attribute without its tensor", attribute({ type: 4 }), "has no t."],
    [
      "a bad tensor in an attribute",
      attribute({ type: 4, t: { dims: [1], dataType: 1 } }),
      'graph.node[0] (Relu "to_y"): attribute "k" [1] needs 1 elements',
    ],
    [
      "a reference outside a function",
      attribute({ type: 2, refAttrName: "q" }),
      "refers to a function's attribute, outside one.",
    ],
    [
      "a sub-graph's unknown value",
      body({ node: [relu("q", "b")] }),
      'graph.node[1].attribute[0].g.node[0] (Relu "to_b") uses "q"',
    ],
    [
      "a sub-graph's use of a later value",
      body({ node: [relu("y", "b")] }),
      'uses "y", which nothing before it defines',
    ],
    [
      "a sub-graph's value twice",
      body({ node: [relu("a", "b"), relu("a", "b")] }),
      'g.node[1] (Relu "to_b"): output "b"',
    ],
    [
      "a sub-graph's output",
      body({ output: [{ name: "q" }] }),
      'graph.node[1].attribute[0].g.output[0] "q" is produced by nothing.',
    ],
    [
      "inner values outside",
      modelOf({ node: [...body({ node: [relu("a", "b")] }).graph!.node!, relu("b", "c")] }),
      'graph.node[2] (Relu "to_c") uses "b"',
    ],
    ["a function twice", withFunctions([fn("A", []), fn("A", [])]), 'function "f.A" is defined twice.'],
    ["a function without name", withFunctions([fn("", [])]), "has no name."],
    [
      "a function without operators",
      withFunctions([fn("A", [], { opsetImport: [] })]),
      'function "f.A" imports no operator set.',
    ],
    [
      "a function's output",
      withFunctions([fn("A", [], { output: ["q"] })]),
      'function "f.A": output "q" is produced by nothing.',
    ],
    [
      "a function's free value",
      withFunctions([fn("A", [], { input: [] })]),
      'function "f.A".node[0] (Relu "to_b0") uses "a"',
    ],
    [
      "a function's attribute twice",
      withFunctions([fn("A", [], { attribute: ["k"], attributeProto: [{ name: "k", i: 1 }] })]),
      'function "f.A": attribute "k" has the name',
    ],
    [
      "a function that calls itself",
      withFunctions([fn("A", ["A"])]),
      'may not call themselves: function "f.A" calls function "f.A".',
    ],
    [
      "functions in a circle",
      withFunctions([fn("A", ["B"]), fn("B", ["C"]), fn("C", ["B"])]),
      'function "f.B" calls function "f.C" calls function "f.B".',
    ],
    [
      "a circle through a sub-graph",
      withFunctions([
        fn("A", [], {
          node: [
            relu("a", "b0", {
              attribute: [{ name: "k", g: { node: [relu("a", "i", { opType: "A", domain: "f" })] } }],
            }),
          ],
        }),
      ]),
      "may not call themselves",
    ],
  ])("%s", (_, model, message) => {
    expect(() => validateModel(model)).toThrow(message);
    expect(() => validateModel(model)).toThrow(expect.objectContaining({ name: "TemperError" }));
  });

  it("functions that expand to billions of nodes, or are nested too deep", () => {
    const ten = (name: string): readonly string[] => Array.from({ length: 10 }, () => name);
    const bomb = Array.from({ length: 12 }, (_, i) => fn(`F${i}`, i < 11 ? ten(`F${i + 1}`) : []));
    expect(() => validateModel(withFunctions(bomb))).toThrow(
      expect.objectContaining({ code: "unsupported", message: expect.stringContaining("once its calls are expanded") }),
    );
    const chain = (length: number): ModelProto =>
      withFunctions(Array.from({ length }, (_, i) => fn(`F${i}`, i < length - 1 ? [`F${i + 1}`] : [])));
    validateModel(chain(99));
    expect(() => validateModel(chain(2000))).toThrow("more than 100 levels deep");
  });
});

it("attributeField finds the value, also where it is empty or zero", () => {
  expect(attributeField({ ints: [1] }, "k")).toBe("ints");
  expect(attributeField({ type: 7 }, "k")).toBe("ints");
  expect(attributeField({ type: 3 }, "k")).toBe("s");
  expect(attributeField({ type: 4, refAttrName: "r" }, "k")).toBe("t");
});
