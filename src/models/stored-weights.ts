import { formatShape, type Tensor, TemperError } from "../core/index.ts";
import {
  type AttributeProto,
  dataTypeName,
  type ModelProto,
  type NodeProto,
  tensorFromProto,
  type TensorProto,
  tensorToProto,
} from "../onnx/index.ts";
import type { Place } from "./file-weights.ts";

/** The one attribute of a Constant node that holds a tensor with axes, which may be a weight. */
const heldBy = (node: NodeProto): TensorProto | undefined => {
  const [only, ...more] = node.attribute ?? [];
  if (node.opType !== "Constant" || node.domain || only?.name !== "value" || more.length > 0) return undefined;
  return only.t && (only.t.dims ?? []).length > 0 ? only.t : undefined;
};

/** Tensors that are no plain initializers, by the names of their values. */
export const placesOf = ({ graph }: ModelProto): Map<string, Place> =>
  new Map([
    ...(graph?.node ?? []).flatMap((node) => (heldBy(node) ? [[node.output?.[0] ?? "", "node"] as const] : [])),
    ...(graph?.sparseInitializer ?? []).map(({ values }) => [values?.name ?? "", "sparse"] as const),
  ]);

/** The model with tensors of Constant nodes as initializers under the names of the nodes' outputs. */
export const withoutConstants = (model: ModelProto): ModelProto => {
  const nodes = model.graph?.node ?? [];
  const moved = nodes.flatMap((node) => {
    const held = heldBy(node);
    return held ? [{ ...held, name: node.output?.[0] ?? "" }] : [];
  });
  return {
    ...model,
    graph: {
      ...model.graph,
      node: nodes.filter((node) => !heldBy(node)),
      initializer: [...(model.graph?.initializer ?? []), ...moved],
    },
  };
};

/**
 * The model with other values for some initializers and Constant nodes. All else stays: nodes, names, types, metadata.
 *
 * @param known   the tensors that may be replaced
 * @throws TemperError `not-found`: a name that is not among `known`; `bad-shape`: values of another type or shape
 */
export const withValues = (
  model: ModelProto,
  known: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  values: Readonly<Record<string, Tensor>>,
): ModelProto => {
  for (const [name, { dtype, shape }] of Object.entries(values)) {
    const spec = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!spec) throw new TemperError("not-found", `the file has no weight "${name}" that is trained.`);
    if (dtype !== "float32" || shape.join() !== spec.shape.join())
      throw new TemperError(
        "bad-shape",
        `weight "${name}" is float32 ${formatShape(spec.shape)}, got ${dtype} ${formatShape(shape)}.`,
      );
  }
  const replaced = (tensor: TensorProto, name: string): TensorProto =>
    Object.hasOwn(values, name) ? refilled(tensor, values[name]!) : tensor;
  const { graph } = model;
  return {
    ...model,
    graph: {
      ...graph,
      node: (graph?.node ?? []).map((node) => {
        const held = heldBy(node);
        const t = held && replaced(held, node.output?.[0] ?? "");
        return t === held ? node : { ...node, attribute: [{ ...node.attribute![0]!, t } as AttributeProto] };
      }),
      initializer: (graph?.initializer ?? []).map((tensor) => replaced(tensor, tensor.name ?? "")),
    },
  };
};

/** In the field that held the values before. */
const refilled = ({ rawData: _, floatData, ...rest }: TensorProto, values: Tensor): TensorProto => {
  const bytes = tensorToProto("", values).rawData!;
  return { ...rest, ...(floatData?.length ? { floatData: bytes } : { rawData: bytes }) };
};

/** The model with nodes that were exported in training mode as in evaluation mode, where they drop and move nothing. */
export const inEvaluationMode = (model: ModelProto): ModelProto => {
  const { graph, functions } = model,
    nodes = [...(graph?.node ?? []), ...(functions ?? []).flatMap(({ node = [] }) => node)];
  const on = new Set(
    [...(graph?.initializer ?? []), ...nodes.flatMap(constantIn)].flatMap((t) => (isTrue(t) ? [t.name ?? ""] : [])),
  );
  if (!nodes.some((node) => evaluating(node, on) !== node)) return model;
  const changed = (list: readonly NodeProto[] = []): NodeProto[] => list.map((node) => evaluating(node, on));
  return {
    ...model,
    graph: { ...graph, node: changed(graph?.node) },
    ...(functions && { functions: functions.map((f) => ({ ...f, node: changed(f.node) })) }),
  };
};

const constantIn = ({ opType, attribute, output }: NodeProto): TensorProto[] => {
  const t = opType === "Constant" ? attribute?.[0]?.t : undefined;
  return t ? [{ ...t, name: output?.[0] ?? "" }] : [];
};
const isTrue = (t: TensorProto): boolean => dataTypeName(t.dataType) === "bool" && tensorFromProto(t).data[0] === 1;

const evaluating = (node: NodeProto, on: ReadonlySet<string>): NodeProto => {
  const { opType, domain, input = [], output = [], attribute = [] } = node;
  if (domain) return node;
  if (opType === "Dropout") return on.has(input[2] ?? "") ? { ...node, input: input.slice(0, 2) } : node;
  const training = attribute.find(({ name, i }) => name === "training_mode" && Number(i ?? 0) === 1);
  // Before 14 nothing but the outputs says so: the statistics are given in training only.
  if (opType !== "BatchNormalization" || (!training && output.length <= 1)) return node;
  return { ...node, attribute: attribute.filter((a) => a !== training), output: output.slice(0, 1) };
};
