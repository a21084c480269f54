import { constantOf, type Graph, type Node, rewrite, type Shape, type Value } from "../../graph/index.ts";
import { Conv, ConvTranspose, reshape } from "../../ops/index.ts";
import { blocked, blockedConv, plain } from "./blocked.ts";
import { type ConvForm, convForm } from "./conv-form.ts";
import { reversedTaps, stride1Pads } from "./flip-stride-1.ts";
import { exchangedBlocks, isPackable, packed } from "./packed.ts";

/**
 * Convolutions whose weights are fed (training), and their data gradients of stride 1, in the runtime's blocked layout.
 * It takes this layout by itself only for constant weights; others it unfolds into patches. Weights that are not fed in
 * the order of blocks (`packed.ts`) are put in order at each run.
 *
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const blockedConvs =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [x, w, bias]) => {
      if (!x || !w || (node.op !== Conv && node.op !== ConvTranspose) || constantOf(w) || x.dtype !== "float32")
        return undefined;
      const form = w.shape.length === 4 ? convForm(node, 2) : undefined;
      if (form && isDepthwise(w.shape, form.group, block)) return depthwise(node, x, w, bias, form);
      if (!form || !isPackable(w.shape, block) || (w.shape[0]! / form.group) % block > 0) return undefined;
      if (node.op === Conv) return [plain(blockedConv(blocked(x), packed(w, block), { ...form, bias }))];
      const pads = bias ? undefined : stride1Pads(form, w.shape.slice(2));
      const { dilations, group } = form;
      return pads && [plain(blockedConv(blocked(x), backwardOrder(w, group, block), { pads, dilations, group }))];
    });

/** Whether weights [C, 1, kh, kw] take each channel by itself, and channels fill blocks. */
export const isDepthwise = (w: Shape, group: number, block: number): boolean =>
  group === w[0] && w[1] === 1 && group > 1 && group % block === 0;

const depthwise = (
  node: Node,
  x: Value,
  w: Value,
  bias: Value | undefined,
  { strides, dilations, pads, group, ...form }: ConvForm,
): readonly Value[] | undefined => {
  const [channels, , kh, kw] = w.shape as [number, number, number, number];
  const weights = (order: Value): Value => reshape(blocked(reshape(order, [1, channels, kh, kw])), w.shape);
  if (node.op === Conv) return [plain(blockedConv(blocked(x), weights(w), { strides, dilations, pads, group, bias }))];
  const back = bias ? undefined : stride1Pads({ strides, dilations, pads, group, ...form }, [kh, kw]);
  return back && [plain(blockedConv(blocked(x), weights(reversedTaps(w)), { pads: back, dilations, group }))];
};

/** w [I, O / groups, kh, kw] of a transposed convolution -> weights of the convolution that computes it, with the taps reversed. */
const backwardOrder = (w: Value, group: number, block: number): Value => {
  const [ins, outs, kh, kw] = w.shape as [number, number, number, number],
    taps = kh * kw;
  const reversed = Array.from({ length: taps }, (_, tap) => taps - 1 - tap);
  return reshape(exchangedBlocks(w, reversed, block, { group }), [group * outs, ins / group, kh, kw]);
};
