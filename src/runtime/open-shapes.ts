import {
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  tensorFromProto,
  type TensorProto,
  type ValueInfoProto,
} from "../onnx/index.ts";

/** Elements of a value that is worth it: 1 MB. */
const LARGE = 1 << 18;
/** What stands for a batch of any size. */
const SOME_BATCH = 16;

/**
 * The shapes that large values are brought into, as defaults of inputs: the runtime cannot rely on those beforehand.
 *
 * For shapes that it knows it plans: a buffer that some later value of the same shape can use is kept for it, however
 * far away that is. Training steps then take up to twice what is needed at once (`test/runtime/memory.test.ts` compares).
 * Without a shape memory is taken when a value is made, and goes back after its last use.
 *
 * @param model  fresh from `toOnnx`: names of bodies differ from those around them
 */
export const openShapes = (model: ModelProto): ModelProto => {
  const moved: TensorProto[] = [],
    graph = withoutShapes(model.graph!, moved);
  return {
    ...model,
    graph: {
      ...graph,
      initializer: [...graph.initializer!, ...moved],
      input: [...graph.input!, ...moved.map(inputOf)],
    },
  };
};

/** The graph without the initializers that go into `moved`; bodies read those of the main graph. */
const withoutShapes = (graph: GraphProto, moved: TensorProto[]): GraphProto => {
  const wanted = new Set(graph.node!.flatMap(({ opType, input }) => (opType === "Reshape" ? [input![1]!] : [])));
  const isMoved = (tensor: TensorProto): boolean => wanted.has(tensor.name!) && isLarge(tensor);
  moved.push(...graph.initializer!.filter(isMoved));
  const inside = (attribute: AttributeProto): AttributeProto =>
    attribute.g ? { ...attribute, g: withoutShapes(attribute.g, moved) } : attribute;
  return {
    ...graph,
    initializer: graph.initializer!.filter((tensor) => !isMoved(tensor)),
    node: graph.node!.map((node: NodeProto) =>
      node.attribute ? { ...node, attribute: node.attribute.map(inside) } : node,
    ),
  };
};

const isLarge = (tensor: TensorProto): boolean => {
  const sizes = Array.from(tensorFromProto(tensor).data as BigInt64Array, Number);
  return sizes.reduce((product, size) => product * (size > 0 ? size : SOME_BATCH), 1) >= LARGE;
};

/** Of open length: a value whose rank is known but whose sizes are not is compared with every free buffer, in vain. */
const inputOf = ({ name, dataType }: TensorProto): ValueInfoProto => ({
  name: name!,
  type: { tensorType: { elemType: dataType!, shape: { dim: [{ dimParam: "rank" }] } } },
});
