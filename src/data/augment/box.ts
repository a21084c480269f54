import type { Rng } from "../../core/index.ts";

/** Rows top to bottom - 1, columns left to right - 1. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A box around a pixel drawn uniformly; what would lie outside of the image is cut off. */
export const randomBox = (rng: Rng, [, height, width]: readonly number[], rows: number, columns: number): Box => {
  const top = rng.int(height!) - Math.floor(rows / 2),
    left = rng.int(width!) - Math.floor(columns / 2);
  return {
    top: Math.max(0, top),
    bottom: Math.min(height!, top + rows),
    left: Math.max(0, left),
    right: Math.min(width!, left + columns),
  };
};

/** Calls `each` with start and end of every row of the box, in all channels. */
export const eachRow = (
  [channels, height, width]: readonly [number, number, number],
  { top, bottom, left, right }: Box,
  each: (start: number, end: number) => void,
): void => {
  for (let c = 0; c < channels; c++)
    for (let y = top; y < bottom; y++) {
      const row = (c * height + y) * width;
      each(row + left, row + right);
    }
};
