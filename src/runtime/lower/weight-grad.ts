import { sizeOf, type Tensor } from "../../core/index.ts";
import { constant, type Graph, rewrite, type Value } from "../../graph/index.ts";
import { concat, ConvWeightGrad, gather, matmul, pad, reduceSum, reshape, transpose } from "../../ops/index.ts";
import { type ConvForm, convForm } from "./conv-form.ts";
import { isPackable, unpackedTaps } from "./packed.ts";

/** With fewer channels the rows that Gather copies are too short: the generic form (one Conv) is faster. */
const MIN_CHANNELS = 2;
/** The same of groups, whose generic form is a convolution of many small groups (measured: 8 lose, 16 gain). */
const MIN_GROUP_CHANNELS = 16;
/** From this many window positions on, a product an image and a sum over the batch beat one long product. */
const MIN_CELLS_BATCHED = 128;
/** Patches of one image (elements) that are put together at once; larger ones go tap by tap, to bound the memory. */
const MAX_PATCHES = 1 << 19;

/**
 * Weight gradients of convolutions as matrix products over patches: x with channels last, its windows copied by one
 * Gather of whole channel rows with a constant index (the runtime's threaded way of copying), times the cotangent.
 * Wide groups are as many examples more; narrow ones and single channels keep the generic form.
 *
 * @param block  channels a block holds, on the machine that runs the graph; 0: for none in particular
 */
export const lowerWeightGrads =
  (block: number) =>
  (graph: Graph): Graph =>
    rewrite(graph, (node, [x, g]) => {
      if (node.op !== ConvWeightGrad || !x || !g) return undefined;
      const image = x.shape.slice(2),
        form = convForm(node, image.length);
      if (!form || x.shape[1]! / form.group < (form.group > 1 ? MIN_GROUP_CHANNELS : MIN_CHANNELS)) return undefined;
      const { kernel_shape: kernel } = node.attributes as { readonly kernel_shape: readonly number[] };
      const each = (v: Value): Value => apart(v, form.group);
      return [weightGrad(each(x), each(g), { ...form, image, grid: g.shape.slice(2), kernel }, block)];
    });

/** Groups of channels as examples of their own. */
const apart = (v: Value, group: number): Value =>
  reshape(v, [v.shape[0]! * group, v.shape[1]! / group, ...v.shape.slice(2)]);

interface Geometry extends ConvForm {
  readonly image: readonly number[];
  readonly grid: readonly number[];
  readonly kernel: readonly number[];
}

/** x [N groups, C, ...], cotangent g [N groups, O, ...grid] -> [groups O, C, ...kernel]. */
const weightGrad = (x: Value, g: Value, geometry: Geometry, block: number): Value => {
  const { kernel, group } = geometry,
    [batch, channels] = x.shape as [number, number],
    outs = group * g.shape[1]!,
    cells = sizeOf(geometry.grid),
    taps = sizeOf(kernel);
  const columns = sourcesOf(geometry),
    padded = columns.some((column) => column.includes(-1));
  const rows = channelRows(x, padded);
  const product = cells >= MIN_CELLS_BATCHED || group > 1 ? batchedProduct(g, cells, group) : joinedProduct(g, cells);
  const parts = pieces(taps, Math.ceil((cells * taps * channels) / MAX_PATCHES)).map(([from, to]) => {
    const index = rowIndex(columns.slice(from, to), sizeOf(geometry.image));
    const patches = isIdentity(index, rows.shape[1]!) ? rows : gather(rows, constant(index), 1);
    return reshape(product(reshape(patches, [batch, cells, (to - from) * channels])), [outs, to - from, channels]);
  });
  const joined = parts.length === 1 ? parts[0]! : concat(parts, 1);
  const shape = [outs, channels, ...kernel];
  return isPackable(shape, block)
    ? unpackedTaps(joined, shape as [number, number, number, number], block)
    : reshape(transpose(joined, [0, 2, 1]), shape);
};

/** x as [N, cells, C], with a row of zeros at the end that stands for the padding. */
const channelRows = (x: Value, padded: boolean): Value => {
  const [batch, channels, ...image] = x.shape as [number, number, ...number[]];
  const last = reshape(transpose(x, [0, ...image.map((_, i) => i + 2), 1]), [batch, sizeOf(image), channels]);
  return padded ? pad(last, [0, 0, 0, 0, 1, 0]) : last;
};

/** [N groups, cells, K] -> [groups, O, K]: a product an image, then the sum over the batch. */
const batchedProduct = (g: Value, cells: number, group: number): ((patches: Value) => Value) => {
  const [batch, outs] = g.shape as [number, number],
    each = reshape(g, [batch, outs, cells]);
  return (patches) => reduceSum(reshape(matmul(each, patches), [batch / group, group * outs, patches.shape[2]!]), [0]);
};

/** The same as one product over the batch and all positions. */
const joinedProduct = (g: Value, cells: number): ((patches: Value) => Value) => {
  const [batch, outs] = g.shape as [number, number];
  const each = reshape(g, [batch, outs, cells]);
  const all = reshape(transpose(each, [1, 0, 2]), [outs, batch * cells]);
  return (patches) => matmul(all, reshape(patches, [batch * cells, patches.shape[2]!]));
};

/** [0, count) in so many parts of nearly equal size. */
const pieces = (count: number, wanted: number): readonly (readonly [number, number])[] => {
  const parts = Math.min(count, wanted),
    at = (i: number): number => Math.round((count * i) / parts);
  return Array.from({ length: parts }, (_, i) => [at(i), at(i + 1)] as const);
};

/** For every tap of the kernel, in row-major order, the cell of the image under each window position; -1: padding. */
const sourcesOf = ({ image, grid, kernel, strides, dilations, pads }: Geometry): number[][] => {
  let columns: number[][] = [[0]];
  image.forEach((size, axis) => {
    const along = Array.from({ length: kernel[axis]! }, (_, tap) =>
      Array.from({ length: grid[axis]! }, (_, i) => {
        const at = i * strides[axis]! + tap * dilations[axis]! - pads[axis]!;
        return at >= 0 && at < size ? at : -1;
      }),
    );
    const under = (at: number, next: number): number => (at < 0 || next < 0 ? -1 : at * size + next);
    columns = columns.flatMap((column) => along.map((list) => column.flatMap((at) => list.map((n) => under(at, n)))));
  });
  return columns;
};

/** Index of the copied rows, [cells, taps]; padding reads the row behind the last. */
const rowIndex = (columns: readonly (readonly number[])[], zeros: number): Tensor => {
  const cells = columns[0]!.length,
    data = new Int32Array(cells * columns.length);
  columns.forEach((column, tap) =>
    column.forEach((at, cell) => (data[cell * columns.length + tap] = at < 0 ? zeros : at)),
  );
  return { dtype: "int32", shape: [cells, columns.length], data };
};
const isIdentity = ({ data }: Tensor, rows: number): boolean =>
  data.length === rows && (data as Int32Array).every((at, i) => at === i);
