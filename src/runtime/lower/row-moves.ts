import { sizeOf } from "../../core/index.ts";
import { constant, constantOf, type Graph, rewrite, type Value } from "../../graph/index.ts";
import { gather, reshape, Transpose } from "../../ops/index.ts";

/** Rows as long as a line of the cache and longer are copied whole. */
const MIN_ROW = 16;
/** Fewer elements are moved before a second thread has begun. */
const MIN_ELEMENTS = 1 << 16;

/**
 * Transpositions that leave rows whole, as a Gather of the rows: it has threads, where Transpose has one. For known
 * shapes.
 */
export const rowMoves = (graph: Graph): Graph => {
  const indices = new Map<string, Value>();
  return rewrite(graph, (node, [x]) => {
    const perm = node.attributes["perm"] as readonly number[] | undefined;
    if (node.op !== Transpose || !x || !perm || constantOf(x) || x.shape.some((d) => d < 0)) return undefined;
    // The axes at the end that stay in place are the row.
    let kept = perm.length;
    while (kept > 0 && perm[kept - 1] === kept - 1) kept--;
    const row = sizeOf(x.shape.slice(kept)),
      moved = x.shape.slice(0, kept);
    if (row < MIN_ROW || sizeOf(x.shape) < MIN_ELEMENTS) return undefined;
    const key = `${moved.join()}/${perm.join()}`;
    const index = indices.get(key) ?? constant(sourceRows(moved, perm));
    indices.set(key, index);
    return [reshape(gather(reshape(x, [sizeOf(moved), row]), index, 0), node.outputs[0]!.shape)];
  });
};

/** For each row of the transposed array, in order, its place in the given one. */
const sourceRows = (shape: readonly number[], perm: readonly number[]) => {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  let places: Int32Array<ArrayBuffer> = new Int32Array(1);
  for (const axis of perm.slice(0, shape.length)) {
    const size = shape[axis]!,
      stride = strides[axis]!,
      next = new Int32Array(places.length * size);
    for (let i = 0; i < places.length; i++) for (let k = 0; k < size; k++) next[i * size + k] = places[i]! + k * stride;
    places = next;
  }
  return { dtype: "int32", shape: [places.length], data: places } as const;
};
