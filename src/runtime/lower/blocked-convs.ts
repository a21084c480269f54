import { constantOf, type Graph, type Node, rewrite, type Value } from "../../graph/index.ts";
import { Conv, ConvTranspose, reshape } from "../../ops/index.ts";
import { blocked, blockedConv, plain } from "./blocked.ts";
import { convForm } from "./conv-form.ts";
import { stride1Pads } from "./flip-stride-1.ts";
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
      const form = x && w && fits(node, x, w, block) ? convForm(node, 2) : undefined;
      if (!x || !w || form?.group !== 1) return undefined;
      if (node.op === Conv) return [plain(blockedConv(blocked(x), packed(w, block), { ...form, bias }))];
      const pads = bias ? undefined : stride1Pads(form, w.shape.slice(2));
      const { dilations } = form;
      return pads && [plain(blockedConv(blocked(x), backwardOrder(w, block), { pads, dilations }))];
    });

const fits = (node: Node, x: Value, w: Value, block: number): boolean =>
  (node.op === Conv || node.op === ConvTranspose) &&
  !constantOf(w) &&
  x.dtype === "float32" &&
  isPackable(w.shape, block);

/** w [I, O, kh, kw] of a transposed convolution -> weights of the convolution that computes it, with the taps reversed. */
const backwardOrder = (w: Value, block: number): Value => {
  const [ins, outs, kh, kw] = w.shape as [number, number, number, number],
    taps = kh * kw;
  const reversed = Array.from({ length: taps }, (_, tap) => taps - 1 - tap);
  return reshape(exchangedBlocks(w, reversed, block), [outs, ins, kh, kw]);
};
