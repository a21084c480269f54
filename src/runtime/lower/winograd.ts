import { sizeOf, type Tensor } from "../../core/index.ts";
import {
  constant,
  constantOf,
  emitAll,
  type Graph,
  type Node,
  rewrite,
  type Shape,
  type Value,
} from "../../graph/index.ts";
import { Conv, gather, matmul, pad, reshape, slice, transpose } from "../../ops/index.ts";
import { blocked, blockedConv, plain } from "./blocked.ts";
import { all, convForm } from "./conv-form.ts";
import { isElementwise, isScalar } from "./elementwise.ts";

/** Fewer channels: transforms cost more than the products they save (engine measurements). */
const MIN_CHANNELS = 64;

/** Output pixels of a tile along an axis, and the input pixels under it. */
const TILE = 4;
const WINDOW = TILE + 2;
const PIXELS = TILE * TILE;
const TAPS = WINDOW * WINDOW;

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
 * 3x3 convolutions of stride 1 with many channels by Winograd's F(4x4, 3x3): 36 products for 16 pixels where the direct
 * form takes 144, at about ten times its rounding error (2e-6 relative a layer). They work pixel-major: the pixels of an
 * image, tile by tile, come first and the batch last, [pixels, C, 1, N] in blocks, so that every transform is one matrix
 * product over long rows, and the products are one grouped convolution of size 1x1. Elementwise operators between them
 * stay in that layout; other values are converted where they are needed.
 *
 * For constant weights, and batches of 16 and more: the layout's inner axis is the batch.
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const winogradConvs =
  (block: number) =>
  (graph: Graph): Graph => {
    const twins = new Map<Value, Value>(); // values that exist pixel-major too
    const twinOf = (value: Value): Value => {
      const found = twins.get(value) ?? pixelMajor(value, block);
      twins.set(value, found);
      return found;
    };
    const both = (twin: Value, image: readonly number[]): readonly Value[] => {
      const value = imageMajor(twin, image as readonly [number, number], block);
      twins.set(value, twin);
      return [value];
    };
    return rewrite(graph, (node, inputs) => {
      const [x, w, bias] = inputs;
      if (fits(node, x, w, bias, block)) {
        const image = x!.shape.slice(2) as [number, number];
        return both(convolve(twinOf(x!), constantOf(w)!, constantOf(bias), image, block), image);
      }
      if (!stays(node, inputs, twins)) return undefined;
      const [twin] = emitAll(
        node.op,
        inputs.map((v) => v && (isScalar(v) ? v : twinOf(v))),
        node.attributes,
        node.name,
      );
      return both(twin!, node.outputs[0]!.shape.slice(2));
    });
  };

const fits = (
  node: Node,
  x: Value | undefined,
  w: Value | undefined,
  bias: Value | undefined,
  block: number,
): boolean => {
  if (node.op !== Conv || !x || !w || w.shape.length !== 4) return false;
  const form = convForm(node, 2),
    [outs, ins, ...kernel] = w.shape as [number, number, number, number];
  return (
    constantOf(w)?.dtype === "float32" &&
    (!bias || constantOf(bias)?.dtype === "float32") &&
    form?.group === 1 &&
    all(kernel, 3) &&
    all(form.pads, 1) &&
    all(form.strides, 1) &&
    all(form.dilations, 1) &&
    Math.min(ins, outs) >= MIN_CHANNELS &&
    ins % block === 0 &&
    outs % block === 0
  );
};

/** Whether an elementwise node works on the twins of its inputs: one exists, the others can be made. */
const stays = (node: Node, inputs: readonly (Value | undefined)[], twins: ReadonlyMap<Value, Value>): boolean => {
  if (!isElementwise(node)) return false;
  const { shape } = node.outputs[0]!;
  const given = inputs.filter((v): v is Value => v !== undefined && !isScalar(v));
  return (
    given.some((v) => twins.has(v)) &&
    given.every((v) => {
      const same = v.shape.length === shape.length && v.shape.every((d, i) => d === shape[i]);
      const pixel = same || (v.shape.length === 4 && v.shape[2] === 1 && v.shape[3] === 1);
      return pixel && v.dtype === "float32" && v.shape[0] === shape[0] && v.shape[1] === shape[1];
    })
  );
};

const tilesOf = (image: readonly number[]): readonly [number, number] => [
  Math.ceil(image[0]! / TILE),
  Math.ceil(image[1]! / TILE),
];

/** [N, C, H, W] -> [pixels, C, 1, N] blocked; an image of one pixel stays one pixel, to be broadcast. */
const pixelMajor = (x: Value, block: number): Value => {
  const [batch, channels, h, w] = x.shape as [number, number, number, number],
    inner = channels / block;
  if (h === 1 && w === 1)
    return reshape(transpose(reshape(blocked(x), [batch, inner, block]), [1, 0, 2]), [1, channels, 1, batch]);
  const [rows, columns] = tilesOf([h, w]),
    beyond = [rows * TILE - h, columns * TILE - w] as const;
  const whole = beyond[0] + beyond[1] > 0 ? pad(x, [0, 0, 0, 0, 0, 0, ...beyond]) : x;
  const tiles = reshape(blocked(whole), [batch, inner, rows, TILE, columns, TILE, block]);
  return reshape(transpose(tiles, [2, 4, 3, 5, 1, 0, 6]), [rows * columns * PIXELS, channels, 1, batch]);
};

/** The way back. */
const imageMajor = (x: Value, [h, w]: readonly [number, number], block: number): Value => {
  const [, channels, , batch] = x.shape as [number, number, number, number],
    inner = channels / block;
  if (h === 1 && w === 1)
    return plain(reshape(transpose(reshape(x, [inner, batch, block]), [1, 0, 2]), [batch, channels, 1, 1]));
  const [rows, columns] = tilesOf([h, w]);
  const tiles = reshape(x, [rows, columns, TILE, TILE, inner, batch, block]);
  const ordered = transpose(tiles, [5, 4, 0, 2, 1, 3, 6]);
  const whole = plain(reshape(ordered, [batch, channels, rows * TILE, columns * TILE]));
  return rows * TILE === h && columns * TILE === w ? whole : slice(whole, [0, 0], [h, w], [2, 3]);
};

/** Convolution from pixel-major to pixel-major. */
const convolve = (
  x: Value,
  weights: Tensor,
  bias: Tensor | undefined,
  image: readonly [number, number],
  block: number,
): Value => {
  const [pixels, ins, , batch] = x.shape as [number, number, number, number],
    outs = weights.shape[0]!,
    tiles = pixels / PIXELS;
  const taps = transformed(reshape(x, [pixels, ins * batch]), image, ins * batch);
  const products = blockedConv(reshape(taps, [tiles, TAPS * ins, 1, batch]), kernelOf(weights, block), {
    group: TAPS,
    bias: bias && constant(biasOf(bias)),
  });
  const back = matmul(constant(outputTransform), reshape(products, [tiles, TAPS, outs * batch]));
  return reshape(back, [pixels, outs, 1, batch]);
};

/** Up to so many tiles one matrix gathers and transforms at once; the tiles overlap, and most of it is not zero. */
const MAX_JOINED = 4;

/** rows [pixels, width] -> [tiles, 36, width]: the input transform of every tile, zeros around the image. */
const transformed = (rows: Value, image: readonly [number, number], width: number): Value => {
  const tiles = tilesOf(image),
    count = tiles[0] * tiles[1];
  if (count <= MAX_JOINED) {
    const matrix = inputMatrix(image, count * PIXELS, (pixel) => pixel);
    return reshape(matmul(constant(reshaped(matrix, [count * TAPS, count * PIXELS])), rows), [count, TAPS, width]);
  }
  const index = new Int32Array(count * TAPS);
  const matrix = inputMatrix(image, TAPS, (pixel, tile, tap) => {
    index[tile * TAPS + tap] = pixel;
    return tap;
  });
  const windows = gather(rows, constant({ dtype: "int32", shape: [count * TAPS], data: index }), 0);
  return matmul(constant(reshaped(matrix, [count, TAPS, TAPS])), reshape(windows, [count, TAPS, width]));
};

/** For every tile the 36 x `columns` matrix whose columns stand for pixels, where `columnOf` says; none for padding. */
const inputMatrix = (
  [h, w]: readonly [number, number],
  columns: number,
  columnOf: (pixel: number, tile: number, tap: number) => number,
): Float32Array => {
  const [rows, across] = tilesOf([h, w]);
  const matrix = new Float32Array(rows * across * TAPS * columns);
  for (let tile = 0; tile < rows * across; tile++)
    for (let tap = 0; tap < TAPS; tap++) {
      const y = Math.floor(tile / across) * TILE + Math.floor(tap / WINDOW) - 1,
        x = (tile % across) * TILE + (tap % WINDOW) - 1;
      if (y < 0 || y >= h || x < 0 || x >= w) continue;
      const column = columnOf(pixelAt(y, x, across), tile, tap);
      for (let out = 0; out < TAPS; out++)
        matrix[(tile * TAPS + out) * columns + column] = inputTransform[out * TAPS + tap]!;
    }
  return matrix;
};

/** Pixels lie tile by tile. */
const pixelAt = (y: number, x: number, across: number): number =>
  (Math.floor(y / TILE) * across + Math.floor(x / TILE)) * PIXELS + (y % TILE) * TILE + (x % TILE);

/** Weights [O, C, 3, 3] -> [36 O, C, 1, 1] blocked, a group a tap. The runtime computes it once, when it loads the graph. */
const kernelOf = ({ data, shape }: Tensor, block: number): Value => {
  const [outs, ins] = shape as [number, number, number, number],
    rows = new Float32Array(9 * outs * ins);
  let next = 0;
  for (let tap = 0; tap < 9; tap++)
    for (let o = 0; o < outs; o += block)
      for (let i = 0; i < ins; i += block)
        for (let inner = i; inner < i + block; inner++)
          for (let outer = o; outer < o + block; outer++)
            rows[next++] = (data as Float32Array)[(outer * ins + inner) * 9 + tap]!;
  const taps = constant({ dtype: "float32", shape: [9, outs * ins], data: rows });
  return reshape(matmul(constant(kernelTransform), taps), [TAPS * outs, ins, 1, 1]);
};

const biasOf = ({ data, shape }: Tensor): Tensor => {
  const all = new Float32Array(TAPS * sizeOf(shape));
  all.set(data as Float32Array, BIAS_TAP * sizeOf(shape));
  return { dtype: "float32", shape: [all.length], data: all };
};

/** The transform of both axes: Kronecker product of a matrix with itself. */
const squared = (matrix: readonly (readonly number[])[]): Tensor<"float32"> => {
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
const outputTransform = squared(OUTPUT);

const reshaped = (data: Float32Array, shape: Shape): Tensor => ({
  dtype: "float32",
  shape,
  data: data as Float32Array<ArrayBuffer>,
});
