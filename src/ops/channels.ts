import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import type { Array64, Value } from "../graph/index.ts";
import { div, scalarLike, scale } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";

/** @throws TemperError `bad-shape` where the bias is not one number a channel */
export const checkBias = (bias: Value | undefined, channels: number): void => {
  if (bias && !sameShape(bias.shape, [channels]))
    throw new TemperError("bad-shape", `bias must be [${channels}], got ${formatShape(bias.shape)}.`);
};

/** Starts an output [batch, channels, ...] with the bias of each channel. */
export const biased = (shape: readonly number[], bias: Array64 | undefined, dtype: Array64["dtype"]): Array64 => {
  const out = zeros64(shape, dtype),
    per = sizeOf(shape.slice(2));
  if (bias)
    for (let i = 0; i * per < out.data.length; i++) out.data.fill(bias.data[i % shape[1]!]!, i * per, (i + 1) * per);
  return out;
};

/** Gradient of a channel-wise bias: sum over everything but axis 1. */
export const sumChannels = (g: Value): Value => reduceSum(g, [0, ...g.shape.slice(2).map((_, i) => i + 2)]);

/** One number a channel, shaped to broadcast against x [N, C, ...]. */
export const perChannel = (v: Value, x: Value): Value => reshape(v, [v.shape[0]!, ...x.shape.slice(2).map(() => 1)]);

/** x / count: as a product where that is exact, because runtimes keep their fast layouts through products. */
export const divided = (x: Value, count: number): Value =>
  Number.isInteger(Math.log2(count)) ? scale(x, 1 / count) : div(x, scalarLike(x, count));
