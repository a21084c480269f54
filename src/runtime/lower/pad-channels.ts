import { emitAll, type Graph, type Node, rewrite, simplifyAlgebra, type Value } from "../../graph/index.ts";
import { BatchNormalization, Conv, ConvWeightGrad } from "../../ops/index.ts";
import { axesOf, isReduction, keepsAxes, keepsZeros, layoutsOf, sidesOf } from "./channel-layouts.ts";
import { isElementwise } from "./elementwise.ts";
import { type ChannelLayout, fill, trim, widthOf } from "./filled-channels.ts";

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
