import { sizeOf, type Tensor } from "../../core/index.ts";
import { constant, constantOf, type Value } from "../../graph/index.ts";
import { pad, reshape, slice } from "../../ops/index.ts";

/** Channels in equal groups, each with zeros behind it, so that every group fills whole blocks. */
export interface ChannelLayout {
  readonly groups: number;
  /** Channels of a group. */
  readonly each: number;
  /** The same with the zeros. */
  readonly filled: number;
}

/** Channels with the zeros. */
export const widthOf = ({ groups, filled }: ChannelLayout): number => groups * filled;

/** An axis of channels with the zeros between its groups; no layout: as it is. */
export const fill = (v: Value, axis: number, layout: ChannelLayout | undefined): Value => {
  if (!layout) return v;
  const { groups, each, filled } = layout,
    known = constantOf(v);
  if (known?.dtype === "float32") return constant(filledTensor(known, axis, layout), v.node.name);
  const more = (rank: number, at: number): number[] =>
    Array.from({ length: 2 * rank }, (_, i) => (i === rank + at ? filled - each : 0));
  const { shape } = v,
    rank = shape.length;
  if (groups === 1) return pad(v, more(rank, axis));
  const apart = reshape(v, [...shape.slice(0, axis), groups, each, ...shape.slice(axis + 1)]);
  return reshape(pad(apart, more(rank + 1, axis + 1)), replaced(shape, axis, widthOf(layout)));
};

/** The way back. */
export const trim = (v: Value, axis: number, layout: ChannelLayout | undefined): Value => {
  if (!layout) return v;
  const { groups, each, filled } = layout,
    { shape } = v;
  if (groups === 1) return slice(v, [0], [each], [axis]);
  const apart = reshape(v, [...shape.slice(0, axis), groups, filled, ...shape.slice(axis + 1)]);
  return reshape(slice(apart, [0], [each], [axis + 1]), replaced(shape, axis, groups * each));
};

const replaced = (shape: readonly number[], axis: number, size: number): readonly number[] =>
  shape.map((d, i) => (i === axis ? size : d));

const filledTensor = ({ shape, data }: Tensor, axis: number, layout: ChannelLayout): Tensor => {
  const inner = sizeOf(shape.slice(axis + 1)),
    from = layout.each * inner,
    to = layout.filled * inner,
    out = new Float32Array((data.length / from) * to);
  for (let row = 0; row * from < data.length; row++)
    out.set((data as Float32Array).subarray(row * from, (row + 1) * from), row * to);
  return { dtype: "float32", shape: replaced(shape, axis, widthOf(layout)), data: out };
};
