import { sizeOf, type Tensor } from "../../core/index.ts";
import { constant, constantOf, type Shape, type Value } from "../../graph/index.ts";
import { gather, matmul, pad, reshape, transpose } from "../../ops/index.ts";
import { blocked, blockedConv, plain } from "./blocked.ts";
import { exchangedBlocks, packed, unpacked } from "./packed.ts";
import { all } from "./conv-form.ts";
import { countTiles, eachPlace, PIXELS, TILE, type Tiling } from "./pixel-major.ts";

/** Input pixels under a tile of outputs, along an axis and in all: as many products are done for each tile. */
const WINDOW = TILE + 2;
export const TAPS = WINDOW * WINDOW;

/** F(4x4, 3x3) at the points 0, 1, -1, 2, -2 and infinity. Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks. */
const INPUT = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
const KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
const OUTPUT = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];
/** The output transform carries this tap, the point (1, 1), to all pixels of the tile unchanged: the bias goes there. */
const BIAS_TAP = WINDOW + 1;

/**
 * 3x3 convolution of stride 1, from pixel-major to pixel-major.
 * @param kernel  {@link kernelOf} or {@link backwardKernelOf}
 */
export const convolve = (x: Value, kernel: Value, bias: Value | undefined, tiling: Tiling): Value => {
  const [pixels, ins, , batch] = x.shape as [number, number, number, number],
    outs = kernel.shape[0]! / TAPS,
    tiles = countTiles(tiling);
  const taps = reshape(transformed(x, tiling), [tiles, TAPS * ins, 1, batch]);
  const products = blockedConv(taps, kernel, { group: TAPS, bias: bias && onBiasTap(bias) });
  const back = matmul(constant(outputTransform), reshape(products, [tiles, TAPS, outs * batch]));
  const ordered = all(tiling.dilations, 1)
    ? back
    : gather(reshape(back, [tiles * PIXELS, outs * batch]), indices(placesOf(pixels, tiling)), 0);
  return plain(reshape(ordered, [pixels, outs, 1, batch]));
};

/** For every pixel of the pixel-major image its place in the tiles; those beyond the image are given any. */
const placesOf = (pixels: number, tiling: Tiling): Int32Array => {
  const places = new Int32Array(pixels);
  eachPlace(tiling, TILE, 0, (tile, place, pixel) => (places[pixel] = tile * PIXELS + place));
  return places;
};

/**
 * The weight gradient [O, C, 3, 3] of such a convolution: the transforms of its transposed products. Examples fill
 * whole blocks, with zeros behind them where there are fewer.
 * @param x  [pixels, C, 1, N]
 * @param g  cotangent of the output, [pixels, O, 1, N]
 */
export const weightGrad = (x: Value, g: Value, tiling: Tiling, block: number): Value => {
  const [, ins, , batch] = x.shape as [number, number, number, number],
    outs = g.shape[1]!,
    filled = Math.ceil(batch / block) * block,
    depth = countTiles(tiling) * filled;
  const windows = reshape(exampleWindows(withExamples(x, filled, block), tiling, block), [1, TAPS * depth, 1, ins]);
  const cotangents = matmul(
    constant(outputTransposed),
    reshape(tilesByPlace(g, tiling, filled, block), [PIXELS, outs * depth]),
  );
  const products = blockedConv(windows, reshape(cotangents, [TAPS * outs, depth, 1, 1]), { group: TAPS });
  const taps = matmul(constant(kernelTransposed), reshape(products, [TAPS, outs * ins])); // [9, O / b, C / b, b, b]
  const ordered = transpose(reshape(taps, [9, (outs * ins) / block ** 2, block ** 2]), [1, 0, 2]);
  return unpacked(reshape(ordered, [outs, ins, 3, 3]), block);
};

/** Pixel-major x [pixels, C, 1, N] with more examples, of zeros. */
const withExamples = (x: Value, count: number, block: number): Value => {
  const [pixels, channels, , batch] = x.shape as [number, number, number, number];
  if (count === batch) return x;
  const rows = reshape(blocked(x), [pixels, channels / block, batch, block]);
  return plain(reshape(pad(rows, [0, 0, 0, 0, 0, 0, count - batch, 0]), [pixels, channels, 1, count]));
};

/** The cotangent's tiles [16, O / b, tiles, N, b (outputs)]; zeros beyond the image. */
const tilesByPlace = (g: Value, tiling: Tiling, filled: number, block: number): Value => {
  const [pixels, outs, , batch] = g.shape as [number, number, number, number],
    inner = outs / block,
    tiles = countTiles(tiling);
  const pixelOf = new Int32Array(PIXELS * tiles).fill(pixels);
  eachPlace(tiling, TILE, 0, (tile, place, pixel) => (pixelOf[place * tiles + tile] = pixel));
  const planes = reshape(blocked(g), [pixels, inner, batch, block]);
  const whole = pad(planes, [0, 0, 0, 0, pixelOf.includes(pixels) ? 1 : 0, 0, filled - batch, 0]);
  const index = new Int32Array(PIXELS * inner * tiles);
  let next = 0;
  for (let place = 0; place < PIXELS; place++)
    for (let o = 0; o < inner; o++)
      for (let tile = 0; tile < tiles; tile++) index[next++] = pixelOf[place * tiles + tile]! * inner + o;
  return gather(reshape(whole, [whole.shape[0]! * inner, filled * block]), indices(index), 0);
};

/** Weights [O, C, 3, 3] -> [36 O, C, 1, 1] blocked, a group a tap; for constant ones once, when the runtime loads the graph. */
export const kernelOf = (w: Value, block: number): Value => {
  const [outs, ins] = w.shape as [number, number];
  const given = constantOf(w);
  if (given) return kernelAt(outs, ins, block, given, (o, i, tap) => (o * ins + i) * 9 + tap);
  const blocks = reshape(packed(w, block), [(outs * ins) / block ** 2, 9, block ** 2]);
  return kernelFrom(transpose(blocks, [1, 0, 2]), outs, ins);
};

/** The same for the data gradient: weights [C, O, 3, 3] of the convolution from O to C channels that it belongs to. */
export const backwardKernelOf = (w: Value, block: number): Value => {
  const [ins, outs] = w.shape as [number, number];
  const given = constantOf(w);
  if (given) return kernelAt(outs, ins, block, given, (o, i, tap) => (i * outs + o) * 9 + 8 - tap);
  const reversed = Array.from({ length: 9 }, (_, tap) => 8 - tap);
  return kernelFrom(exchangedBlocks(w, reversed, block, { tapsFirst: true }), outs, ins);
};

const kernelFrom = (taps: Value, outs: number, ins: number): Value =>
  reshape(matmul(constant(kernelTransform), reshape(taps, [9, outs * ins])), [TAPS * outs, ins, 1, 1]);

const kernelAt = (
  outs: number,
  ins: number,
  block: number,
  { data }: Tensor,
  at: (o: number, i: number, tap: number) => number,
): Value => {
  const rows = new Float32Array(9 * outs * ins);
  let next = 0;
  for (let tap = 0; tap < 9; tap++)
    for (let o = 0; o < outs; o += block)
      for (let i = 0; i < ins; i += block)
        for (let inner = i; inner < i + block; inner++)
          for (let outer = o; outer < o + block; outer++) rows[next++] = (data as Float32Array)[at(outer, inner, tap)]!;
  return kernelFrom(constant({ dtype: "float32", shape: [9, outs * ins], data: rows }), outs, ins);
};

/** Up to so many tiles one matrix gathers and transforms at once; the tiles overlap, and most of it is not zero. */
const MAX_JOINED = 4;

/** x [pixels, C, 1, N] -> [tiles, 36, C N]: the input transform of every tile, zeros around the image. */
const transformed = (x: Value, tiling: Tiling): Value => {
  const [pixels, ins, , batch] = x.shape as [number, number, number, number],
    width = ins * batch,
    rows = reshape(blocked(x), [pixels, width]),
    count = countTiles(tiling);
  if (count <= MAX_JOINED) {
    const matrix = inputMatrix(tiling, pixels, (pixel) => pixel);
    return reshape(matmul(constant(float32(matrix, [count * TAPS, pixels])), rows), [count, TAPS, width]);
  }
  const index = new Int32Array(count * TAPS);
  const matrix = inputMatrix(tiling, TAPS, (pixel, tile, tap) => {
    index[tile * TAPS + tap] = pixel;
    return tap;
  });
  const windows = gather(rows, indices(index), 0);
  return matmul(constant(float32(matrix, [count, TAPS, TAPS])), reshape(windows, [count, TAPS, width]));
};

/**
 * The same with the examples of all tiles as channels, [36, tiles, N / b, C, b (examples)]. Of few tiles in an order of
 * their own, else out of what the forward pass made of x.
 */
const exampleWindows = (x: Value, tiling: Tiling, block: number): Value => {
  const [pixels, ins, , batch] = x.shape as [number, number, number, number],
    count = countTiles(tiling);
  /** Channels and examples of each row exchanged: [rows, N / b, C / b, b (channels), b (examples)]. */
  const byExample = (rows: Value, perm: readonly number[], shape: readonly number[]): Value => {
    const pieces = blocked(reshape(rows, [sizeOf(rows.shape) / (batch * block), batch, 1, block]));
    return transpose(reshape(pieces, [...shape, ins / block, batch / block, block * block]), perm);
  };
  if (count > MAX_JOINED) return byExample(transformed(x, tiling), [1, 0, 3, 2, 4], [count, TAPS]);
  const matrix = inputMatrix(
    tiling,
    pixels,
    (pixel) => pixel,
    (tile, tap) => tap * count + tile,
  );
  const rows = reshape(byExample(blocked(x), [0, 2, 1, 3], [pixels]), [pixels, ins * batch]);
  return matmul(constant(float32(matrix, [TAPS * count, pixels])), rows);
};

/** For every tile the 36 x `columns` matrix whose columns stand for pixels, where `columnOf` says, and rows for transformed taps where `rowOf` does. */
const inputMatrix = (
  tiling: Tiling,
  columns: number,
  columnOf: (pixel: number, tile: number, tap: number) => number,
  rowOf: (tile: number, tap: number) => number = (tile, tap) => tile * TAPS + tap,
): Float32Array => {
  const matrix = new Float32Array(countTiles(tiling) * TAPS * columns);
  eachPlace(tiling, WINDOW, 1, (tile, tap, pixel) => {
    const column = columnOf(pixel, tile, tap);
    for (let out = 0; out < TAPS; out++)
      matrix[rowOf(tile, out) * columns + column] = inputTransform[out * TAPS + tap]!;
  });
  return matrix;
};

/** [O] -> [36 O], zeros but for one tap. */
const onBiasTap = (bias: Value): Value => {
  const outs = bias.shape[0]!;
  return pad(bias, [BIAS_TAP * outs, (TAPS - 1 - BIAS_TAP) * outs]);
};

type Matrix = readonly (readonly number[])[];
const transposed = (matrix: Matrix): Matrix => matrix[0]!.map((_, column) => matrix.map((row) => row[column]!));

/** The transform of both axes: Kronecker product of a matrix with itself. */
const squared = (matrix: Matrix): Tensor<"float32"> => {
  const rows = matrix.length,
    columns = matrix[0]!.length;
  const data = Float32Array.from({ length: rows * rows * columns * columns }, (_, at) => {
    const row = Math.floor(at / columns ** 2),
      column = at % columns ** 2;
    return matrix[Math.floor(row / rows)]![Math.floor(column / columns)]! * matrix[row % rows]![column % columns]!;
  });
  return { dtype: "float32", shape: [rows ** 2, columns ** 2], data };
};
const inputTransform = squared(INPUT).data;
const kernelTransform = squared(KERNEL);
const kernelTransposed = squared(transposed(KERNEL));
const outputTransform = squared(OUTPUT);
const outputTransposed = squared(transposed(OUTPUT));

const float32 = (data: Float32Array, shape: Shape): Tensor => ({
  dtype: "float32",
  shape,
  data: data as Float32Array<ArrayBuffer>,
});
const indices = (data: Int32Array): Value =>
  constant({ dtype: "int32", shape: [data.length], data: data as Int32Array<ArrayBuffer> });
