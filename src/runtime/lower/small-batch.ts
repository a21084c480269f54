import type { Tensor } from "../../core/index.ts";
import { constant, constantOf, type Graph, rewrite, type Value } from "../../graph/index.ts";
import { ConvTranspose, ConvWeightGrad, gather, pad, reduceSum, reshape, transpose } from "../../ops/index.ts";
import { blocked, blockedConv, plain } from "./blocked.ts";
import { all, type ConvForm, convForm } from "./conv-form.ts";
import { isPackable, packed, unpacked } from "./packed.ts";

/** Patches of so many numbers stay in the processor's caches. */
const MAX_PATCHES = 1 << 20;
/** Output channels for each position: then weights are several times as large as their images. */
const CHANNELS_A_POSITION = 4;

/**
 * Gradients of convolutions in small batches, where the weights are most of what is moved: neither they nor their
 * gradients are put in another order. The weight gradient is a convolution of size 1x1 over patches of x, whose output
 * lies as the weights do; for the data gradient the weights are the image and the cotangent is the kernel.
 *
 * For known batch sizes, positions and channels that are multiples of the block; batches that are have a better weight
 * gradient (`blocked-weight-grad.ts`).
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const smallBatch =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [first, second, bias]) => {
      const form = first?.shape.length === 4 && first.dtype === "float32" && !bias ? convForm(node, 2) : undefined;
      if (!first || !second || form?.group !== 1) return undefined;
      if (node.op === ConvWeightGrad) {
        const sites = sitesOf(first, second, node.outputs[0]!.shape, form, block);
        return sites && sites.batch % block > 0 && patches(sites) <= MAX_PATCHES
          ? [weightGrad(first, second, sites, block)]
          : undefined;
      }
      if (node.op !== ConvTranspose || constantOf(second)) return undefined;
      const sites = sitesOf(node.outputs[0]!, first, second.shape, form, block);
      const few = sites && sites.outs >= CHANNELS_A_POSITION * sites.batch * sites.cells;
      return few ? [dataGrad(first, second, sites, block)] : undefined;
    });

/** Where a convolution reads: for each output cell and tap a pixel of the padded image. */
interface Sites {
  readonly batch: number;
  readonly ins: number;
  readonly outs: number;
  /** Output positions of an example, and taps of the kernel. */
  readonly cells: number;
  readonly taps: number;
  readonly weights: readonly number[];
  readonly image: readonly [number, number];
  readonly grid: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly form: ConvForm;
}

/** @param x  the convolution's input @param y  its output @param weights  shape of its weights */
const sitesOf = (x: Value, y: Value, weights: readonly number[], form: ConvForm, block: number): Sites | undefined => {
  const [batch, ins, ...image] = x.shape as [number, number, number, number],
    [, outs, ...grid] = y.shape as [number, number, number, number],
    kernel = weights.slice(2) as unknown as readonly [number, number];
  const cells = grid[0] * grid[1];
  if (batch < 1 || cells % block > 0 || !isPackable(weights, block)) return undefined;
  return { batch, ins, outs, cells, taps: kernel[0] * kernel[1], weights, image, grid, kernel, form };
};

const patches = ({ batch, cells, taps, ins }: Sites): number => batch * cells * taps * ins;

const weightGrad = (x: Value, g: Value, sites: Sites, block: number): Value => {
  const { batch, ins, outs, cells, taps, weights, image, form } = sites,
    blocks = ins / block;
  const [top, left, bottom, right] = form.pads as [number, number, number, number];
  const rows = reshape(blocked(x), [batch * blocks, ...image, block]);
  const whole = all(form.pads, 0) ? rows : pad(rows, [0, top, left, 0, 0, bottom, right, 0]);
  const size = [image[0] + top + bottom, image[1] + left + right] as const;
  const index: number[] = [];
  eachCell(sites, (n, sources) => {
    for (let b = 0; b < blocks; b++)
      for (const [y, x] of sources) index.push(((n * blocks + b) * size[0] + y + top) * size[1] + x + left);
  });
  const found = gather(reshape(whole, [batch * blocks * size[0] * size[1], block]), indices(index), 0);
  const columns = blocked(reshape(found, [1, batch * cells, blocks, taps * block]));
  // [O / b, N, cells, b (outputs)]: the positions are the input channels of the product.
  const byBlock = reshape(blocked(g), [batch, outs / block, cells * block]);
  const kernel = reshape(batch === 1 ? byBlock : transpose(byBlock, [1, 0, 2]), [outs, batch * cells, 1, 1]);
  return unpacked(reshape(blockedConv(columns, kernel, {}), weights), block);
};

const dataGrad = (g: Value, w: Value, sites: Sites, block: number): Value => {
  const { batch, ins, outs, cells, taps, image } = sites,
    blocks = ins / block;
  const byCell = transpose(reshape(g, [batch, outs, cells / block, block]), [0, 2, 1, 3]);
  const kernel = reshape(byCell, [batch * cells, outs, 1, 1]);
  const shares = plain(blockedConv(reshape(packed(w, block), [1, outs, blocks, taps * block]), kernel, {}));
  // Rows (cell, block, tap), and one of zeros behind them.
  const rows = batch * cells * blocks * taps;
  const padded = pad(reshape(shares, [rows, block]), [0, 0, 1, 0]);
  const index = new Int32Array(batch * blocks * image[0] * image[1] * taps).fill(rows);
  eachCell(sites, (n, sources, cell) =>
    sources.forEach(([y, x], tap) => {
      if (y < 0 || x < 0 || y >= image[0] || x >= image[1]) return;
      for (let b = 0; b < blocks; b++)
        index[(((n * blocks + b) * image[0] + y) * image[1] + x) * taps + tap] = (cell * blocks + b) * taps + tap;
    }),
  );
  const found = reshape(gather(padded, indices(index), 0), [index.length / taps, taps, block]);
  return plain(reshape(reduceSum(found, [1], false), [batch, ins, ...image]));
};

/** Calls for each output cell of each example, with the pixels that its taps read; those may lie outside of the image. */
const eachCell = (
  { batch, grid, kernel, form }: Sites,
  visit: (n: number, sources: readonly (readonly [y: number, x: number])[], cell: number) => void,
): void => {
  let cell = 0;
  for (let n = 0; n < batch; n++)
    for (let oy = 0; oy < grid[0]; oy++)
      for (let ox = 0; ox < grid[1]; ox++) {
        const sources = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) => {
          const [ky, kx] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
          return [
            oy * form.strides[0]! + ky * form.dilations[0]! - form.pads[0]!,
            ox * form.strides[1]! + kx * form.dilations[1]! - form.pads[1]!,
          ] as const;
        });
        visit(n, sources, cell++);
      }
};

const indices = (list: ArrayLike<number>): Value => {
  const tensor: Tensor = { dtype: "int32", shape: [list.length], data: Int32Array.from(list) };
  return constant(tensor);
};
