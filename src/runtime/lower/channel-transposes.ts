import { constantOf, type Dim, type Graph, rewrite } from "../../graph/index.ts";
import { reshape, Transpose } from "../../ops/index.ts";
import { channelsFirst, channelsLast } from "./blocked.ts";

/** Fewer elements an example are moved before the layout has been changed twice. */
const MIN_ELEMENTS = 1 << 10;

/**
 * Transpositions that move channels behind the pixels or before them, [N, C, L] to [N, L, C] and back with any number of
 * pixel axes, by way of the blocked layout: in threads, where Transpose has one.
 *
 * @param block  channels a block holds, on the machine that runs the graph
 */
export const channelTransposes =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [x]) => {
      if (node.op !== Transpose || !x || x.dtype !== "float32" || constantOf(x)) return undefined;
      const { perm } = node.attributes as { readonly perm?: readonly number[] },
        rank = x.shape.length,
        [batch, ...rest] = x.shape as [Dim, ...Dim[]];
      if (!perm || rank < 3 || perm[0] !== 0 || rest.some((d) => d < 1) || size(rest) < MIN_ELEMENTS) return undefined;
      const from = (axis: number, step: number): number => 1 + ((axis - 1 + step + rank - 1) % (rank - 1));
      const moves = (step: number): boolean => perm.every((p, axis) => axis === 0 || p === from(axis, step));
      const last = moves(1) && rest[0]! % block === 0,
        channels = last ? rest[0]! : rest.at(-1)!;
      if (!last && !(moves(-1) && channels % block === 0)) return undefined;
      const others = last ? rest.slice(1) : rest.slice(0, -1),
        pixels = others.length === 2 ? others : [size(others), 1];
      const other = last
        ? channelsLast(reshape(x, [batch, channels, ...pixels]))
        : channelsFirst(reshape(x, [batch, ...pixels, channels]));
      return [reshape(other, node.outputs[0]!.shape)];
    });

const size = (dims: readonly number[]): number => dims.reduce((product, d) => product * d, 1);
