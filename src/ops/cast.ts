import { type DType, DTYPES, TemperError } from "../core/index.ts";
import { type Array64, attr, defineOp, emit, type Extent, extentsOf, type Value } from "../graph/index.ts";
import { dataTypeOf, dtypeOf } from "../onnx/index.ts";
import { array64 } from "./reference.ts";

const isFloat = (dtype: DType): boolean => dtype.includes("float");
const isWide = (dtype: DType): boolean => dtype === "int64" || dtype === "uint64";

const target = (code: number | undefined): DType => {
  const dtype = code === undefined ? undefined : dtypeOf(code);
  if (dtype) return dtype;
  throw new TemperError("unsupported", `to = ${code} is no element type that tensors here may have.`);
};

/** Floats pass unrounded: the reference stays float64. Integers truncate and wrap, bool is 0 or 1. */
const cast64 = (x: Array64, dtype: DType): Array64 => {
  if (isFloat(dtype)) return { ...x, dtype };
  if (dtype === "bool")
    return array64(
      x.shape,
      x.data.map((v) => (v === 0 ? 0 : 1)),
      dtype,
    );
  if (isWide(dtype)) return array64(x.shape, x.data.map(Math.trunc), dtype);
  return array64(x.shape, Float64Array.from((DTYPES[dtype] as typeof Int32Array).from(x.data)), dtype);
};

/** x in another element type. Gradients pass between float types only. Source: ONNX Cast, opset 19. */
export const Cast = defineOp({
  name: "Cast",
  arity: [1, 1],
  attributes: { to: attr.int(), saturate: attr.int(1) },
  infer: ([x], { to }) => [{ dtype: target(to), shape: x.shape }],
  vjp: ({ g, inputs: [x] }) => [cast(g, x.dtype)],
  reference: ([x], { to }) => [cast64(x, target(to))],
  extents: ([x], { to }) => castExtents(extentsOf(x), target(to)),
});
/** Multiples of the batch size survive into types that hold sizes exactly. */
const castExtents = (extents: readonly Extent[] | undefined, dtype: DType): readonly Extent[] | undefined => {
  if (!extents?.every((e) => typeof e === "number")) return isFloat(dtype) || isWide(dtype) ? extents : undefined;
  return Array.from(cast64(array64([extents.length], Float64Array.from(extents)), dtype).data);
};

/** x as another element type; x itself where it has it already. */
export const cast = (x: Value, dtype: DType): Value =>
  x.dtype === dtype ? x : emit(Cast, [x], { to: dataTypeOf(dtype) });
