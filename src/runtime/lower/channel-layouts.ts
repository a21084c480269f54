import { type Graph, graphNodes, intsOf, type Node, normalizeAxes, type Value } from "../../graph/index.ts";
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
import { isElementwise, isScalar } from "./elementwise.ts";
import type { ChannelLayout } from "./filled-channels.ts";

/** More products than so many times the needed ones are not worth the blocks (25 channels as 32, both ways: 1.64). */
const MAX_WASTE = 5 / 3;

/** The images of a convolution, whether it, its data gradient or its weight gradient is computed: x before it, y behind. */
export interface Sides {
  readonly x: Value;
  readonly y: Value;
  readonly group: number;
  /** Each channel by itself. */
  readonly depthwise: boolean;
}
const IMAGES = new Map<unknown, (node: Node) => readonly (Value | undefined)[]>([
  [Conv, ({ inputs, outputs }) => [inputs[0], outputs[0]]],
  [ConvTranspose, ({ inputs, outputs }) => [outputs[0], inputs[0]]],
  [ConvWeightGrad, ({ inputs }) => inputs],
]);
export const sidesOf = (node: Node): Sides | undefined => {
  const [x, y] = IMAGES.get(node.op)?.(node) ?? [];
  if (x?.shape.length !== 4 || x.dtype !== "float32" || !y) return undefined;
  const group = node.attributes["group"] as number;
  return { x, y, group, depthwise: group > 1 && group === x.shape[1] && group === y.shape[1] };
};

/** The layout of every image that is to have another than its own; images that belong together have the same. */
export const layoutsOf = (graph: Graph, block: number): ReadonlyMap<Value, ChannelLayout> => {
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
    if (from !== to) parents.set(to, from);
    members.add(a).add(b);
  };
  const convs = graphNodes(graph).flatMap((node) => sidesOf(node) ?? []);
  for (const { x, y, depthwise } of convs) {
    members.add(x).add(y);
    if (depthwise) join(x, y);
  }
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
  // Groups first: their layout serves other convolutions too, but theirs no groups.
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

/** Whether a node, where its images are zero, gives finite numbers that end in zeros or are multiplied by them, channel by channel. */
export const keepsZeros = (node: Node): boolean => {
  const { op, inputs, outputs, attributes } = node;
  if (!isImage(outputs[0]!)) return false;
  if (isElementwise(node)) return op !== Exp && (op !== Div || isScalar(inputs[1]!));
  if (op === BatchNormalization) return (attributes["epsilon"] as number) > 0;
  if (isReduction(node)) return keepsAxes(node) && !axesOf(node).includes(1);
  return op === GlobalAveragePool || ((op === MaxPool || op === AveragePool) && outputs.length === 1);
};
export const isReduction = ({ op, inputs }: Node): boolean =>
  (op === ReduceMean || op === ReduceSum) && isImage(inputs[0]!);
export const keepsAxes = ({ attributes }: Node): boolean => attributes["keepdims"] === 1;
/** Axes of a reduction; all where none are named. */
export const axesOf = ({ inputs }: Node): readonly number[] => {
  const axes = intsOf(inputs[1]) ?? [];
  return normalizeAxes(axes.length > 0 ? axes : [0, 1, 2, 3], 4);
};
