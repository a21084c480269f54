import { formatShape, sameShape, TemperError } from "../core/index.ts";
import {
  type Array64,
  attr,
  defineOp,
  dimOf,
  elements,
  emit,
  knownExtents,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { gatherElements } from "./gather.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { spatialList, spatialOf } from "./window.ts";

interface UnpoolAttributes {
  readonly kernel_shape: readonly number[] | undefined;
  readonly pads: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
}

/** The shape that the window attributes undo to: (size - 1) stride + kernel - pads. */
const pooledFrom = (x: Shape, a: UnpoolAttributes): Shape => {
  const spatial = spatialOf(x),
    rank = spatial.length;
  if (!a.kernel_shape?.length) throw new TemperError("bad-shape", "needs kernel_shape.");
  const kernel = spatialList("kernel_shape", a.kernel_shape, rank, 1, 1),
    strides = spatialList("strides", a.strides, rank, 1, 1),
    pads = spatialList("pads", a.pads, 2 * rank, 0, 0);
  const sizes = spatial.map((size, i) => (size - 1) * strides[i]! + kernel[i]! - pads[i]! - pads[i + rank]!);
  return [...x.slice(0, 2), ...sizes];
};

/** @throws TemperError `bad-shape`: the wanted shape is smaller than what the attributes undo to */
const unpooledShape = (x: Shape, a: UnpoolAttributes, wanted: Shape | undefined): Shape => {
  const from = pooledFrom(x, a);
  if (!wanted) return from;
  const fits = wanted.length === x.length && wanted.every((d, i) => (i < 2 ? d === x[i] : d >= from[i]!));
  if (!fits)
    throw new TemperError("bad-shape", `output_shape ${formatShape(wanted)} is smaller than ${formatShape(from)}.`);
  return wanted;
};

const checkPositions = (x: Value | Array64, positions: Value | Array64): void => {
  if (!sameShape(x.shape, positions.shape))
    throw new TemperError(
      "bad-shape",
      `positions must be ${formatShape(x.shape)}, got ${formatShape(positions.shape)}.`,
    );
};

/**
 * Zeros with x at the flat positions in input 1, as MaxPool gave them. Input 2: the output shape, where the attributes
 * undo to a smaller one. Source: ONNX MaxUnpool, opset 11. Differs: positions always refer to the output (as MaxPool's
 * do, and as ONNX Runtime has it), not to the smaller shape.
 */
export const MaxUnpool = defineOp({
  name: "MaxUnpool",
  arity: [2, 3],
  attributes: { kernel_shape: attr.ints(), pads: attr.ints(), strides: attr.ints() },
  infer: ([x, positions, wanted], a) => {
    checkPositions(x, positions);
    const shape = wanted && knownExtents(wanted, "output_shape").map(dimOf);
    return [{ dtype: x.dtype, shape: unpooledShape(x.shape, a, shape) }];
  },
  vjp: ({ g, inputs: [x, positions] }) => {
    const flat = (v: Value): Value => reshape(v, [elements(v.shape)]);
    return [reshape(gatherElements(flat(g), flat(positions), 0), x.shape)];
  },
  reference: ([x, positions, wanted], a) => {
    checkPositions(x, positions);
    const shape = unpooledShape(x.shape, a, wanted && Array.from(wanted.data)),
      out = zeros64(shape, x.dtype);
    positions.data.forEach((at, i) => {
      if (!(at >= 0 && at < out.data.length))
        throw new TemperError("bad-shape", `MaxUnpool: position ${at} lies outside ${formatShape(shape)}.`);
      out.data[at] = x.data[i]!;
    });
    return [out];
  },
});

/** Undoes {@link maxPoolWithPositions}: x back at its positions, zeros elsewhere. */
export const maxUnpool = (
  x: Value,
  positions: Value,
  kernel: readonly number[],
  options: { readonly strides?: readonly number[]; readonly pads?: readonly number[] } = {},
): Value => emit(MaxUnpool, [x, positions], { ...options, kernel_shape: kernel });
