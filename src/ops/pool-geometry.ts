import { sizeOf, TemperError } from "../core/index.ts";
import type { Array64, Shape, Value, ValueType } from "../graph/index.ts";
import { resolveWindow, spatialOf, type Window, type WindowAttributes } from "./window.ts";

/** @throws TemperError `bad-shape` where the kernel is missing or does not fit */
export const poolWindow = (x: Shape, a: WindowAttributes): Window => {
  if (!a.kernel_shape?.length) throw new TemperError("bad-shape", "needs kernel_shape.");
  return resolveWindow(spatialOf(x), a.kernel_shape, a);
};

/** x with one element a window position. */
export const poolType = (x: Value, { grid }: Window): ValueType => ({
  dtype: x.dtype,
  shape: [...x.shape.slice(0, 2), ...grid],
});

/**
 * Visits every window position of every channel with the flat offsets of the image cells under it, in row-major order.
 * @param visit  position in the output, offsets (the array is reused) and how many of them count
 */
export const overWindows = (
  x: Array64,
  window: Window,
  visit: (position: number, offsets: Int32Array, count: number) => void,
): void => {
  const area = sizeOf(window.image),
    cells = sizeOf(window.grid),
    planes = sizeOf(x.shape.slice(0, 2));
  const taps = new Int32Array(sizeOf(window.kernel)),
    shifted = new Int32Array(taps.length);
  for (let cell = 0; cell < cells; cell++) {
    const count = offsetsAt(window, startOf(window, cell), taps);
    for (let plane = 0; plane < planes; plane++) {
      for (let i = 0; i < count; i++) shifted[i] = plane * area + taps[i]!;
      visit(plane * cells + cell, shifted, count);
    }
  }
};

/** First cell under window position `cell`, per axis; negative in the padding. */
const startOf = ({ grid, strides, begin }: Window, cell: number): number[] => {
  const start = new Array<number>(grid.length);
  for (let axis = grid.length - 1, rest = cell; axis >= 0; axis--) {
    start[axis] = (rest % grid[axis]!) * strides[axis]! - begin[axis]!;
    rest = Math.floor(rest / grid[axis]!);
  }
  return start;
};

/** Writes the flat offsets of the cells under a window, without the padding; gives their number. */
const offsetsAt = ({ image, kernel, dilations }: Window, start: readonly number[], out: Int32Array): number => {
  let count = 0;
  const visit = (axis: number, offset: number): void => {
    for (let k = 0; k < kernel[axis]!; k++) {
      const at = start[axis]! + k * dilations[axis]!;
      if (at < 0 || at >= image[axis]!) continue;
      if (axis === image.length - 1) out[count++] = offset * image[axis]! + at;
      else visit(axis + 1, offset * image[axis]! + at);
    }
  };
  visit(0, 0);
  return count;
};

/** Divisors of an average, one a window position, in row-major order. Padding counts only if `includePad`. */
export const divisors = (window: Window, includePad: boolean): readonly number[] =>
  window.grid.reduce<readonly number[]>(
    (product, _, axis) => {
      const counts = countsOf(window, axis, includePad);
      return product.flatMap((n) => counts.map((count) => n * count));
    },
    [1],
  );

/** Cells that count, for each window position of one axis. What ceil mode adds behind the padding never counts. */
const countsOf = (w: Window, axis: number, includePad: boolean): number[] => {
  const from = includePad ? -w.begin[axis]! : 0,
    to = w.image[axis]! + (includePad ? w.end[axis]! : 0);
  return Array.from({ length: w.grid[axis]! }, (_, p) => {
    const start = p * w.strides[axis]! - w.begin[axis]!;
    const taps = Array.from({ length: w.kernel[axis]! }, (_, k) => start + k * w.dilations[axis]!);
    return taps.filter((at) => at >= from && at < to).length;
  });
};

/** One cell a channel. @throws TemperError `bad-shape`, `unsupported` where there are no known spatial axes */
export const globalShape = (x: Value): readonly number[] => {
  if (spatialOf(x.shape).includes(0)) throw new TemperError("bad-shape", "wants at least one cell a channel.");
  return [...x.shape.slice(0, 2), ...x.shape.slice(2).map(() => 1)];
};
