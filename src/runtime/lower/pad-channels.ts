import {
  emitAll,
  type Graph,
  graphNodes,
  intsOf,
  type Node,
  normalizeAxes,
  rewrite,
  simplifyAlgebra,
  type Value,
} from "../../graph/index.ts";
import {
  AveragePool,
  BatchNormalization,
  Conv,
  ConvTranspose,
  ConvWeightGrad,
  Div,
  Exp,
  GlobalAveragePool,
  MaxPool,
  ReduceMean,
  ReduceSum,
} from "../../ops/index.ts";
import { type ChannelLayout, fill, trim, widthOf } from "./channel-layout.ts";
import { isElementwise, isScalar } from "./elementwise.ts";

/** More products than so many times the needed ones are not worth the blocks (25 channels as 32, both ways: 1.64). */
const MAX_WASTE = 5 / 3;

type Inputs = readonly (Value | undefined)[];

/**
 * Convolutions whose channels fill no blocks, and their gradients, with channels of zeros behind them up to the next
 * block, those of each group by themselves. What lies between them, element by element or a channel, keeps the zeros:
 * they are put there once and cut off where values leave.
 *
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const padChannels =
  (block: number) =>
  (given: Graph): Graph => {
    const graph = simplifyAlgebra(given),
      layouts = layoutsOf(graph, block);
    if (layouts.size === 0) return given;
    const twins = new Map<Value, { readonly twin: Value; readonly layout: ChannelLayout }>();
    const twinOf = (value: Value, layout: ChannelLayout | undefined): Value => {
      if (!layout) return value;
      const found = twins.get(value);
      if (found?.layout === layout) return found.twin;
      const twin = fill(value, 1, layout);
      twins.set(value, { twin, layout });
      return twin;
    };
    const both = (twin: Value, layout: ChannelLayout | undefined): readonly Value[] => {
      const value = trim(twin, 1, layout);
      if (layout) twins.set(value, { twin, layout });
      return [value];
    };
    return rewrite(graph, (node, inputs) => {
      const filledConv = convolution(node, inputs, layouts, twinOf);
      if (filledConv)
        return node.op === ConvWeightGrad ? [filledConv] : both(filledConv, layouts.get(node.outputs[0]!));
      const layout = layouts.get(node.outputs[0]!) ?? layouts.get(node.inputs[0]!);
      if (!layout || !inputs.some((v) => v && twins.get(v)?.layout === layout)) return undefined;
      if (isReduction(node) && !keepsAxes(node) && !axesOf(node).includes(1))
        return [reduced(node, twinOf(inputs[0]!, layout), layout)];
      if (!keepsZeros(node)) return undefined;
      const moved = inputs.map((v, i) => v && operand(node, v, i, layout, twinOf));
      return both(emitAll(node.op, moved, node.attributes, node.name)[0]!, layout);
    });
  };

/** A convolution as it is written in either direction, and its weight gradient: from the image x to the image y. */
interface Sides {
  readonly x: Value;
  readonly y: Value;
  readonly group: number;
  /** Each channel by itself. */
  readonly depthwise: boolean;
}
const sidesOf = ({ op, inputs, outputs, attributes }: Node): Sides | undefined => {
  const [x, y] =
    op === Conv
      ? [inputs[0], outputs[0]]
      : op === ConvTranspose
        ? [outputs[0], inputs[0]]
        : op === ConvWeightGrad
          ? [inputs[0], inputs[1]]
          : [];
  if (x?.shape.length !== 4 || x.dtype !== "float32" || !y) return undefined;
  const group = attributes["group"] as number;
  return { x, y, group, depthwise: group > 1 && group === x.shape[1] && group === y.shape[1] };
};

/** The layout of every image that is to have another than its own; images that belong together have the same. */
const layoutsOf = (graph: Graph, block: number): ReadonlyMap<Value, ChannelLayout> => {
  const parents = new Map<Value, Value>(),
    members = new Set<Value>();
  const rootOf = (v: Value): Value => {
    const parent = parents.get(v);
    if (!parent) return v;
    const root = rootOf(parent);
    parents.set(v, root);
    return root;
  };
  const join = (a: Value, b: Value): void => {
    const [from, to] = [rootOf(a), rootOf(b)];
    if (from !== to) parents.set(from, to);
    members.add(a).add(b);
  };
  const convs = graphNodes(graph).flatMap((node) => sidesOf(node) ?? []);
  for (const { x, y, depthwise } of convs) depthwise ? join(x, y) : [x, y].forEach((v) => members.add(v));
  for (const node of graphNodes(graph)) {
    if (!keepsZeros(node)) continue;
    const [out] = node.outputs as [Value];
    for (const v of isElementwise(node) ? node.inputs : node.inputs.slice(0, 1))
      if (v && isImage(v) && v.shape[1] === out.shape[1]) join(v, out);
  }
  const wanted = new Map<Value, ChannelLayout>();
  const want = (v: Value, groups: number): void => {
    const each = v.shape[1]! / groups,
      root = rootOf(v);
    const layout = { groups, each, filled: upTo(each, block) };
    if (layout.filled > each && each >= block && !wanted.has(root)) wanted.set(root, layout);
  };
  // Groups first: those that come later have no other way.
  for (const { x, y, group, depthwise } of convs.toSorted((a, b) => b.group - a.group))
    if (!depthwise && pays(x.shape[1]! / group, y.shape[1]! / group, block)) [x, y].forEach((v) => want(v, group));
  return new Map(
    [...members].flatMap((v) => {
      const layout = wanted.get(rootOf(v));
      return layout ? [[v, layout] as const] : [];
    }),
  );
};

const upTo = (channels: number, block: number): number => Math.ceil(channels / block) * block;
const pays = (ins: number, outs: number, block: number): boolean =>
  Math.min(ins, outs) >= block && upTo(ins, block) * upTo(outs, block) <= MAX_WASTE * ins * outs;
const isImage = ({ shape, dtype }: Value): boolean => shape.length === 4 && dtype === "float32";

/** A convolution, or a gradient of one, on filled images; undefined where their layouts do not go with its groups. */
const convolution = (
  node: Node,
  [first, second, bias]: Inputs,
  layouts: ReadonlyMap<Value, ChannelLayout>,
  twinOf: (value: Value, layout: ChannelLayout | undefined) => Value,
): Value | undefined => {
  const sides = sidesOf(node);
  if (!sides || !first || !second) return undefined;
  const [from, to] = [layouts.get(sides.x), layouts.get(sides.y)],
    { group, depthwise } = sides;
  if (!from && !to) return undefined;
  if (group > 1 && !depthwise && [from, to].some((layout) => layout && layout.groups !== group)) return undefined;
  const attributes = depthwise ? { ...node.attributes, group: widthOf(from!) } : node.attributes;
  /** Of the weights' second axis. */
  const ins = depthwise ? undefined : from && group > 1 ? { ...from, groups: 1 } : from;
  if (node.op === ConvWeightGrad) {
    const [made] = emitAll(node.op, [twinOf(first, from), twinOf(second, to)], attributes, node.name);
    return trim(trim(made!, 0, to), 1, ins);
  }
  const [before, after] = node.op === Conv ? [from, to] : [to, from];
  const weights = fill(fill(second, 0, to), 1, ins);
  const all = [twinOf(first, before), weights, ...(bias ? [fill(bias, 0, after)] : [])];
  return emitAll(node.op, all, attributes, node.name)[0]!;
};

/** Whether a node, where its images are zero, gives finite numbers that end in zeros or are multiplied by them, channel by channel. */
const keepsZeros = (node: Node): boolean => {
  const { op, inputs, outputs, attributes } = node;
  if (!isImage(outputs[0]!)) return false;
  if (isElementwise(node)) return op !== Exp && (op !== Div || isScalar(inputs[1]!));
  if (op === BatchNormalization) return (attributes["epsilon"] as number) > 0;
  if (isReduction(node)) return keepsAxes(node) && !axesOf(node).includes(1);
  return op === GlobalAveragePool || ((op === MaxPool || op === AveragePool) && outputs.length === 1);
};
const isReduction = ({ op, inputs }: Node): boolean => (op === ReduceMean || op === ReduceSum) && isImage(inputs[0]!);
const keepsAxes = ({ attributes }: Node): boolean => attributes["keepdims"] === 1;
/** Axes of a reduction; all where they are not known. */
const axesOf = ({ inputs }: Node): readonly number[] => normalizeAxes(intsOf(inputs[1]) ?? [0, 1, 2, 3], 4);

/** What such a node reads in the place of an input. */
const operand = (
  node: Node,
  v: Value,
  at: number,
  layout: ChannelLayout,
  twinOf: (value: Value, layout: ChannelLayout) => Value,
): Value => {
  if (at === 0 && !isElementwise(node)) return twinOf(v, layout);
  if (node.op === BatchNormalization) return fill(v, 0, layout);
  const axis = v.shape.length - 3;
  if (!isElementwise(node) || axis < 0 || v.shape[axis] === 1) return v;
  return axis === 1 ? twinOf(v, layout) : fill(v, 0, layout);
};

/** A reduction that drops its axes: of the filled image, without the zeros. */
const reduced = (node: Node, twin: Value, layout: ChannelLayout): Value => {
  const [made] = emitAll(node.op, [twin, node.inputs[1]], node.attributes, node.name);
  return trim(made!, axesOf(node).includes(0) ? 0 : 1, layout);
};
