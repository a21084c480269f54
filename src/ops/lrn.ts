import { formatShape, sizeOf, TemperError } from "../core/index.ts";
import { attr, defineOp, elements, emit, type Value } from "../graph/index.ts";
import { addScalar, mul, scale, sub } from "./arithmetic.ts";
import { matmul } from "./matmul.ts";
import { powScalar } from "./power.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { constantLike } from "./spread.ts";
import { square } from "./unary.ts";

/** First and last channel of the neighbourhood of c: floor((size - 1) / 2) before, ceil((size - 1) / 2) after. */
const neighbours = (c: number, channels: number, size: number): [number, number] => [
  Math.max(0, c - Math.floor((size - 1) / 2)),
  Math.min(channels - 1, c + Math.ceil((size - 1) / 2)),
];

/** Sums over the neighbourhood of each channel, as a product with a constant band matrix. */
const sumNeighbours = (x: Value, size: number, transposed: boolean): Value => {
  const channels = x.shape[1]!,
    band = new Float64Array(channels * channels);
  for (let c = 0; c < channels; c++) {
    const [from, to] = neighbours(c, channels, size);
    for (let k = from; k <= to; k++) band[transposed ? k * channels + c : c * channels + k] = 1;
  }
  const rows = reshape(x, [...x.shape.slice(0, 2), elements(x.shape.slice(2))]);
  return reshape(matmul(constantLike(x, band, [channels, channels]), rows), x.shape);
};

/**
 * x / s^beta with s = bias + alpha / size · sum of the squares of the `size` channels around. Source: ONNX LRN.
 */
export const LRN = defineOp({
  name: "LRN",
  arity: [1, 1],
  attributes: { alpha: attr.float(1e-4), beta: attr.float(0.75), bias: attr.float(1), size: attr.int() },
  infer: ([x], { size }) => {
    if (x.shape.length < 3 || x.shape[1]! < 1)
      throw new TemperError("bad-shape", `wants [N, C, ...], got ${formatShape(x.shape)}.`);
    if (!size || size < 1) throw new TemperError("bad-shape", `size must be at least 1, got ${size}.`);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  // dx = g s^-beta - 2 alpha beta / size · x · B'(g x s^(-beta-1)), B' the transposed neighbourhood sum
  vjp: ({ g, inputs: [x], attributes: { alpha, beta, bias, size } }) => {
    const s = addScalar(scale(sumNeighbours(square(x), size!, false), alpha / size!), bias);
    const through = sumNeighbours(mul(mul(g, x), powScalar(s, -beta - 1)), size!, true);
    return [sub(mul(g, powScalar(s, -beta)), scale(mul(x, through), (2 * alpha * beta) / size!))];
  },
  reference: ([x], { alpha, beta, bias, size }) => {
    const [batch, channels] = x.shape as [number, number],
      area = sizeOf(x.shape.slice(2)),
      out = zeros64(x.shape, x.dtype);
    for (let n = 0; n < batch; n++)
      for (let c = 0; c < channels; c++) {
        const [from, to] = neighbours(c, channels, size!);
        for (let i = 0; i < area; i++) {
          let sum = 0;
          for (let k = from; k <= to; k++) sum += x.data[(n * channels + k) * area + i]! ** 2;
          const at = (n * channels + c) * area + i;
          out.data[at] = x.data[at]! / (bias + (alpha / size!) * sum) ** beta;
        }
      }
    return [out];
  },
});
export const lrn = (
  x: Value,
  size: number,
  options: { readonly alpha?: number; readonly beta?: number; readonly bias?: number } = {},
): Value => emit(LRN, [x], { ...options, size });
