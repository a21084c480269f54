import { sizeOf } from "../core/index.ts";
import { concretize, type Graph, graphNodes, type Node, type Shape } from "../graph/index.ts";

type Count = (inputs: readonly Shape[], output: Shape) => number;

/** Products of the operators that have nearly all of them. */
const PRODUCTS: Readonly<Record<string, Count>> = {
  Conv: ([, w], y) => sizeOf(y) * sizeOf(w!.slice(1)),
  ConvTranspose: ([x, w]) => sizeOf(x!) * sizeOf(w!.slice(1)),
  Gemm: ([a], y) => (sizeOf(y) * sizeOf(a!)) / y[0]!,
  MatMul: ([a], y) => sizeOf(y) * a!.at(-1)!,
};

/** Products that a run of a graph takes, roughly: nearly all of its work. */
export const productsOf = (graph: Graph, batch: number): number =>
  graphNodes(graph).reduce((sum, node) => sum + productsOfNode(node, batch), 0);

export const productsOfNode = ({ op, inputs, outputs }: Node, batch: number): number => {
  const shapes = inputs.map((v) => concretize(v?.shape ?? [], batch));
  return PRODUCTS[op.name]?.(shapes, concretize(outputs[0]!.shape, batch)) ?? 0;
};
