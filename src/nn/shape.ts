import { f32, sizeOf, TemperError } from "../core/index.ts";
import { constant } from "../graph/index.ts";
import {
  averagePool,
  clip,
  globalAveragePool,
  maxPool,
  mul,
  relu as reluOf,
  reshape,
  scalarLike,
  sub,
} from "../ops/index.ts";
import { type Layer, pure } from "./layer.ts";

/** Layers without weights. */
export const relu: Layer = pure(reluOf);

/** min(max(x, 0), 6). */
export const relu6: Layer = pure((x) => clip(x, scalarLike(x, 0), scalarLike(x, 6)));

/** [n, c, h, w] -> [n, c h w]. */
export const flatten: Layer = pure((x) => reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]));

/** Mean of every channel: [n, c, h, w] -> [n, c]. */
export const globalAverage: Layer = pure((x) => reshape(globalAveragePool(x), x.shape.slice(0, 2)));

export const maxPool2d = (kernel: number, stride = kernel, padding = 0): Layer =>
  pure((x) => maxPool(x, [kernel, kernel], pooling(stride, padding)));
/** Mean under windows; zeros outside of the image do not count. */
export const averagePool2d = (kernel: number, stride = kernel, padding = 0): Layer =>
  pure((x) => averagePool(x, [kernel, kernel], pooling(stride, padding)));
const pooling = (stride: number, padding: number): { strides: number[]; pads: number[] } => ({
  strides: [stride, stride],
  pads: [padding, padding, padding, padding],
});

/**
 * (x - mean) / std a channel; x [n, c, h, w]. One number stands for all channels.
 * @throws TemperError `bad-option`: a length other than 1 or c, or a std that is not above 0
 */
export const standardize = (channels: number, mean: readonly number[], std: readonly number[]): Layer => {
  for (const [name, values] of Object.entries({ mean, std }))
    if ((values.length !== 1 && values.length !== channels) || !values.every(Number.isFinite))
      throw new TemperError(
        "bad-option",
        `${name} must be 1 or ${channels} numbers (one a channel), got [${values.join(", ")}].`,
      );
  if (!std.every((s) => s > 0)) throw new TemperError("bad-option", `std must be above 0, got [${std.join(", ")}].`);
  const offset = constant(f32(mean, [mean.length, 1, 1])),
    factor = constant(
      f32(
        std.map((s) => 1 / s),
        [std.length, 1, 1],
      ),
    );
  return pure((x) => mul(sub(x, offset), factor));
};

/** Rows or columns that a window gives: floor((size + 2 padding - kernel) / stride) + 1. */
export const windowed = (size: number, kernel: number, stride = 1, padding = 0): number =>
  Math.floor((size + 2 * padding - kernel) / stride) + 1;
