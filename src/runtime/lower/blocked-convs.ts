import { constantOf, type Graph, type Node, rewrite, type Value } from "../../graph/index.ts";
import { Conv, ConvTranspose, reshape } from "../../ops/index.ts";
import { blocked, blockedConv, fedWeights, plain } from "./blocked.ts";
import { convForm } from "./conv-form.ts";
import { stride1Pads } from "./flip-stride-1.ts";
import { exchangedBlocks, packedOf } from "./packed.ts";

/**
 * Convolutions whose weights are fed (training), and their data gradients of stride 1, in the runtime's blocked layout.
 * It takes this layout by itself only for constant weights; others it unfolds into patches, at two thirds of the speed.
 * The weights are put in order at each run: one transposition of rows, one Gather of whole blocks.
 *
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const blockedConvs =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [x, w, bias]) => {
      const form = x && w && fits(node, x, w, block) ? convForm(node, 2) : undefined;
      if (!x || !w || form?.group !== 1) return undefined;
      if (node.op === Conv) return [plain(blockedConv(blocked(x), forwardOrder(w, block), { ...form, bias }))];
      const pads = bias ? undefined : stride1Pads(node, w.shape.slice(2));
      const { dilations } = form;
      return pads && [plain(blockedConv(blocked(x), backwardOrder(w, block), { pads, dilations }))];
    });

const fits = (node: Node, x: Value, w: Value, block: number): boolean =>
  (node.op === Conv || node.op === ConvTranspose) &&
  !constantOf(w) &&
  x.dtype === "float32" &&
  w.shape.length === 4 &&
  w.shape.every((d) => d > 0) &&
  w.shape[0]! % block === 0 &&
  w.shape[1]! % block === 0;

const forwardOrder = (w: Value, block: number): Value => {
  const packed = packedOf(w);
  if (packed) return packed;
  const shape = w.shape as [number, number, number, number],
    [, ins, kh, kw] = shape,
    taps = kh * kw;
  return fedWeights(w, ins * taps, shape, block, (o, i, tap) => (o * ins + i) * taps + tap);
};

/** w [I, O, kh, kw] of a transposed convolution -> weights of the convolution that computes it, with the taps reversed. */
const backwardOrder = (w: Value, block: number): Value => {
  const [ins, outs, kh, kw] = w.shape as [number, number, number, number],
    taps = kh * kw,
    packed = packedOf(w);
  const reversed = Array.from({ length: taps }, (_, tap) => taps - 1 - tap);
  if (packed) return reshape(exchangedBlocks(packed, reversed, block), [outs, ins, kh, kw]);
  const at = (o: number, i: number, tap: number): number => ((i * outs) / block + o) * taps + taps - 1 - tap;
  return fedWeights(w, taps, [outs, ins, kh, kw], block, at);
};
