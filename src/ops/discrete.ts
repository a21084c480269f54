import { TemperError } from "../core/index.ts";
import { attr, constantOf, defineOp, emit, type Extent, extentsOf, type OpType, type Value } from "../graph/index.ts";
import { map64 } from "./reference.ts";

/** Whole multiples of the batch size pass rounding unchanged. */
const roundExtents =
  (f: (x: number) => number) =>
  ([x]: readonly Value[]): readonly Extent[] | undefined => {
    const extents = extentsOf(x);
    if (!extents?.every((e) => typeof e === "number" || Number.isInteger(e.batches))) return undefined;
    return extents.map((e) => (typeof e === "number" ? f(e) : e));
  };

const constantPieces = (
  name: string,
  compute: (x: number) => number,
  zeroGradient: string,
): OpType<Record<never, never>> & { attributes: {} } =>
  defineOp({
    name,
    arity: [1, 1],
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    zeroGradient,
    reference: ([x]) => [map64(x, compute)],
    ...(name !== "Sign" && { extents: roundExtents(compute) }),
  });

const ROUNDED = "a rounded number is constant between jumps";
/** Half to even, as IEEE 754 rounds. */
const round64 = (x: number): number => {
  const low = Math.floor(x),
    rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
};

export const Sign = constantPieces("Sign", Math.sign, "a sign is constant on both sides of zero");
export const Floor = constantPieces("Floor", Math.floor, ROUNDED);
export const Ceil = constantPieces("Ceil", Math.ceil, ROUNDED);
export const Round = constantPieces("Round", round64, ROUNDED);

/** Source: ONNX IsNaN. */
export const IsNaN = defineOp({
  name: "IsNaN",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: "bool", shape: x.shape }],
  zeroGradient: "a test has no derivative",
  reference: ([x]) => [map64(x, (v) => (Number.isNaN(v) ? 1 : 0), "bool")],
});

/** Source: ONNX IsInf. */
export const IsInf = defineOp({
  name: "IsInf",
  arity: [1, 1],
  attributes: { detect_negative: attr.int(1), detect_positive: attr.int(1) },
  infer: ([x]) => [{ dtype: "bool", shape: x.shape }],
  zeroGradient: "a test has no derivative",
  reference: ([x], { detect_negative, detect_positive }) => [
    map64(
      x,
      (v) => ((v === Infinity && detect_positive === 1) || (v === -Infinity && detect_negative === 1) ? 1 : 0),
      "bool",
    ),
  ],
});

/** Source: ONNX Identity. */
export const Identity = defineOp({
  name: "Identity",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ({ g }) => [g],
  reference: ([x]) => [x],
  extents: ([x]) => extentsOf(x),
});

/** Dropout as inference sees it: the input. Output 0 only. Source: ONNX Dropout, opset 13. */
export const Dropout = defineOp({
  name: "Dropout",
  arity: [1, 3],
  attributes: { seed: attr.int() },
  infer: ([x, , training]) => {
    const mode = constantOf(training);
    if (training && (!mode || Number(mode.data[0]) !== 0))
      throw new TemperError(
        "unsupported",
        "training mode is not an operator here; export the model for inference and add dropout as a layer.",
      );
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g }) => [g],
  reference: ([x]) => [x],
});

export const floor = (x: Value): Value => emit(Floor, [x]);
export const round = (x: Value): Value => emit(Round, [x]);
export const sign = (x: Value): Value => emit(Sign, [x]);
export const identity = (x: Value): Value => emit(Identity, [x]);
