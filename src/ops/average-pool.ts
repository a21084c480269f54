import { attr, defineOp, emit, type Value } from "../graph/index.ts";
import { div } from "./arithmetic.ts";
import { divided } from "./channels.ts";
import { divisors, overWindows, poolType, poolWindow } from "./pool-geometry.ts";
import { zeros64 } from "./reference.ts";
import { constantLike, spread } from "./spread.ts";
import { type Window, windowAttributes } from "./window.ts";

/** g divided by the number of cells under each window: one factor where they are equal, else a constant map. */
const perCell = (g: Value, window: Window, includePad: boolean): Value => {
  const counts = divisors(window, includePad);
  return counts.every((n) => n === counts[0]) ? divided(g, counts[0]!) : div(g, constantLike(g, counts, window.grid));
};

/**
 * Mean under each window of x [N, C, ...]. Padding counts as zeros if `count_include_pad`; what ceil mode adds behind
 * never counts. Source: ONNX AveragePool, opset 19.
 */
export const AveragePool = defineOp({
  name: "AveragePool",
  arity: [1, 1],
  attributes: { ...windowAttributes, ceil_mode: attr.int(0), count_include_pad: attr.int(0) },
  infer: ([x], a) => [poolType(x, poolWindow(x.shape, a))],
  vjp: ({ g, inputs: [x], attributes: a }) => {
    const window = poolWindow(x.shape, a);
    return [spread(perCell(g, window, a.count_include_pad === 1), window)];
  },
  reference: ([x], a) => {
    const window = poolWindow(x.shape, a),
      counts = divisors(window, a.count_include_pad === 1);
    const out = zeros64([...x.shape.slice(0, 2), ...window.grid], x.dtype);
    overWindows(x, window, (position, offsets, count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += x.data[offsets[i]!]!;
      out.data[position] = sum / counts[position % counts.length]!;
    });
    return [out];
  },
});

export interface PoolOptions {
  readonly auto_pad?: string;
  readonly ceil_mode?: number;
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
  readonly strides?: readonly number[];
}
/** Mean under windows of `kernel` cells; strides default to 1. */
export const averagePool = (
  x: Value,
  kernel: readonly number[],
  options: PoolOptions & { readonly count_include_pad?: number } = {},
): Value => emit(AveragePool, [x], { ...options, kernel_shape: kernel });
