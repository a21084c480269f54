import { formatShape, sameShape, TemperError } from "../core/index.ts";
import {
  attr,
  defineOp,
  dimOf,
  elements,
  emit,
  type Extent,
  extentsOf,
  ints,
  knownExtents,
  type Shape,
  type Value,
} from "../graph/index.ts";

/** Resolves a target shape with 0 (copy) and -1 (infer) against the elements that there are. */
const resolveShape = (x: Shape, target: readonly Extent[], allowZero: boolean): Shape => {
  const dims = target.map((e, i) => (e === 0 && !allowZero ? x[i]! : e === -1 ? NaN : dimOf(e)));
  if (dims.some((d) => d === undefined))
    throw new TemperError("bad-shape", "a 0 in the target shape points past the input's axes.");
  const open = dims.flatMap((d, i) => (Number.isNaN(d) ? [i] : []));
  if (open.length > 1) throw new TemperError("bad-shape", "a target shape may hold -1 once.");
  const total = elements(x),
    rest = elements(dims.filter((d) => !Number.isNaN(d)));
  const inferred = rest === 0 ? 0 : total / rest;
  // total and rest both hold N: the quotient is a plain number; only total holds it: a negative one, so many N
  const size = total < 0 && rest < 0 ? Math.abs(inferred) : inferred;
  const shape = dims.map((d) => (Number.isNaN(d) ? size : d));
  if (!shape.every(Number.isInteger) || elements(shape) !== total)
    throw new TemperError(
      "bad-shape",
      `${formatShape(x)} cannot become [${target.map((e) => (typeof e === "number" ? e : `${e.batches}N`)).join(", ")}].`,
    );
  return shape;
};

/** x with the shape in input 1 (0 copies, -1 infers). Source: ONNX Reshape. */
export const Reshape = defineOp({
  name: "Reshape",
  arity: [2, 2],
  attributes: { allowzero: attr.int(0) },
  infer: ([x, shape], a) => [
    { dtype: x.dtype, shape: resolveShape(x.shape, knownExtents(shape, "shape"), a.allowzero === 1) },
  ],
  vjp: ({ g, inputs: [x] }) => [reshape(g, x.shape)],
  reference: ([x, shape], a) => [{ ...x, shape: resolveShape(x.shape, Array.from(shape.data), a.allowzero === 1) }],
  extents: ([x]) => extentsOf(x),
});

/** x in another shape with as many elements; at most one dimension may hold the batch size. */
export const reshape = (x: Value, shape: Shape): Value => {
  if (sameShape(x.shape, shape)) return x;
  if (elements(shape) !== elements(x.shape))
    throw new TemperError("bad-shape", `${formatShape(x.shape)} cannot become ${formatShape(shape)}.`);
  return emit(Reshape, [x, ints(shape.map((d) => (d < 0 ? -1 : d)))], {
    allowzero: shape.includes(0) && !shape.some((d) => d < 0) ? 1 : 0,
  });
};
