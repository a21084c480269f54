import type { ImageView } from "./augmentation.ts";

/** Where in the image a pixel comes from: [x, y] = [a x + b y + c, d x + e y + f], both at the pixels' centres. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** Moves pixels by an affine map; nearest neighbour, and black where there is none. */
export const warp = (
  { pixels, shape: [, height, width], range: [black] }: ImageView,
  [a, b, c, d, e, f]: Matrix,
): void => {
  const old = pixels.slice(),
    area = height * width;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const fromX = Math.floor(a * (x + 0.5) + b * (y + 0.5) + c),
        fromY = Math.floor(d * (x + 0.5) + e * (y + 0.5) + f),
        inside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
      for (let to = y * width + x, from = fromY * width + fromX; to < pixels.length; to += area, from += area)
        pixels[to] = inside ? old[from]! : black;
    }
};

/** Counter-clockwise about the centre. */
export const rotation = (degrees: number, [, height, width]: ImageView["shape"]): Matrix => {
  const cos = Math.cos((degrees * Math.PI) / 180),
    sin = Math.sin((degrees * Math.PI) / 180),
    x = width / 2,
    y = height / 2;
  return [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y];
};
