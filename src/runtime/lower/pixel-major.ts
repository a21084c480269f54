import type { Tensor } from "../../core/index.ts";
import { type Value } from "../../graph/index.ts";
import { pad, reshape, slice, transpose } from "../../ops/index.ts";
import { blocked, plain } from "./blocked.ts";

/** Output pixels of a tile along an axis. */
export const TILE = 4;
/** Pixels of a tile. */
export const PIXELS = TILE * TILE;

/** Height and width. */
export type Image = readonly [number, number];

/** Tiles over an image, down and across; the last ones may reach beyond it. */
export const tilesOf = (image: Image): Image => [Math.ceil(image[0] / TILE), Math.ceil(image[1] / TILE)];

/** Tiles as a convolution takes them: over every second pixel, say, of each axis, from every start. */
export interface Tiling {
  readonly image: Image;
  readonly dilations: Image;
}
/** Tiles of each start, down and across. */
const tilesOfEach = ({ image: [h, w], dilations: [dy, dx] }: Tiling): Image =>
  tilesOf([Math.ceil(h / dy), Math.ceil(w / dx)]);
export const countTiles = (tiling: Tiling): number => {
  const [rows, columns] = tilesOfEach(tiling);
  return tiling.dilations[0] * tiling.dilations[1] * rows * columns;
};
/** Calls for every tile with the pixel at its corner. */
const eachTile = (tiling: Tiling, visit: (tile: number, y: number, x: number) => void): void => {
  const { dilations } = tiling,
    [rows, columns] = tilesOfEach(tiling);
  let tile = 0;
  for (let py = 0; py < dilations[0]; py++)
    for (let px = 0; px < dilations[1]; px++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          visit(tile++, py + row * TILE * dilations[0], px + column * TILE * dilations[1]);
};

/** Calls for every place of every tile's window that lies in the image; windows are `width` pixels wide, and begin `before` ahead of the tile. */
export const eachPlace = (
  tiling: Tiling,
  width: number,
  before: number,
  visit: (tile: number, place: number, pixel: number) => void,
): void => {
  const {
      image: [h, w],
      dilations: [dy, dx],
    } = tiling,
    [, across] = tilesOf([h, w]);
  eachTile(tiling, (tile, top, left) => {
    for (let place = 0; place < width * width; place++) {
      const y = top + dy * (Math.floor(place / width) - before),
        x = left + dx * ((place % width) - before);
      if (y >= 0 && y < h && x >= 0 && x < w) visit(tile, place, pixelAt(y, x, across));
    }
  });
};

/** Whether tiles cover the image and nothing else. */
export const isWhole = (image: Image): boolean => image.every((size) => size % TILE === 0);

/** The place of a pixel: tile by tile. */
const pixelAt = (y: number, x: number, across: number): number =>
  (Math.floor(y / TILE) * across + Math.floor(x / TILE)) * PIXELS + (y % TILE) * TILE + (x % TILE);

/** Places of the pixels that lie in an image. */
export const pixelsWithin = (image: Image): Tensor => {
  const data = new Int32Array(image[0] * image[1]);
  let next = 0;
  eachPlace({ image, dilations: [1, 1] }, TILE, 0, (_tile, _place, pixel) => (data[next++] = pixel));
  return { dtype: "int32", shape: [data.length], data };
};

/** [N, C, H, W] -> [pixels, C, 1, N]; an image of one pixel stays one pixel, to be broadcast. */
export const pixelMajor = (x: Value, block: number): Value => {
  const [batch, channels, h, w] = x.shape as [number, number, number, number],
    inner = channels / block;
  if (h === 1 && w === 1)
    return plain(reshape(transpose(reshape(blocked(x), [batch, inner, block]), [1, 0, 2]), [1, channels, 1, batch]));
  const [rows, columns] = tilesOf([h, w]),
    beyond = [rows * TILE - h, columns * TILE - w] as const;
  const whole = isWhole([h, w]) ? x : pad(x, [0, 0, 0, 0, 0, 0, ...beyond]);
  const tiles = reshape(blocked(whole), [batch, inner, rows, TILE, columns, TILE, block]);
  const ordered = transpose(tiles, [2, 4, 3, 5, 1, 0, 6]);
  return plain(reshape(ordered, [rows * columns * PIXELS, channels, 1, batch]));
};

/** The way back. */
export const imageMajor = (x: Value, [h, w]: Image, block: number): Value => {
  const [, channels, , batch] = x.shape as [number, number, number, number],
    inner = channels / block;
  if (h === 1 && w === 1)
    return plain(reshape(transpose(reshape(blocked(x), [inner, batch, block]), [1, 0, 2]), [batch, channels, 1, 1]));
  const [rows, columns] = tilesOf([h, w]);
  const tiles = reshape(blocked(x), [rows, columns, TILE, TILE, inner, batch, block]);
  const ordered = transpose(tiles, [5, 4, 0, 2, 1, 3, 6]);
  const whole = plain(reshape(ordered, [batch, channels, rows * TILE, columns * TILE]));
  return isWhole([h, w]) ? whole : slice(whole, [0, 0], [h, w], [2, 3]);
};
