import { TemperError } from "../core/index.ts";
import { dataTypeName, type GraphProto, type ModelProto, type NodeProto } from "../onnx/index.ts";

/** Operators on small integers, standard and of ONNX Runtime. */
const QUANTIZED = /^(Q[A-Z]|Quantize|Dequantize|DynamicQuantize)|(Integer|IntegerToFloat|NBits|Bnb4|Quantized)$/;
/** Codes of types that hold quantized weights: 8 bits and below, integers and floats. */
const SMALL: ReadonlySet<string> = new Set(
  ["int8", "uint8", "int4", "uint4", "int2", "uint2"].concat(
    ["e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz"].map((name) => `float8${name}`),
    ["float4e2m1", "float6e2m3", "float6e3m2"],
  ),
);
const REMEDY = "Train the float32 network that it was made from, and quantize the result again.";

/**
 * Refuses files whose weights are small integers: those take no gradient steps.
 * @throws TemperError `unsupported`, naming the node or the tensor
 */
export const refuseQuantized = (model: ModelProto): void => {
  const graph = model.graph ?? {};
  for (const node of [...nodesIn(graph.node), ...(model.functions ?? []).flatMap((f) => nodesIn(f.node))])
    if (QUANTIZED.test(node.opType ?? ""))
      throw new TemperError(
        "unsupported",
        `${node.opType} "${node.name || (node.output ?? [])[0]}" computes with quantized numbers, which cannot be trained. ${REMEDY}`,
      );
  for (const { name, dims = [], dataType } of graph.initializer ?? [])
    if (SMALL.has(dataTypeName(dataType)) && dims.length > 1)
      throw new TemperError(
        "unsupported",
        `tensor "${name}" holds ${dataTypeName(dataType)} numbers, quantized weights, which cannot be trained. ${REMEDY}`,
      );
};

/** Nodes of a graph and of those inside of it. */
const nodesIn = (nodes: GraphProto["node"] = []): readonly NodeProto[] =>
  nodes.flatMap((node) => [
    node,
    ...(node.attribute ?? []).flatMap(({ g, graphs = [] }) => [g, ...graphs].flatMap((inner) => nodesIn(inner?.node))),
  ]);
