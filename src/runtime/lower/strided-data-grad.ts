import { type Tensor } from "../../core/index.ts";
import { constant, constantOf, type Graph, type Node, rewrite, type Value } from "../../graph/index.ts";
import { concat, ConvTranspose, gather, reshape } from "../../ops/index.ts";
import { blocked, blockedConv, blockedWeights, plain } from "./blocked.ts";
import { all, convForm } from "./conv-form.ts";
import { exchangedBlocks } from "./packed.ts";

/**
 * The phases share one kernel, padded with zeros where the stride does not divide the kernel's size. With more products
 * than this times the needed ones ConvTranspose is faster (5x5 of stride 2 has 1.44 and gains, 3x3 has 1.78 and loses).
 */
const MAX_WASTE = 1.5;

/**
 * The data gradient of a strided convolution (or a transposed one of its own), as the runtime's blocked convolution. Output pixels that are equal modulo
 * the stride (a phase) see the same taps of the kernel, so each phase is a convolution of stride 1 with every stride-th
 * tap. All phases together are one convolution with phases x channels outputs; one Gather of whole blocks puts the
 * pixels in their places. ConvTranspose multiplies the whole kernel with one image at a time, then adds up overlaps.
 *
 * For channel counts that are multiples of the block; the rest stays.
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const stridedDataGrad =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [g, w, bias]) => {
      if (node.op !== ConvTranspose || !g || !w || w.dtype !== "float32") return undefined;
      const [ins, outs] = w.shape as [number, number];
      if (!(ins > 0 && outs > 0) || ins % block > 0 || outs % block > 0) return undefined;
      const axes = axesOf(node, g, w),
        constants = constantOf(w);
      // Fed weights have no zeros to put where the kernel ends before the phase does.
      if (!axes || (!constants && axes.some(({ kernel, stride }) => kernel % stride > 0))) return undefined;
      const weights = constants ? constant(phaseWeights(constants, axes, block)) : fedPhaseWeights(w, axes, block);
      return [phaseConv(g, weights, bias, outs, axes, block)];
    });

/** One spatial axis. Output pixel p takes taps `t` of phase `(p + begin) % stride` from grid cells `cell - 0, 1, ...`. */
interface Axis {
  readonly stride: number;
  /** Taps of the whole kernel, and of a phase. */
  readonly kernel: number;
  readonly taps: number;
  /** Size of the output, and for each of its pixels the phase and the last grid cell that it sees. */
  readonly size: number;
  readonly phase: readonly number[];
  readonly cell: readonly number[];
  /** The phase convolution's first cell, number of cells, and pads. */
  readonly first: number;
  readonly cells: number;
  readonly pads: readonly [number, number];
}

const axesOf = (node: Node, g: Value, weights: Value): readonly [Axis, Axis] | undefined => {
  const form = g.shape.length === 4 ? convForm(node, 2) : undefined;
  if (form?.group !== 1 || !all(form.dilations, 1) || all(form.strides, 1)) return undefined;
  const [y, x] = [0, 1].map((i) =>
    axisOf(form.strides[i]!, weights.shape[i + 2]!, form.pads[i]!, g.shape[i + 2]!, node.outputs[0]!.shape[i + 2]!),
  ) as [Axis, Axis];
  const waste = (y.taps * y.stride * x.taps * x.stride) / (y.kernel * x.kernel);
  return waste <= MAX_WASTE && [...y.pads, ...x.pads].every((p) => p >= 0) ? [y, x] : undefined;
};

const axisOf = (stride: number, kernel: number, begin: number, grid: number, size: number): Axis => {
  const taps = Math.ceil(kernel / stride),
    at = Array.from({ length: size }, (_, p) => p + begin);
  const cell = at.map((p) => Math.floor(p / stride)),
    first = cell[0]!,
    cells = cell.at(-1)! - first + 1;
  const before = taps - 1 - first;
  return {
    stride,
    kernel,
    taps,
    size,
    phase: at.map((p) => p % stride),
    cell,
    first,
    cells,
    pads: [before, cells + taps - 1 - grid - before],
  };
};

/** The tap of the whole kernel that tap (ky, kx) of a phase stands for. */
const tapOf = ([y, x]: readonly [Axis, Axis], phase: number, ky: number, kx: number): readonly [number, number] => [
  Math.floor(phase / x.stride) + y.stride * (y.taps - 1 - ky),
  (phase % x.stride) + x.stride * (x.taps - 1 - kx),
];

/** Weights [I, O, ...kernel] -> [phases O, I, ...taps], blocked. */
const phaseWeights = ({ shape, data }: Tensor, axes: readonly [Axis, Axis], block: number): Tensor => {
  const [ins, outs] = shape as [number, number],
    [y, x] = axes;
  return blockedWeights([y.stride * x.stride * outs, ins, y.taps, x.taps], block, (channel, i, ky, kx) => {
    const [ty, tx] = tapOf(axes, Math.floor(channel / outs), ky, kx);
    if (ty >= y.kernel || tx >= x.kernel) return 0;
    return (data as Float32Array)[((i * outs + (channel % outs)) * y.kernel + ty) * x.kernel + tx]!;
  });
};

const fedPhaseWeights = (w: Value, axes: readonly [Axis, Axis], block: number): Value => {
  const [ins, outs] = w.shape as [number, number],
    [y, x] = axes,
    phases = y.stride * x.stride;
  const parts = Array.from({ length: phases }, (_, phase) => {
    const taps = Array.from({ length: y.taps * x.taps }, (_, tap) => {
      const [ty, tx] = tapOf(axes, phase, Math.floor(tap / x.taps), tap % x.taps);
      return ty * x.kernel + tx;
    });
    return exchangedBlocks(w, taps, block);
  });
  return reshape(concat(parts, 0), [phases * outs, ins, y.taps, x.taps]);
};

/** g [N, I, ...grid] -> [N, outs, ...size]. */
const phaseConv = (
  g: Value,
  weights: Value,
  bias: Value | undefined,
  outs: number,
  axes: readonly [Axis, Axis],
  block: number,
): Value => {
  const [y, x] = axes,
    phases = y.stride * x.stride;
  const all = blockedConv(blocked(g), weights, {
    pads: [y.pads[0], x.pads[0], y.pads[1], x.pads[1]],
    bias: bias && concat(Array<Value>(phases).fill(bias), 0),
  });
  const batch = g.shape[0]!,
    rows = reshape(all, [batch, ((phases * outs) / block) * y.cells * x.cells, block]);
  const image = reshape(gather(rows, constant(placesOf(outs / block, y, x)), 1), [batch, outs, y.size, x.size]);
  return plain(image);
};

/** For every block of the output, in memory order, the block of the phase convolution that holds it. */
const placesOf = (blocks: number, y: Axis, x: Axis): Tensor => {
  const data = new Int32Array(blocks * y.size * x.size);
  let next = 0;
  for (let b = 0; b < blocks; b++)
    for (let py = 0; py < y.size; py++)
      for (let px = 0; px < x.size; px++) {
        const channel = (y.phase[py]! * x.stride + x.phase[px]!) * blocks + b;
        data[next++] = (channel * y.cells + y.cell[py]! - y.first) * x.cells + x.cell[px]! - x.first;
      }
  return { dtype: "int32", shape: [data.length], data };
};
