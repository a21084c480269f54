import { fromFloat64, sizeOf } from "../core/index.ts";
import { constant, elements, type Value } from "../graph/index.ts";
import { scale } from "./arithmetic.ts";
import { averagePool } from "./average-pool.ts";
import { convTranspose } from "./conv-transpose.ts";
import { pad } from "./pad.ts";
import { reshape } from "./reshape.ts";
import { upsample } from "./resize.ts";
import { slice } from "./slice.ts";
import { explicit, remainders, type Window } from "./window.ts";

/** A constant of `like`'s element type. */
export const constantLike = (like: Value, data: ArrayLike<number>, shape: readonly number[]): Value =>
  constant(fromFloat64(Float64Array.from(data), like.dtype, shape));

/** Whether the windows lie side by side without padding, overlap or holes (a rest at the far side may remain). */
export const tiles = ({ kernel, strides, dilations, begin, image, grid }: Window): boolean =>
  kernel.every(
    (k, i) => k === strides[i] && (k === 1 || dilations[i] === 1) && begin[i] === 0 && grid[i]! * k <= image[i]!,
  );

/** The image part that tiling windows cover. */
export const covered = (x: Value, { grid, kernel, image }: Window): Value => {
  const sizes = grid.map((n, i) => n * kernel[i]!);
  return sizes.every((d, i) => d === image[i]) ? x : crop(x, sizes);
};

/** The first elements of each spatial axis. */
export const crop = (x: Value, sizes: readonly number[]): Value =>
  slice(
    x,
    sizes.map(() => 0),
    sizes,
    sizes.map((_, i) => i + 2),
  );

/** Appends zeros to the spatial axes up to the given sizes. */
export const grow = (x: Value, sizes: readonly number[]): Value => {
  const missing = sizes.map((size, i) => size - x.shape[i + 2]!);
  return missing.every((d) => d === 0) ? x : pad(x, [0, 0, ...missing.map(() => 0), 0, 0, ...missing]);
};

/** Adds the number of each window position to all cells under the window: the transpose of summing over windows. */
export const spread = (g: Value, window: Window): Value => {
  if (tiles(window)) return grow(upsample(g, window.kernel), window.image);
  return slides(window) ? spreadByAverage(g, window) : spreadByConv(g, window);
};

/** Whether the windows move one cell at a time. */
const slides = ({ strides, dilations, kernel, begin, end }: Window): boolean =>
  strides.every((s, i) => s === 1 && dilations[i] === 1 && begin[i]! < kernel[i]! && end[i]! < kernel[i]!);

/** Windows that move cell by cell: the transpose is such a window sum again. */
const spreadByAverage = (g: Value, { kernel, begin, end }: Window): Value => {
  const pads = [...begin, ...end].map((p, i) => kernel[i % kernel.length]! - 1 - p);
  return scale(averagePool(g, kernel, { pads, count_include_pad: 1 }), sizeOf(kernel));
};

/** Any window: a transposed convolution of single planes with ones. */
const spreadByConv = (g: Value, window: Window): Value => {
  const { image, kernel, grid, begin, end } = window,
    left = remainders(window);
  const planes = reshape(g, [elements(g.shape.slice(0, 2)), 1, ...grid]),
    ones = constantLike(g, new Float64Array(sizeOf(kernel)).fill(1), [1, 1, ...kernel]);
  const y = convTranspose(planes, ones, undefined, {
    ...explicit(window),
    // In ceil mode the last window may hang over: what lies there is cut like padding.
    pads: [...begin, ...end.map((e, i) => e + Math.max(0, -left[i]!))],
    output_padding: left.map((rest) => Math.max(0, rest)),
  });
  return reshape(y, [...g.shape.slice(0, 2), ...image]);
};
