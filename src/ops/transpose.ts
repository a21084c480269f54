import { TemperError } from "../core/index.ts";
import { attr, defineOp, emit, type Shape, type Value } from "../graph/index.ts";
import { transpose64 } from "./reference.ts";

const orderOf = (shape: Shape, perm: readonly number[] | undefined): readonly number[] => {
  const rank = shape.length;
  const order = perm ?? shape.map((_, i) => rank - 1 - i);
  if (order.length === rank && shape.every((_, i) => order.includes(i))) return order;
  throw new TemperError("bad-shape", `perm [${order.join(", ")}] is not a permutation of ${rank} axes.`);
};

/** Axes in the order `perm`; absent: reversed. Source: ONNX Transpose. */
export const Transpose = defineOp({
  name: "Transpose",
  arity: [1, 1],
  attributes: { perm: attr.ints() },
  infer: ([x], { perm }) => [{ dtype: x.dtype, shape: orderOf(x.shape, perm).map((axis) => x.shape[axis]!) }],
  vjp: ({ g, inputs: [x], attributes: { perm } }) => {
    const order = orderOf(x.shape, perm);
    return [
      transpose(
        g,
        order.map((_, i) => order.indexOf(i)),
      ),
    ];
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
