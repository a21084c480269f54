import type { Tensor } from "../../core/index.ts";
import { constant, constantOf, type Graph, rewrite, type Value } from "../../graph/index.ts";
import { concat, ConvTranspose, gather, reshape } from "../../ops/index.ts";
import { blocked, blockedConv, blockedWeights, plain } from "./blocked.ts";
import { all, convForm } from "./conv-form.ts";
import { exchangedBlocks } from "./packed.ts";

/**
 * The data gradient of a strided convolution as one blocked convolution a phase, where a joint one would multiply with
 * too many zeros (`strided-data-grad.ts`): of a 3x3 kernel with stride 2 the four phases have 1, 2, 2 and 4 taps. One
 * Gather of whole blocks puts the pixels of all phases in their places.
 *
 * For channel counts that are multiples of the block. Where a stride does not divide the image, its later phases compute
 * a pixel beyond.
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const phaseDataGrad =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [g, w, bias]) => {
      if (node.op !== ConvTranspose || !g || !w || g.shape.length !== 4 || w.dtype !== "float32") return undefined;
      const form = convForm(node, 2),
        [ins, outs, ...kernel] = w.shape as [number, number, ...number[]];
      if (!(ins > 0 && outs > 0) || ins % block > 0 || outs % block > 0) return undefined;
      if (form?.group !== 1 || !all(form.dilations, 1) || all(form.strides, 1)) return undefined;
      const size = node.outputs[0]!.shape.slice(2);
      const [ys, xs] = [0, 1].map((i) =>
        phasesOf(form.strides[i]!, kernel[i]!, form.pads[i]!, g.shape[i + 2]!, size[i]!),
      );
      if (!ys || !xs) return undefined;
      const phases = ys.flatMap((y) => xs.map((x) => [y, x] as const)),
        rows = (outs / block) * Math.ceil(size[0]! / ys.length) * Math.ceil(size[1]! / xs.length);
      const parts = phases.map(([y, x]) => {
        const weights = phaseWeights(w, y.taps, x.taps, block);
        const pads = [y.pads[0], x.pads[0], y.pads[1], x.pads[1]];
        return reshape(blockedConv(blocked(g), weights, { pads, bias }), [g.shape[0]!, rows, block]);
      });
      const places = constant(placesOf(outs / block, size, [ys.length, xs.length]));
      return [plain(reshape(gather(concat(parts, 1), places, 1), node.outputs[0]!.shape))];
    });

/** Pixels p of an axis that are equal modulo the stride see the same taps, at grid cells `cell - 0, 1, ...`. */
interface Phase {
  /** Taps of the whole kernel, for the last grid cell first. */
  readonly taps: readonly number[];
  readonly pads: readonly [number, number];
}

/** The phases of an axis, that of pixel 0 first; undefined where they are not alike or one has no taps. */
const phasesOf = (
  stride: number,
  kernel: number,
  begin: number,
  grid: number,
  size: number,
): readonly Phase[] | undefined => {
  if (kernel < stride) return undefined;
  const phases = Array.from({ length: stride }, (_, pixel): Phase => {
    const first = (pixel + begin) % stride,
      cell = Math.floor((pixel + begin) / stride),
      count = Math.ceil((kernel - first) / stride);
    const taps = Array.from({ length: count }, (_, i) => first + stride * (count - 1 - i));
    return { taps, pads: [count - 1 - cell, cell + Math.ceil(size / stride) - grid] };
  });
  return phases.every(({ pads }) => pads.every((p) => p >= 0)) ? phases : undefined;
};

/** Weights [I, O, kh, kw] of a transposed convolution -> those of the convolution that computes a phase, blocked. */
const phaseWeights = (w: Value, ys: readonly number[], xs: readonly number[], block: number): Value => {
  const [ins, outs, kh, kw] = w.shape as [number, number, number, number],
    shape = [outs, ins, ys.length, xs.length] as const,
    constants = constantOf(w);
  if (constants) {
    const data = constants.data as Float32Array;
    return constant(blockedWeights(shape, block, (o, i, y, x) => data[((i * outs + o) * kh + ys[y]!) * kw + xs[x]!]!));
  }
  const taps = ys.flatMap((y) => xs.map((x) => y * kw + x));
  return reshape(exchangedBlocks(w, taps, block), shape);
};

/** For every block of the output, in memory order, the block of the joined phases that holds it. */
const placesOf = (
  blocks: number,
  [height, width]: readonly number[],
  [down, across]: readonly [number, number],
): Tensor => {
  const [rows, columns] = [Math.ceil(height! / down), Math.ceil(width! / across)],
    data = new Int32Array(blocks * height! * width!);
  let next = 0;
  for (let b = 0; b < blocks; b++)
    for (let y = 0; y < height!; y++)
      for (let x = 0; x < width!; x++) {
        const phase = (y % down) * across + (x % across);
        data[next++] = ((phase * blocks + b) * rows + Math.floor(y / down)) * columns + Math.floor(x / across);
      }
  return { dtype: "int32", shape: [data.length], data };
};
