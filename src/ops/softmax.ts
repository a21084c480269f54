import { attr, defineOp, emit, normalizeAxis, type OpType, type Value } from "../graph/index.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { alongAxis, zeros64 } from "./reference.ts";
import { exp } from "./unary.ts";

const attributes = { axis: attr.int(-1) };
type Normalizer = OpType<{ readonly axis: number }> & { readonly attributes: typeof attributes };

/** @param entry  an element of the output, from the maximum of its line and the sum of e^(x - maximum) */
const normalizer = (
  name: string,
  entry: (x: number, top: number, sum: number) => number,
  pull: (g: Value, y: Value, axis: number) => Value,
): Normalizer =>
  defineOp({
    name,
    arity: [1, 1],
    attributes,
    infer: ([x], { axis }) => {
      normalizeAxis(axis, x.shape.length);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    vjp: ({ g, outputs: [y], attributes: { axis } }) => [pull(g, y, axis)],
    reference: ([x], { axis }) => {
      const out = zeros64(x.shape, x.dtype);
      alongAxis(x, normalizeAxis(axis, x.shape.length), (start, length, stride) => {
        const end = start + length * stride;
        let top = -Infinity,
          sum = 0;
        for (let i = start; i < end; i += stride) top = Math.max(top, x.data[i]!);
        for (let i = start; i < end; i += stride) sum += Math.exp(x.data[i]! - top);
        for (let i = start; i < end; i += stride) out.data[i] = entry(x.data[i]!, top, sum);
      });
      return [out];
    },
  });

/** e^x over its sum along an axis. Source: ONNX Softmax, opset 13. */
export const Softmax = normalizer(
  "Softmax",
  (x, top, sum) => Math.exp(x - top) / sum,
  (g, y, axis) => mul(y, sub(g, reduceSum(mul(g, y), [axis], true))),
);
/** Logarithm of {@link Softmax}. */
export const LogSoftmax = normalizer(
  "LogSoftmax",
  (x, top, sum) => x - top - Math.log(sum),
  (g, y, axis) => sub(g, mul(exp(y), reduceSum(g, [axis], true))),
);

/** 1 at the first maximum along an axis, else 0. Source: ONNX Hardmax, opset 13. */
export const Hardmax = defineOp({
  name: "Hardmax",
  arity: [1, 1],
  attributes,
  infer: ([x], { axis }) => {
    normalizeAxis(axis, x.shape.length);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  zeroGradient: "the place of a maximum is constant between ties",
  reference: ([x], { axis }) => {
    const out = zeros64(x.shape, x.dtype);
    alongAxis(x, normalizeAxis(axis, x.shape.length), (start, length, stride) => {
      let best = start;
      for (let i = start; i < start + length * stride; i += stride) if (x.data[i]! > x.data[best]!) best = i;
      if (length > 0) out.data[best] = 1;
    });
    return [out];
  },
});

export const softmax = (x: Value, axis = -1): Value => emit(Softmax, [x], { axis });
export const logSoftmax = (x: Value, axis = -1): Value => emit(LogSoftmax, [x], { axis });
