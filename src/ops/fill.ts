import { type DType, i64, type Tensor, TemperError, toFloat64, zeros } from "../core/index.ts";
import {
  attr,
  constant,
  defineOp,
  dimOf,
  elements,
  emit,
  type Extent,
  extentOf,
  type Inputs,
  knownExtents,
  type Value,
} from "../graph/index.ts";
import { dtypeOf } from "../onnx/index.ts";
import { array64, zeros64 } from "./reference.ts";

/** More elements than any tensor of this runtime can have; guards against shapes made up by malformed files. */
const MAX_FILL = 2 ** 31;

/** A tensor of the shape in input 0, filled with one number. Source: ONNX ConstantOfShape, opset 20. */
export const ConstantOfShape = defineOp({
  name: "ConstantOfShape",
  arity: [1, 1],
  attributes: { value: attr.tensor(zeros("float32", [1])) },
  infer: ([shape], { value }) => {
    const dims = knownExtents(shape, "shape").map(dimOf);
    if (value.data.length !== 1 || Math.abs(elements(dims)) > MAX_FILL)
      throw new TemperError("bad-shape", "wants a value of one element and a shape of less than 2^31 elements.");
    return [{ dtype: value.dtype, shape: dims }];
  },
  zeroGradient: "the shape is an integer",
  reference: ([shape], { value }) => {
    const out = zeros64(Array.from(shape.data), value.dtype);
    out.data.fill(toFloat64(value)[0]!);
    return [out];
  },
});

const rangeLength = (start: number, limit: number, delta: number): number =>
  Math.max(0, Math.ceil((limit - start) / delta));
const scalarExtent = (v: Value, what: string): Extent => knownExtents(v, what)[0]!;

/** start, start + delta, ... up to but without limit. Source: ONNX Range, opset 11. */
export const Range = defineOp({
  name: "Range",
  arity: [3, 3],
  infer: ([start, limit, delta]) => {
    const [s, l, d] = [scalarExtent(start, "start"), scalarExtent(limit, "limit"), scalarExtent(delta, "delta")];
    const { dtype } = start;
    if (typeof s === "number" && typeof l === "number" && typeof d === "number" && d !== 0) {
      const length = rangeLength(s, l, d);
      if (length <= MAX_FILL) return [{ dtype, shape: [length] }];
    }
    if (s === 0 && d === 1 && typeof l !== "number") return [{ dtype, shape: [dimOf(l)] }];
    throw new TemperError("unsupported", "the length must be known, or the batch size with start 0 and delta 1.");
  },
  zeroGradient: "start, limit and delta are fixed when the graph is built",
  reference: ([start, limit, delta]) => {
    const [s, l, d] = [start.data[0]!, limit.data[0]!, delta.data[0]!];
    const length = rangeLength(s, l, d);
    return [
      array64(
        [length],
        Float64Array.from({ length }, (_, i) => s + i * d),
        start.dtype,
      ),
    ];
  },
});

/** Number of elements of x as an int64 scalar. Source: ONNX Size. */
export const Size = defineOp({
  name: "Size",
  arity: [1, 1],
  infer: () => [{ dtype: "int64", shape: [] }],
  zeroGradient: "a size does not depend on the elements",
  reference: ([x]) => [array64([], Float64Array.of(x.data.length), "int64")],
  extents: ([x]: Inputs) => [extentOf(elements(x.shape))],
});

/** Ones on the k-th diagonal, in the shape of input 0 (a matrix). Source: ONNX EyeLike. */
export const EyeLike = defineOp({
  name: "EyeLike",
  arity: [1, 1],
  attributes: { dtype: attr.int(), k: attr.int(0) },
  infer: ([x], { dtype }) => {
    if (x.shape.length !== 2) throw new TemperError("bad-shape", `wants a matrix, got rank ${x.shape.length}.`);
    return [{ dtype: eyeType(x.dtype, dtype), shape: x.shape }];
  },
  zeroGradient: "only the shape of the input counts",
  reference: ([x], { dtype, k }) => {
    const out = zeros64(x.shape, eyeType(x.dtype, dtype)),
      [rows, columns] = x.shape as [number, number];
    for (let i = 0; i < rows; i++) if (i + k >= 0 && i + k < columns) out.data[i * columns + i + k] = 1;
    return [out];
  },
});
const eyeType = (own: DType, code: number | undefined): DType => {
  const dtype = code === undefined ? own : dtypeOf(code);
  if (dtype) return dtype;
  throw new TemperError("unsupported", `dtype = ${code} is no element type that tensors here may have.`);
};

/** A tensor of one number in a shape given by a value; see {@link ConstantOfShape}. */
export const constantOfShape = (shape: Value, value: Tensor): Value => emit(ConstantOfShape, [shape], { value });
/** 0, 1, ... limit - 1 as int64; limit is an int64 scalar. */
export const rangeTo = (limit: Value): Value => emit(Range, [constant(i64([0], [])), limit, constant(i64([1], []))]);
export const size = (x: Value): Value => emit(Size, [x]);
