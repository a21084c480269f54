import { constant, constantOf, type Graph, type Node, rewrite, type Value } from "../../graph/index.ts";
import { Conv, ConvTranspose, gather, reshape } from "../../ops/index.ts";
import { blocked, blockedConv, plain } from "./blocked.ts";
import { stride1Pads } from "./flip-stride-1.ts";

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
      if (!x || !w || !fits(node, x, w, block)) return undefined;
      const { pads, strides, dilations } = node.attributes as Readonly<Record<string, readonly number[] | undefined>>;
      if (node.op === Conv) {
        const weights = forwardOrder(w, block);
        return [plain(blockedConv(blocked(x), weights, { pads, strides, dilations, bias }))];
      }
      const flipped = bias ? undefined : stride1Pads(node, w.shape.slice(2));
      return flipped && [plain(blockedConv(blocked(x), backwardOrder(w, block), { pads: flipped, dilations }))];
    });

const fits = (node: Node, x: Value, w: Value, block: number): boolean => {
  const { group, auto_pad } = node.attributes as { readonly group: number; readonly auto_pad: string };
  return (
    (node.op === Conv || node.op === ConvTranspose) &&
    !constantOf(w) &&
    x.dtype === "float32" &&
    w.shape.length === 4 &&
    w.shape.every((d) => d > 0) &&
    w.shape[0]! % block === 0 &&
    w.shape[1]! % block === 0 &&
    group === 1 &&
    auto_pad === "NOTSET"
  );
};

/** w [O, I, kh, kw] -> the same, blocked: [O / b, I / b, kh, kw, b (in), b (out)] in memory. */
const forwardOrder = (w: Value, block: number): Value => {
  const [outs, ins, kh, kw] = w.shape as [number, number, number, number],
    taps = kh * kw;
  const rows = blocked(reshape(w, [outs / block, block, ins * taps, 1])); // [O / b, I, taps] rows of b outputs
  const places = indexOf([outs / block, ins / block, taps, block], (o, i, tap, inner) => {
    return (o * ins + i * block + inner) * taps + tap;
  });
  return inOrder(rows, places, block, [outs, ins, kh, kw]);
};

/** w [I, O, kh, kw] of a transposed convolution -> weights of the convolution that computes it, taps reversed, blocked. */
const backwardOrder = (w: Value, block: number): Value => {
  const [ins, outs, kh, kw] = w.shape as [number, number, number, number],
    taps = kh * kw;
  const rows = blocked(reshape(w, [(ins * outs) / block, block, taps, 1])); // [I, O / b, taps] rows of b outputs
  const places = indexOf([outs / block, ins / block, taps, block], (o, i, tap, inner) => {
    return ((i * block + inner) * (outs / block) + o) * taps + taps - 1 - tap;
  });
  return inOrder(rows, places, block, [outs, ins, kh, kw]);
};

const inOrder = (rows: Value, places: Int32Array, block: number, shape: readonly number[]): Value => {
  const index = constant({ dtype: "int32", shape: [places.length], data: places as Int32Array<ArrayBuffer> });
  return reshape(gather(reshape(rows, [places.length, block]), index, 0), shape);
};

const indexOf = (
  [a, b, c, d]: readonly [number, number, number, number],
  at: (a: number, b: number, c: number, d: number) => number,
): Int32Array => {
  const index = new Int32Array(a * b * c * d);
  let next = 0;
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) for (let k = 0; k < c; k++) for (let l = 0; l < d; l++) index[next++] = at(i, j, k, l);
  return index;
};
