import { type DType, sizeOf } from "../core/index.ts";
import { type Array64, broadcastShapes } from "../graph/index.ts";

/** Pieces that the float64 references share. Plain loops: they are the oracle, not the engine. */

export const array64 = (shape: readonly number[], data: Float64Array, dtype: DType = "float32"): Array64 => ({
  dtype,
  shape,
  data,
});
export const zeros64 = (shape: readonly number[], dtype: DType = "float32"): Array64 =>
  array64(shape, new Float64Array(sizeOf(shape)), dtype);

export const map64 = (x: Array64, f: (v: number) => number, dtype: DType = x.dtype): Array64 =>
  array64(x.shape, x.data.map(f), dtype);

/** Row-major strides. */
export const stridesOf = (shape: readonly number[]): number[] => {
  const strides = new Array<number>(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis]!, axis--) strides[axis] = step;
  return strides;
};

/** Strides of `shape` seen as the (larger) `out`: broadcast axes step by zero. */
export const broadcastStrides = (shape: readonly number[], out: readonly number[]): number[] => {
  const strides = stridesOf(shape),
    shift = out.length - shape.length;
  return out.map((_, axis) => (axis < shift || shape[axis - shift] === 1 ? 0 : strides[axis - shift]!));
};

/**
 * Walks the rows (last axis) of `shape` in order, tracking one offset a list of strides. The caller runs along the row,
 * by the last of its strides: loops over elements stay free of calls.
 * @param visit  gets the linear index of the row's first element and the offsets (the array is reused)
 */
export const walkRows = (
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (start: number, offsets: readonly number[]) => void,
): void => {
  const last = shape.length - 1,
    inner = shape[last] ?? 1,
    rows = inner === 0 ? 0 : sizeOf(shape) / inner;
  const at = new Array<number>(Math.max(last, 0)).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  for (let row = 0; row < rows; row++) {
    visit(row * inner, offsets);
    for (let axis = last - 1; axis >= 0; axis--) {
      at[axis]!++;
      for (let k = 0; k < strides.length; k++) offsets[k]! += strides[k]![axis]!;
      if (at[axis]! < shape[axis]!) break;
      for (let k = 0; k < strides.length; k++) offsets[k]! -= strides[k]![axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
};

/** {@link walkRows} element by element: shorter to use, slower to run. */
export const walk = (
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (index: number, offsets: readonly number[]) => void,
): void => {
  const inner = shape.at(-1) ?? 1,
    steps = strides.map((s) => s.at(-1) ?? 0),
    offsets = new Array<number>(strides.length);
  walkRows(shape, strides, (start, starts) => {
    for (let i = 0; i < inner; i++) {
      for (let k = 0; k < steps.length; k++) offsets[k] = starts[k]! + i * steps[k]!;
      visit(start + i, offsets);
    }
  });
};

/** x broadcast to a shape. */
export const expand64 = (x: Array64, shape: readonly number[]): Array64 => {
  const out = zeros64(shape, x.dtype),
    strides = broadcastStrides(x.shape, shape);
  const inner = shape.at(-1) ?? 1,
    step = strides.at(-1) ?? 0;
  walkRows(shape, [strides], (start, offsets) => {
    const from = offsets[0]!;
    for (let i = 0; i < inner; i++) out.data[start + i] = x.data[from + i * step]!;
  });
  return out;
};

/** Folds the elements that share a place in `kept` (the shape of x with some axes of size 1) into one. */
export const fold64 = (
  x: Array64,
  kept: readonly number[],
  start: number,
  step: (sum: number, x: number) => number,
): Array64 => {
  const out = zeros64(kept, x.dtype),
    strides = broadcastStrides(kept, x.shape);
  const inner = x.shape.at(-1) ?? 1,
    stride = strides.at(-1) ?? 0;
  out.data.fill(start);
  walkRows(x.shape, [strides], (from, offsets) => {
    const to = offsets[0]!;
    for (let i = 0; i < inner; i++) out.data[to + i * stride] = step(out.data[to + i * stride]!, x.data[from + i]!);
  });
  return out;
};

/** f(a, b) elementwise with broadcasting. */
export const broadcast64 = (
  a: Array64,
  b: Array64,
  f: (x: number, y: number) => number,
  dtype: DType = a.dtype,
): Array64 => {
  const shape = broadcastShapes(a.shape, b.shape),
    out = zeros64(shape, dtype);
  const [size, p, q] = [out.data.length, a.data, b.data];
  // Every operand has as many elements as the output, or one: no offsets to keep.
  if ((p.length === size || p.length === 1) && (q.length === size || q.length === 1)) {
    const [ap, bp] = [p.length === size ? 1 : 0, q.length === size ? 1 : 0];
    for (let i = 0; i < size; i++) out.data[i] = f(p[i * ap]!, q[i * bp]!);
    return out;
  }
  const strides = [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)] as const;
  const inner = shape.at(-1)!,
    [ap, bp] = [strides[0].at(-1)!, strides[1].at(-1)!];
  walkRows(shape, strides, (start, offsets) => {
    const [j, k] = [offsets[0]!, offsets[1]!];
    for (let i = 0; i < inner; i++) out.data[start + i] = f(p[j + i * ap]!, q[k + i * bp]!);
  });
  return out;
};

/**
 * out[i, j, ...] = x[maps[0][i], maps[1][j], ...]: slices, padding and tiling. A negative entry gives `fill`.
 * @param maps  one list a axis; its length is the output's size there
 */
export const pick64 = (x: Array64, maps: readonly ArrayLike<number>[], fill = 0): Array64 => {
  const shape = maps.map((map) => map.length),
    out = zeros64(shape, x.dtype);
  const strides = stridesOf(x.shape),
    last = maps.length - 1;
  let to = 0;
  const copy = (axis: number, offset: number, inside: boolean): void => {
    if (axis > last) {
      out.data[to++] = inside ? x.data[offset]! : fill;
      return;
    }
    const map = maps[axis]!,
      stride = strides[axis]!;
    if (axis === last)
      for (let i = 0; i < map.length; i++) out.data[to++] = inside && map[i]! >= 0 ? x.data[offset + map[i]!]! : fill;
    else for (let i = 0; i < map.length; i++) copy(axis + 1, offset + map[i]! * stride, inside && map[i]! >= 0);
  };
  copy(0, 0, true);
  return out;
};

/** Calls `row(start, length, stride)` for every line of x along an axis. */
export const alongAxis = (
  { shape }: Pick<Array64, "shape">,
  axis: number,
  row: (start: number, length: number, stride: number) => void,
): void => {
  const length = shape[axis]!,
    stride = sizeOf(shape.slice(axis + 1)),
    outer = sizeOf(shape.slice(0, axis));
  for (let o = 0; o < outer; o++) for (let i = 0; i < stride; i++) row(o * length * stride + i, length, stride);
};

/** Copies x with its axes in another order; the innermost loop runs over the last axis of the output. */
export const transpose64 = (x: Array64, order: readonly number[]): Array64 => {
  const shape = order.map((axis) => x.shape[axis]!),
    out = zeros64(shape, x.dtype);
  if (shape.length === 0) return { ...out, data: x.data };
  const from = stridesOf(x.shape),
    steps = order.map((axis) => from[axis]!);
  const inner = shape.at(-1)!,
    innerStep = steps.at(-1)!,
    rows = sizeOf(shape.slice(0, -1));
  const at = new Array<number>(shape.length - 1).fill(0);
  for (let row = 0, offset = 0, to = 0; row < rows; row++) {
    for (let i = 0, k = offset; i < inner; i++, k += innerStep) out.data[to++] = x.data[k]!;
    for (let axis = at.length - 1; axis >= 0; axis--) {
      offset += steps[axis]!;
      if (++at[axis]! < shape[axis]!) break;
      offset -= steps[axis]! * shape[axis]!;
      at[axis] = 0;
    }
  }
  return out;
};
