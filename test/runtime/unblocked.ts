import { emitAll, type Graph, isGraph, type Node, rewrite, type Value } from "temper/graph";
import { add, conv, globalAveragePool, leakyRelu, relu, reshape, sigmoid, tanh, transpose } from "temper/ops";

/** [N, C, ...] -> the same in the order of blocks, under its own shape; and back. */
const toBlocks = (x: Value, block: number): Value => {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return reshape(transpose(reshape(x, [n, c / block, block, h, w]), [0, 1, 3, 4, 2]), x.shape);
};
const fromBlocks = (x: Value, block: number): Value => {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  return reshape(transpose(reshape(x, [n, c / block, h, w, block]), [0, 1, 4, 2, 3]), x.shape);
};

/** Weights [O / b, I / b, kh, kw, b (in), b (out)], or [O / b, I, kh, kw, b] -> [O, I, kh, kw]. */
const plainWeights = (w: Value, block: number): Value => {
  const [outs, ins, kh, kw] = w.shape as [number, number, number, number],
    width = ins % block === 0 ? block : 1;
  const pieces = reshape(w, [outs / block, ins / width, kh, kw, width, block]);
  return reshape(transpose(pieces, [0, 5, 1, 4, 2, 3]), w.shape);
};

const activations: Readonly<Record<string, (x: Value, params: readonly number[]) => Value>> = {
  Relu: relu,
  Sigmoid: sigmoid,
  Tanh: tanh,
  LeakyRelu: (x, [alpha]) => leakyRelu(x, alpha),
};

const convolution = ({ attributes }: Node, [x, w, bias, sum]: readonly (Value | undefined)[], block: number): Value => {
  const { activation, activation_params: params, ...form } = attributes as Readonly<Record<string, never>>;
  const fewInputs = w!.shape[1]! < block && form["group"] === 1;
  const y = conv(fewInputs ? x! : fromBlocks(x!, block), plainWeights(w!, block), bias, form);
  const summed = sum ? add(y, fromBlocks(sum, block)) : y;
  return toBlocks(activation === undefined ? summed : activations[activation]!(summed, params ?? []), block);
};

/**
 * A lowered graph with the runtime's blocked operators written in standard ones, so that the references run it in
 * float64, for any block.
 */
export const unblocked = (graph: Graph, block: number): Graph =>
  rewrite(graph, (node, inputs) => {
    const { body } = node.attributes;
    if (isGraph(body)) return emitAll(node.op, inputs, { ...node.attributes, body: unblocked(body, block) });
    if (node.op.domain !== "com.microsoft.nchwc") return undefined;
    const x = inputs[0]!,
      last = node.attributes["channels_last"] === 1;
    switch (node.op.name) {
      case "ReorderInput":
        return [toBlocks(last ? transpose(x, [0, 3, 1, 2]) : x, block)];
      case "ReorderOutput":
        return [last ? transpose(fromBlocks(x, block), [0, 2, 3, 1]) : fromBlocks(x, block)];
      case "GlobalAveragePool":
        return [globalAveragePool(fromBlocks(x, block))];
      case "Conv":
        return [convolution(node, inputs, block)];
      default:
        throw new Error(`unblocked: ${node.op.name} is not written out`);
    }
  });
