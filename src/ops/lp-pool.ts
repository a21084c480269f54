import { TemperError } from "../core/index.ts";
import { attr, defineOp, emit, type Value } from "../graph/index.ts";
import { abs } from "./activation.ts";
import { mul } from "./arithmetic.ts";
import type { PoolOptions } from "./average-pool.ts";
import { sign } from "./discrete.ts";
import { overWindows, poolType, poolWindow } from "./pool-geometry.ts";
import { powScalar } from "./power.ts";
import { zeros64 } from "./reference.ts";
import { spread } from "./spread.ts";
import { windowAttributes } from "./window.ts";

/**
 * (sum |x|^p)^(1/p) under each window of x [N, C, ...]; p >= 1. The gradient is undefined where a window holds only
 * zeros. Source: ONNX LpPool, opset 18.
 */
export const LpPool = defineOp({
  name: "LpPool",
  arity: [1, 1],
  attributes: { ...windowAttributes, ceil_mode: attr.int(0), p: attr.int(2) },
  infer: ([x], a) => {
    if (a.p < 1) throw new TemperError("bad-shape", `p must be at least 1, got ${a.p}.`);
    return [poolType(x, poolWindow(x.shape, a))];
  },
  // dy/dx = sign(x) (|x| / y)^(p-1)
  vjp: ({ g, inputs: [x], outputs: [y], attributes: a }) => {
    const window = poolWindow(x.shape, a);
    const shared = spread(a.p === 1 ? g : mul(g, powScalar(y, 1 - a.p)), window);
    if (a.p === 2) return [mul(shared, x)];
    return [mul(shared, a.p === 1 ? sign(x) : mul(sign(x), powScalar(abs(x), a.p - 1)))];
  },
  reference: ([x], a) => {
    const window = poolWindow(x.shape, a);
    const out = zeros64([...x.shape.slice(0, 2), ...window.grid], x.dtype);
    overWindows(x, window, (position, offsets, count) => {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += Math.abs(x.data[offsets[i]!]!) ** a.p;
      out.data[position] = sum ** (1 / a.p);
    });
    return [out];
  },
});
export const lpPool = (
  x: Value,
  kernel: readonly number[],
  options: PoolOptions & { readonly p?: number } = {},
): Value => emit(LpPool, [x], { ...options, kernel_shape: kernel });
