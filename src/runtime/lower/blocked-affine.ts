import { constantOf, type Node, type Value } from "../../graph/index.ts";
import {
  add,
  addScalar,
  BatchNormalization,
  Add,
  div,
  Div,
  mul,
  Mul,
  neg,
  reciprocal,
  reshape,
  sqrt,
  Sub,
  sub,
} from "../../ops/index.ts";
import { blockedConv, depthwiseOf, ones, unblocked } from "./blocked.ts";

/** a x + b with numbers a channel, [C] each. */
interface Affine {
  readonly x: Value;
  /** Which input of the operator x is. */
  readonly at: number;
  readonly scale?: Value;
  readonly shift?: Value;
}

/**
 * Operators that scale and shift channels, as a depthwise convolution of size 1x1: one operator, which sums and
 * activations can join, and which the next of its kind is multiplied into, unless others read it too. Broadcasting in
 * memory order would go block by block.
 *
 * @param once  whether one node only reads a value
 * @returns the blocked result, where `node` is such an operator on a blocked value
 */
export const affine = (
  node: Node,
  inputs: readonly (Value | undefined)[],
  once: (v: Value) => boolean,
): Value | undefined => {
  const found = node.op === BatchNormalization ? normalization(node, inputs) : arithmetic(node, inputs);
  if (!found) return undefined;
  const { x, at, scale, shift } = found,
    channels = x.shape[1]!,
    before = once(node.inputs[at]!) ? depthwiseOf(x) : undefined;
  const each = (v: Value): Value => reshape(v, [channels, 1, 1, 1]);
  if (!before) return blockedConv(x, scale ? each(scale) : ones(channels), { group: channels, bias: shift });
  const moved = before.bias && scale ? mul(before.bias, scale) : before.bias;
  return blockedConv(before.x, scale ? mul(before.weights, each(scale)) : before.weights, {
    group: channels,
    bias: moved && shift ? add(moved, shift) : (moved ?? shift),
  });
};

const arithmetic = ({ op, outputs }: Node, [a, b]: readonly (Value | undefined)[]): Affine | undefined => {
  if (!a || !b) return undefined;
  const [first, second] = [unblocked(a), unblocked(b)],
    x = first ?? second;
  if (!x || (first && second)) return undefined;
  const channels = outputs[0]!.shape[1]!,
    v = first ? b : a;
  if (x.shape[1] !== channels || v.shape.at(-3) !== channels || v.shape.reduce((n, d) => n * d, 1) !== channels)
    return undefined;
  const row = reshape(v, [channels]);
  const at = first ? 0 : 1;
  if (op === Add) return { x, at, shift: row };
  if (op === Mul) return { x, at, scale: row };
  if (op === Sub && first) return { x, at, shift: neg(row) };
  return op === Div && first ? { x, at, scale: reciprocal(row) } : undefined;
};

const normalization = (
  { attributes }: Node,
  [image, weight, bias, mean, variance]: readonly (Value | undefined)[],
): Affine | undefined => {
  const x = image && unblocked(image);
  if (!x) return undefined;
  const scale = div(weight!, sqrt(addScalar(variance!, attributes["epsilon"] as number)));
  const centred = constantOf(mean)?.data.every((v) => v === 0);
  return { x, at: 0, scale, shift: centred ? bias! : sub(bias!, mul(mean!, scale)) };
};
