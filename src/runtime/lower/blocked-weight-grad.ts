import { type Graph, rewrite, type Value } from "../../graph/index.ts";
import { ConvWeightGrad, pad, reduceSum, reshape, transpose } from "../../ops/index.ts";
import { blocked, blockedConv, channelsLast, plain } from "./blocked.ts";
import { isDepthwise } from "./blocked-convs.ts";
import { all, convForm } from "./conv-form.ts";
import { unpacked } from "./packed.ts";

/** Up to so many input channels a block of them stays together: then one row of output has too little work. */
const MAX_CHANNELS_BLOCKED = 128;
/** Up to so many times the examples are worth their blocks, with zeros behind them. */
const MOST_EXAMPLES = 4 / 3;

/**
 * The weight gradient of a convolution as one blocked convolution: the examples are its channels, x is its image, and
 * the cotangent its kernel, whose taps lie as far apart as the stride of the forward pass says. Its output is as large
 * as the weights. Nothing is gathered and nothing summed afterwards, and the runtime's fastest kernel does the products.
 *
 * For batch sizes that are known. Batches that fill no blocks get examples of zeros, where there are enough (depthwise: as they are).
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const blockedWeightGrad =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [x, g]) => {
      if (node.op !== ConvWeightGrad || !x || !g || x.shape.length !== 4 || x.dtype !== "float32") return undefined;
      const [batch, channels, h, w] = x.shape as [number, number, number, number],
        [, outs, gh, gw] = g.shape as [number, number, number, number],
        form = convForm(node, 2);
      if (batch < 1 || outs % block > 0) return undefined;
      if (!form || !all(form.dilations, 1)) return undefined;
      const [kh, kw] = node.attributes["kernel_shape"] as unknown as readonly [number, number],
        [sy, sx] = form.strides as [number, number],
        [top, left] = form.pads as [number, number];
      // Exactly as many places for the kernel as the weights have taps: what the last window does not reach is cut off.
      const bottom = kh - h - top + sy * (gh - 1),
        right = kw - w - left + sx * (gw - 1);
      if (bottom < 0 || right < 0) return undefined;
      const own = [outs, channels / form.group, kh, kw];
      if (isDepthwise(own, form.group, block)) {
        const pads = [top, left, bottom, right];
        return [depthwise(x, g, own, { dilations: form.strides, pads })];
      }
      const { group } = form,
        examples = Math.ceil(batch / block) * block;
      if (examples > MOST_EXAMPLES * batch || (outs / group) % block > 0) return undefined;
      const kernel = kernelOf(g, examples, block),
        more = examples - batch,
        shape = [outs, own[1]!, kh, kw];
      // Padding that the convolution does by itself costs it its fast path, here for most of its output.
      const [rows, columns] = [top + h + bottom, left + w + right];
      const correlate = (image: Value, inRow: number, inColumn: number): Value =>
        blockedConv(blocked(reshape(image, [1, group * examples, rows * inRow, columns * inColumn])), kernel, {
          dilations: [sy * inRow, sx * inColumn],
          group,
        });
      if (own[1]! % block === 0 && own[1]! <= MAX_CHANNELS_BLOCKED) {
        // Rows (h, block of channels), columns (w, channel of the block); a group's examples after another's.
        const blocks = own[1]! / block;
        const image = transpose(reshape(blocked(x), [batch, group, blocks, h, w * block]), [1, 0, 3, 2, 4]);
        const whole = padded(image, [0, 0, top, 0, left * block, 0, more, bottom, 0, right * block]);
        const taps = correlate(whole, blocks, block);
        // [O / b, kh, C / b, kw, b (in), b (out)]
        const ordered = transpose(reshape(taps, [outs / block, kh, blocks, kw * block * block]), [0, 2, 1, 3]);
        return [unpacked(reshape(ordered, shape), block)];
      }
      if (group > 1) return undefined;
      const last = channels % block === 0 ? channelsLast(x) : transpose(x, [0, 2, 3, 1]);
      const taps = correlate(padded(last, [0, top, left, 0, more, bottom, right, 0]), 1, channels);
      if (channels % block > 0) return [transpose(reshape(plain(taps), [outs, kh, kw, channels]), [0, 3, 1, 2])];
      // [O / b, kh, kw, C / b, b (in), b (out)]
      const blocks = reshape(taps, [outs / block, kh * kw, channels / block, block * block]);
      return [unpacked(reshape(transpose(blocks, [0, 2, 1, 3]), shape), block)];
    });

/**
 * The same of a depthwise convolution: each channel of each example is a group of its own, and the cotangent its kernel.
 * What the examples give is summed.
 */
const depthwise = (
  x: Value,
  g: Value,
  shape: readonly number[],
  options: { readonly dilations: readonly number[]; readonly pads: readonly number[] },
): Value => {
  const [batch, channels, h, w] = x.shape as [number, number, number, number],
    [kh, kw] = shape.slice(2) as [number, number],
    group = batch * channels;
  const image = reshape(blocked(x), [1, group, h, w]),
    kernel = reshape(blocked(g), [group, 1, ...g.shape.slice(2)]);
  const each = reshape(blockedConv(image, kernel, { ...options, group }), [batch, channels * kh * kw]);
  return reshape(plain(reshape(reduceSum(each, [0]), [1, channels, kh, kw])), shape);
};

const padded = (x: Value, pads: readonly number[]): Value => (all(pads, 0) ? x : pad(x, pads));

/** The cotangent [N, O, h, w] as weights [O, examples, h, w] in the order of {@link blockedConv}. */
const kernelOf = (g: Value, examples: number, block: number): Value => {
  const [batch, outs, h, w] = g.shape as [number, number, number, number];
  const all = padded(reshape(blocked(g), [batch, outs * h * w]), [0, 0, examples - batch, 0]);
  const pieces = reshape(all, [examples / block, block, outs / block, h * w, block]);
  return reshape(transpose(pieces, [2, 0, 3, 1, 4]), [outs, examples, h, w]);
};
