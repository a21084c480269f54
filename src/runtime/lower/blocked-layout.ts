import { sameShape, type Tensor } from "../../core/index.ts";
import {
  constant,
  constantOf,
  emitAll,
  type Graph,
  graphNodes,
  intsOf,
  type Node,
  normalizeAxes,
  rewrite,
  useCounts,
  type Value,
} from "../../graph/index.ts";
import {
  Add,
  Concat,
  Conv,
  Flatten,
  Gemm,
  GlobalAveragePool,
  Mul,
  ReduceSum,
  Reshape,
  reshape,
  scale,
  Split,
} from "../../ops/index.ts";
import {
  activated,
  blocked,
  blockedConv,
  blockedWeights,
  blockOrder,
  channelMeans,
  isBareConv,
  isReorder,
  meansOfProduct,
  opposite,
  plain,
  unblocked,
  withSum,
} from "./blocked.ts";
import { affine } from "./blocked-affine.ts";
import { convForm } from "./conv-form.ts";
import { isElementwise, isScalar } from "./elementwise.ts";

type Inputs = readonly (Value | undefined)[];

/**
 * The blocked layout for all that lies between blocked convolutions, where other passes have put some: further
 * convolutions with constant weights, element by element operators, and dense layers, whose weights are put in the order
 * of the blocks. Sums and activations become part of the convolution before them. Graphs without blocked operators are
 * left to the runtime, which finds this layout by itself but cannot see through those.
 *
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const blockedLayout =
  (block: number) =>
  (graph: Graph): Graph => {
    if (!graphNodes(graph).some(isReorder)) return graph;
    const uses = useCounts(graph);
    // Read by one node only; a blocked value that this pass did not make has its own readers.
    const once = (v: Value | undefined): boolean =>
      v !== undefined && uses.get(v) === 1 && (uses.get(unblocked(v) ?? v) ?? 1) === 1;
    const rules: readonly ((node: Node, inputs: Inputs) => Value | readonly Value[] | undefined)[] = [
      reorder,
      (node, inputs) => convolution(node, inputs, block),
      (node, inputs) => (once(node.inputs[0]) ? activation(node, inputs) : undefined),
      (node, inputs) => sum(node, inputs, once),
      (node, inputs) => perChannel(node, inputs, once),
      means,
      sums,
      elementwise,
      (node, inputs) => joined(node, inputs, block),
      (node, inputs) => parts(node, inputs, block),
      (node, inputs) => spread(node, inputs, block),
      (node, inputs) => denseFrom(node, inputs, block),
      (node, inputs) => (once(node.inputs[0]) ? denseTo(node, inputs, block) : undefined),
    ];
    return rewrite(graph, (node, inputs) => {
      for (const rule of rules) {
        const found = rule(node, inputs);
        if (found) return "node" in found ? [found] : found;
      }
      return undefined;
    });
  };

/** There and back again is no way. */
const reorder = (node: Node, [x]: Inputs): Value | undefined =>
  isReorder(node) && node.attributes["channels_last"] === 0 ? opposite(node, x!) : undefined;

/** Constant weights; whole blocks of channels, or an image's few. */
const convolution = (node: Node, [x, w, bias]: Inputs, block: number): Value | undefined => {
  const weights = constantOf(w),
    form = node.op === Conv && x?.shape.length === 4 ? convForm(node, 2) : undefined;
  if (!x || !form || weights?.dtype !== "float32" || (bias && !constantOf(bias))) return undefined;
  const [outs, ins, kh, kw] = weights.shape as [number, number, number, number],
    { group } = form;
  const fewInputs = group === 1 && ins < block,
    depthwise = group === outs && ins === 1;
  if (outs % block > 0 || !(fewInputs || depthwise || (ins % block === 0 && (outs / group) % block === 0)))
    return undefined;
  const data = weights.data as Float32Array;
  const ordered = blockedWeights([outs, ins, kh, kw], block, (o, i, y, x) => data[((o * ins + i) * kh + y) * kw + x]!);
  return plain(blockedConv(fewInputs ? x : blocked(x), constant(ordered), { ...form, bias }));
};

/** An activation becomes part of the convolution before it. */
const activation = (node: Node, [x]: Inputs): Value | undefined => {
  const inner = x && unblocked(x),
    found = inner && activated(inner, node);
  return found && plain(found);
};

/** So does the sum with another blocked value. */
const sum = (node: Node, inputs: Inputs, once: (v: Value) => boolean): Value | undefined => {
  if (node.op !== Add) return undefined;
  const [a, b] = inputs.map((v) => v && unblocked(v));
  if (!a || !b || a === b || !sameShape(a.shape, b.shape)) return undefined;
  if (once(node.inputs[1]!) && isBareConv(b)) return plain(withSum(b, a));
  return once(node.inputs[0]!) && isBareConv(a) ? plain(withSum(a, b)) : undefined;
};

const perChannel = (node: Node, inputs: Inputs, once: (v: Value) => boolean): Value | undefined => {
  const found = affine(node, inputs, once);
  return found && plain(found);
};

/** Means of channels; those of a product without writing the product, where the batch size is known. */
const means = ({ op }: Node, [x]: Inputs): Value | undefined => {
  const inner = op === GlobalAveragePool && x ? unblocked(x) : undefined;
  if (!inner) return undefined;
  const [a, b] = inner.node.op === Mul ? (inner.node.inputs as [Value, Value]) : [];
  const known = inner.shape.every((d) => d > 0) && a && b && sameShape(a.shape, b.shape);
  return known ? meansOfProduct(a, b) : channelMeans(inner);
};

/** Sums of channels: means, times the number of pixels, where it is known (pixel-major, the batch is an axis of the image). */
const sums = (node: Node, [x, list]: Inputs): Value | undefined => {
  const inner = node.op === ReduceSum && x?.shape.length === 4 ? unblocked(x) : undefined;
  if (!inner || inner.shape.slice(2).some((d) => d < 0)) return undefined;
  if (normalizeAxes(intsOf(list) ?? [], 4).join() !== "2,3") return undefined;
  return reshape(scale(channelMeans(inner), inner.shape[2]! * inner.shape[3]!), node.outputs[0]!.shape);
};

/** Where an operand is blocked already and the others can be. */
const elementwise = (node: Node, inputs: Inputs): Value | undefined => {
  const given = inputs.filter((v): v is Value => v !== undefined && !isScalar(v)),
    { shape } = node.outputs[0]!;
  if (!isElementwise(node) || !given.some(unblocked)) return undefined;
  const fits = (v: Value): boolean => sameShape(v.shape, shape) || sameShape(v.shape, [1, ...shape.slice(1)]);
  if (!given.every((v) => v.dtype === "float32" && fits(v))) return undefined;
  const all = inputs.map((v) => v && (isScalar(v) ? v : blocked(v)));
  return plain(emitAll(node.op, all, node.attributes, node.name)[0]!);
};

/** Whole blocks of channels one after another: an example's lie together in both layouts. */
const joined = (node: Node, inputs: Inputs, block: number): Value | undefined => {
  if (node.op !== Concat || !alongChannels(node) || !inputs.some((v) => v && unblocked(v))) return undefined;
  const fits = inputs.every((v) => v?.dtype === "float32" && v.shape[1]! % block === 0);
  return fits
    ? plain(
        emitAll(
          Concat,
          inputs.map((v) => blocked(v!)),
          node.attributes,
          node.name,
        )[0]!,
      )
    : undefined;
};
/** The way back. */
const parts = (node: Node, [x, sizes]: Inputs, block: number): readonly Value[] | undefined => {
  const inner = node.op === Split && alongChannels(node) ? x && unblocked(x) : undefined;
  if (!inner || node.outputs.some((v) => v.shape[1]! % block > 0)) return undefined;
  return emitAll(Split, [inner, sizes], node.attributes, node.name).map(plain);
};
const alongChannels = ({ attributes, outputs }: Node): boolean =>
  outputs[0]!.shape.length === 4 && (attributes["axis"] === 1 || attributes["axis"] === -3);

/** The same with operands of one pixel, [N, C, 1, 1]. */
const spread = (node: Node, inputs: Inputs, block: number): Value | undefined => {
  const [batch, channels, ...image] = node.outputs[0]!.shape;
  if (!isElementwise(node) || image.length !== 2 || channels! % block > 0 || !inputs.some((v) => v && unblocked(v)))
    return undefined;
  const view = (v: Value): Value | undefined => {
    if (isScalar(v)) return v;
    const [n, c, h, w] = v.shape;
    if (v.shape.length !== 4 || n !== batch || c !== channels || v.dtype !== "float32") return undefined;
    if (h === 1 && w === 1) return reshape(v, [n!, c! / block, 1, block]);
    return h === image[0] && w === image[1] ? reshape(blocked(v), [n!, c! / block, h! * w!, block]) : undefined;
  };
  const views = inputs.map((v) => v && view(v));
  if (views.some((v, i) => inputs[i] && !v)) return undefined;
  const [made] = emitAll(node.op, views, node.attributes, node.name);
  return plain(reshape(made!, node.outputs[0]!.shape));
};

/** [N, C, H, W] -> [N, C H W] -> a dense layer: its weights take the order that the blocked image has. */
const denseFrom = (node: Node, [x, w, bias]: Inputs, block: number): Value | undefined => {
  if (node.op !== Gemm || !x || node.attributes["transA"] !== 0) return undefined;
  const image = x.node.op === Flatten || x.node.op === Reshape ? x.node.inputs[0]! : undefined,
    inner = image && unblocked(image),
    weights = constantOf(w);
  if (!inner || !weights || inner.shape.length !== 4 || !sameShape([inner.shape[0]!], [x.shape[0]!])) return undefined;
  const order = blockOrder(inner.shape.slice(1), block);
  const ordered = take(weights, order, node.attributes["transB"] === 1 ? 1 : 0);
  return emitAll(Gemm, [reshape(inner, x.shape), constant(ordered), bias], node.attributes, node.name)[0]!;
};

/** A dense layer -> [N, C H W] -> [N, C, H, W], as it comes in gradients. */
const denseTo = (node: Node, [x]: Inputs, block: number): Value | undefined => {
  const [batch, channels, ...image] = node.outputs[0]!.shape;
  if (node.op !== Reshape || x?.node.op !== Gemm || image.length !== 2 || channels! % block > 0) return undefined;
  const [a, w, bias] = x.node.inputs,
    { transB } = x.node.attributes as { readonly transB: number };
  const weights = constantOf(w);
  if (!weights || bias || weights.dtype !== "float32" || batch !== x.shape[0]) return undefined;
  const ordered = take(weights, blockOrder([channels!, ...image], block), transB === 1 ? 0 : 1);
  const made = emitAll(Gemm, [a, constant(ordered)], x.node.attributes, x.node.name)[0]!;
  return plain(reshape(made, [batch!, channels!, ...image]));
};

/** Rows (axis 0) or columns (1) of a matrix, in this order. */
const take = ({ dtype, shape, data }: Tensor, order: Int32Array, axis: 0 | 1): Tensor => {
  const [rows, columns] = shape as [number, number],
    out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) {
      const from = axis === 0 ? order[r]! * columns + c : r * columns + order[c]!;
      out[r * columns + c] = (data as Float32Array)[from]!;
    }
  return { dtype, shape, data: out } as Tensor;
};
