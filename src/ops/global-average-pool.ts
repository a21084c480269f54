import { sizeOf } from "../core/index.ts";
import { defineOp, emit, type Value } from "../graph/index.ts";
import { expandTo } from "./broadcast.ts";
import { divided } from "./channels.ts";
import { globalShape } from "./pool-geometry.ts";
import { zeros64 } from "./reference.ts";

/** Mean of each channel: x [N, C, ...] -> [N, C, 1, ...]. Source: ONNX GlobalAveragePool. */
export const GlobalAveragePool = defineOp({
  name: "GlobalAveragePool",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: globalShape(x) }],
  vjp: ({ g, inputs: [x] }) => [expandTo(divided(g, sizeOf(x.shape.slice(2))), x)],
  reference: ([x]) => {
    const [batch, channels, ...image] = x.shape as [number, number, ...number[]],
      area = sizeOf(image);
    const out = zeros64([batch, channels, ...image.map(() => 1)], x.dtype);
    out.data.forEach((_, i) => {
      out.data[i] = x.data.subarray(i * area, (i + 1) * area).reduce((a, b) => a + b) / area;
    });
    return [out];
  },
});
export const globalAveragePool = (x: Value): Value => emit(GlobalAveragePool, [x]);
