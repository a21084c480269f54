import { type Tensor, TemperError } from "../../core/index.ts";
import {
  denseFromSparse,
  type ExternalData,
  type GraphProto,
  type NodeProto,
  tensorFromProto,
} from "../../onnx/index.ts";

/** A tensor of the file, and whether it is a weight. */
export interface Initializer {
  readonly name: string;
  readonly tensor: Tensor;
  readonly parameter: boolean;
}

/** Inputs that steer an operator: bounds, scales, sizes, fill values. Nothing there is a weight. */
const STEERING: Readonly<Record<string, readonly number[]>> = {
  Clip: [1, 2],
  Dropout: [1, 2],
  OneHot: [1, 2],
  Pad: [1, 2, 3],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
  Upsample: [1],
};

/** Names of values that some node reads as a bound, scale, size or fill value. */
const steeringNames = (nodes: Iterable<NodeProto>): Set<string> => {
  const names = new Set<string>();
  for (const { opType = "", input = [] } of nodes)
    if (Object.hasOwn(STEERING, opType)) for (const i of STEERING[opType]!) names.add(input[i] ?? "");
  return names;
};

/**
 * The tensors of a graph in the order of the file. Weights are float tensors of one axis or more; scalars, whole numbers
 * and what steers an operator are constants.
 *
 * @param nodes  nodes of the graph, calls of functions expanded
 */
export const readInitializers = (
  graph: GraphProto,
  nodes: Iterable<NodeProto>,
  external: ExternalData | undefined,
): Initializer[] => {
  const steering = steeringNames(nodes);
  const dense = (graph.initializer ?? []).map(
    (proto) => [proto.name ?? "", tensorFromProto(proto, { external })] as const,
  );
  const sparse = (graph.sparseInitializer ?? []).map(
    (proto) => [proto.values?.name ?? "", denseFromSparse(proto, { external })] as const,
  );
  return [...dense, ...sparse].map(([name, tensor]) => {
    if (name === "")
      throw new TemperError("bad-file", `${graph.name ?? "the graph"} has an initializer without a name.`);
    const weight = tensor.dtype.includes("float") && tensor.shape.length > 0 && tensor.data.length > 0;
    return { name, tensor, parameter: weight && !steering.has(name) };
  });
};
