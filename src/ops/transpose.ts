import { sizeOf, TemperError } from "../core/index.ts";
import { type Array64, attr, defineOp, emit, type Shape, type Value } from "../graph/index.ts";
import { stridesOf, zeros64 } from "./reference.ts";

const orderOf = (shape: Shape, perm: readonly number[] | undefined): readonly number[] => {
  const rank = shape.length;
  const order = perm ?? shape.map((_, i) => rank - 1 - i);
  if (order.length === rank && shape.every((_, i) => order.includes(i))) return order;
  throw new TemperError("bad-shape", `perm [${order.join(", ")}] is not a permutation of ${rank} axes.`);
};

/** Copies x with its axes in another order; the innermost loop runs over the last axis of the output. */
export const transpose64 = (x: Array64, order: readonly number[]): Array64 => {
  const shape = order.map((axis) => x.shape[axis]!),
    out = zeros64(shape, x.dtype);
  if (shape.length === 0) return { ...out, data: x.data };
  const from = stridesOf(x.shape),
    steps = order.map((axis) => from[axis]!);
  const inner = shape.at(-1)!,
    innerStep = steps.at(-1)!,
    rows = sizeOf(shape.slice(0, -1));
  const at = new Array<number>(shape.length - 1).fill(0);
  for (let row = 0, offset = 0, to = 0; row < rows; row++) {
    for (let i = 0, k = offset; i < inner; i++, k += innerStep) out.data[to++] = x.data[k]!;
    for (let axis = at.length - 1; axis >= 0; axis--) {
      offset += steps[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      offset -= steps[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
  return out;
};

/** Axes in the order `perm`; absent: reversed. Source: ONNX Transpose. */
export const Transpose = defineOp({
  name: "Transpose",
  arity: [1, 1],
  attributes: { perm: attr.ints() },
  infer: ([x], { perm }) => [{ dtype: x.dtype, shape: orderOf(x.shape, perm).map((axis) => x.shape[axis]!) }],
  vjp: ({ g, inputs: [x], attributes: { perm } }) => {
    const order = orderOf(x.shape, perm);
    return [transpose(g, order.map((_, i) => order.indexOf(i)))]; // prettier-ignore
  },
  reference: ([x], { perm }) => [transpose64(x, orderOf(x.shape, perm))],
});

/** x with its axes in the order `perm` (absent: reversed); x itself where nothing moves. */
export const transpose = (x: Value, perm?: readonly number[]): Value =>
  orderOf(x.shape, perm).every((axis, i) => axis === i) ? x : emit(Transpose, [x], { perm: orderOf(x.shape, perm) });

/** The permutation that moves one axis to another place. */
export const movedAxis = (rank: number, from: number, to: number): number[] => {
  const order = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== from);
  order.splice(to, 0, from);
  return order;
};
