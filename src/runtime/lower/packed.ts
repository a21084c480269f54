import { sameShape, type Tensor } from "../../core/index.ts";
import {
  apply,
  attr,
  constant,
  createGraph,
  defineOp,
  emit,
  emitAll,
  type Graph,
  rewrite,
  type Shape,
  type Value,
} from "../../graph/index.ts";
import { gather, reshape, transpose } from "../../ops/index.ts";
import { blocked, blockedWeights, plain } from "./blocked.ts";
import { isElementwise, isScalar } from "./elementwise.ts";

type WeightShape = readonly [number, number, number, number];

/** Whether weights of this shape are kept in the order of blocks: those of convolutions between blocked layers. */
export const isPackable = (shape: Shape, block: number): boolean =>
  block > 0 && shape.length === 4 && shape.every((d) => d > 0) && shape[0]! % block === 0 && shape[1]! % block === 0;

/** An operator that changes the order of weights in memory and keeps the declared shape. */
const reordering = (
  name: string,
  written: (w: Value, [outs, ins, kh, kw]: WeightShape, block: number) => Value,
): ReturnType<typeof defineOp<{ block: { kind: "int"; default: number } }>> =>
  defineOp({
    name,
    domain: "temper",
    arity: [1, 1],
    attributes: { block: attr.int(0) },
    infer: ([w]) => [{ dtype: w.dtype, shape: w.shape }],
    decompose: ({ attributes }, [w]) => [
      reshape(written(w, w.shape as WeightShape, attributes["block"] as number), w.shape),
    ],
  });

/** Plain weights [O, I, kh, kw] in the order in which blocked convolutions read them. */
const Pack = reordering("PackWeights", (w, [outs, ins, kh, kw], block) =>
  packRows(blocked(reshape(w, [(outs * ins) / block, block, kh * kw, 1])), [outs, ins, kh, kw]),
);

/** The way back. */
const Unpack = reordering("UnpackWeights", (w, [outs, ins, kh, kw], block) => {
  const rows = plain(reshape(w, [1, outs, ins * kh * kw, 1])); // [O, I / b, taps, b]
  return plain(reshape(rows, [(outs * ins) / block, block, kh * kw, 1]));
});

/** Rows [O, I / b, taps, b] in memory -> packed weights. */
const packRows = (rows: Value, shape: Shape): Value => {
  const [outs, ins, kh, kw] = shape as WeightShape;
  return reshape(blocked(reshape(rows, [1, outs, ins * kh * kw, 1])), shape);
};

/** Weights [O, I, kh, kw] whose memory holds [O, kh kw, I], as products over patches give them. */
export const unpackedTaps = (w: Value, shape: WeightShape, block: number): Value => {
  const [outs, ins, kh, kw] = shape;
  return unpacked(packRows(transpose(reshape(w, [outs, kh * kw, ins / block, block]), [0, 2, 1, 3]), shape), block);
};

/**
 * Weights [I, O, kh, kw] of a transposed convolution -> [O / b, I / b, taps, b (in), b (out)]: inputs and outputs
 * of each block exchanged, the blocks put in order; of each group by itself. @param taps  those that are wanted, in their order
 * @param tapsFirst  [taps, O / b, I / b, ...] instead
 */
export const exchangedBlocks = (
  w: Value,
  taps: readonly number[],
  block: number,
  { tapsFirst = false, group = 1 }: { readonly tapsFirst?: boolean; readonly group?: number } = {},
): Value => {
  const [ins, outs, kh, kw] = w.shape as WeightShape,
    count = (ins / block) * (outs / block) * kh * kw,
    each = ins / group / block;
  const rounds = tapsFirst ? taps.map((tap) => [tap]) : [taps];
  const index: number[] = [];
  for (const round of rounds)
    for (let first = 0; first < ins / block; first += each)
      for (let o = 0; o < outs / block; o++)
        for (let i = first; i < first + each; i++)
          for (const tap of round) index.push(((i * outs) / block + o) * kh * kw + tap);
  const rows = reshape(blocked(reshape(packed(w, block), [count, block, block, 1])), [count, block * block]);
  return gather(rows, constant({ dtype: "int32", shape: [index.length], data: Int32Array.from(index) }), 0);
};

/** The packed weights that plain ones were made from. */
export const packedOf = (w: Value): Value | undefined => (w.node.op === Unpack ? w.node.inputs[0]! : undefined);
/** Weights in the order of blocks: at each run, where they are not fed so. */
export const packed = (w: Value, block: number): Value => packedOf(w) ?? emit(Pack, [w], { block });
export const unpacked = (w: Value, block: number): Value =>
  w.node.op === Pack ? w.node.inputs[0]! : emit(Unpack, [w], { block });

/**
 * A graph that takes and gives some weights in the order of blocks, {@link packTensor}, instead of the plain one: a loop
 * that feeds its outputs back converts nothing.
 *
 * @param names  inputs and outputs; others than packable ones are left alone
 */
export const packEnds = (graph: Graph, names: Iterable<string>, block: number): Graph => {
  const wanted = new Set(names);
  const ends = ({ shape }: Value, name: string): boolean => wanted.has(name) && isPackable(shape, block);
  const values = graph.inputs.map((v) => [v.node.name, ends(v, v.node.name) ? unpacked(v, block) : v] as const);
  const outputs = Object.entries(apply(graph, Object.fromEntries(values))).map(
    ([name, v]) => [name, ends(v, name) ? packed(v, block) : v] as const,
  );
  return createGraph(graph.name, graph.inputs, Object.fromEntries(outputs));
};

/** Element by element operators on packed weights stay packed: an optimizer's step. */
export const packedWeights =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, inputs) => {
      const all = inputs.map((v) => v && (packedOf(v) ?? (isScalar(v) ? v : undefined)));
      if (node.op === Pack) return all[0] && [all[0]];
      const { shape } = node.outputs[0]!,
        fits = all.every((v, i) => !inputs[i] || (v && (isScalar(v) || sameShape(v.shape, shape))));
      if (!isElementwise(node) || !inputs.some((v) => v && packedOf(v)) || !fits) return undefined;
      return [unpacked(emitAll(node.op, all, node.attributes, node.name)[0]!, block)];
    });

/** Weights, or what belongs to them element by element, in the order of blocks. */
export const packTensor = (w: Tensor, block: number): Tensor => {
  const [, ins, kh, kw] = w.shape as WeightShape,
    data = w.data as Float32Array;
  return blockedWeights(w.shape as WeightShape, block, (o, i, y, x) => data[((o * ins + i) * kh + y) * kw + x]!);
};

/** The way back. */
export const unpackTensor = (w: Tensor, block: number): Tensor => {
  const places = packTensor({ ...w, data: Float32Array.from(w.data as Float32Array, (_, i) => i) } as Tensor, block);
  const data = new Float32Array(w.data.length);
  (places.data as Float32Array).forEach((to, from) => (data[to] = (w.data as Float32Array)[from]!));
  return { dtype: "float32", shape: w.shape, data };
};
