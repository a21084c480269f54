import type { ImageView } from "./augmentation.ts";

/** Moves the image `dy` pixels down and `dx` to the right; what comes in is black. */
export const shift = (
  { pixels, shape: [channels, height, width], range: [black] }: ImageView,
  dy: number,
  dx: number,
): void => {
  if (Math.abs(dy) >= height || Math.abs(dx) >= width) {
    pixels.fill(black);
    return;
  }
  const area = height * width,
    by = dy * width + dx; // all rows at once; what ran over into the next row is then painted over
  for (let plane = 0; plane < channels * area; plane += area) {
    const end = plane + area;
    pixels.copyWithin(plane + Math.max(0, by), plane + Math.max(0, -by), end - Math.max(0, by));
    if (dy > 0) pixels.fill(black, plane, plane + dy * width);
    if (dy < 0) pixels.fill(black, end + dy * width, end);
    const from = dx > 0 ? 0 : width + dx,
      to = dx > 0 ? dx : width;
    for (let row = plane; row < end; row += width) for (let x = from; x < to; x++) pixels[row + x] = black;
  }
};
