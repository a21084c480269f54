import { i64, TemperError } from "../core/index.ts";
import { type Array64, attr, constant, defineOp, emit, knownInts, normalizeAxis, type Value } from "../graph/index.ts";
import { alongAxis, zeros64 } from "./reference.ts";

/** Running sums along the axis in input 1 (an integer scalar). Source: ONNX CumSum, opset 14. */
export const CumSum = defineOp({
  name: "CumSum",
  arity: [2, 2],
  attributes: { exclusive: attr.int(0), reverse: attr.int(0) },
  infer: ([x, axis]) => {
    normalizeAxis(knownInts(axis, "axis")[0] ?? NaN, x.shape.length);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs: [, axis], attributes: { exclusive, reverse } }) => [running(g, axis, exclusive, 1 - reverse)],
  reference: ([x, axis], { exclusive, reverse }) => {
    const out = zeros64(x.shape, x.dtype);
    alongAxis(x, normalizeAxis(axis.data[0]!, x.shape.length), (start, length, stride) => {
      let sum = 0;
      for (let k = 0; k < length; k++) {
        const i = start + (reverse === 1 ? length - 1 - k : k) * stride;
        if (exclusive === 1) out.data[i] = sum;
        sum += x.data[i]!;
        if (exclusive !== 1) out.data[i] = sum;
      }
    });
    return [out];
  },
});
const running = (x: Value, axis: Value, exclusive: number, reverse: number): Value =>
  emit(CumSum, [x, axis], { exclusive, reverse });

/** The part of (stacks of) matrices on and above (or below) the k-th diagonal. Source: ONNX Trilu, opset 14. */
export const Trilu = defineOp({
  name: "Trilu",
  arity: [1, 2],
  attributes: { upper: attr.int(1) },
  infer: ([x]) => {
    if (x.shape.length < 2) throw new TemperError("bad-shape", `wants matrices, got rank ${x.shape.length}.`);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs: [, k], attributes: { upper } }) => [part(g, k, upper)],
  reference: ([x, k], { upper }) => {
    const diagonal = (k as Array64 | undefined)?.data[0] ?? 0,
      [rows, columns] = x.shape.slice(-2) as [number, number];
    const keeps = (at: number): boolean => {
      const offset = (at % columns) - (Math.floor(at / columns) % rows) - diagonal;
      return upper === 1 ? offset >= 0 : offset <= 0;
    };
    return [{ ...x, data: x.data.map((v, i) => (keeps(i) ? v : 0)) }];
  },
});
const part = (x: Value, k: Value | undefined, upper: number): Value => emit(Trilu, k ? [x, k] : [x], { upper });

/** Running sums along an axis. */
export const cumSum = (x: Value, axis: number, options: { exclusive?: boolean; reverse?: boolean } = {}): Value =>
  running(x, constant(i64([axis], [])), options.exclusive ? 1 : 0, options.reverse ? 1 : 0);
/** The upper (or lower) triangle from the k-th diagonal on. */
export const trilu = (x: Value, upper: boolean, k = 0): Value => part(x, constant(i64([k], [])), upper ? 1 : 0);
