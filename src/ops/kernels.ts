/** Float64 loops behind products and convolutions: the references of whole networks must run in seconds. */

/** How an operand lies in its array: first element, and whether rows and columns are exchanged. */
export interface Operand {
  readonly data: Float64Array;
  readonly at: number;
  readonly transposed?: boolean;
}

/** Rows of b that are read for all rows of a before the next ones: they stay in the cache. */
const DEPTH = 64;

/** out [m, n] += a [m, k] · b [k, n]; a transposed operand is stored [k, m] or [n, k]. */
export const addProduct = (
  out: Float64Array,
  at: number,
  left: Operand,
  right: Operand,
  m: number,
  k: number,
  n: number,
): void => {
  const a = left.transposed ? turned(left, k, m) : left,
    b = right.transposed ? turned(right, n, k) : right;
  for (let p = 0; p < k; p += DEPTH) {
    const depth = Math.min(DEPTH, k - p),
      whole = depth - (depth % 4);
    let i = 0;
    for (; i + 4 <= m; i += 4) {
      const to = at + i * n,
        row = a.at + i * k + p;
      for (let q = 0; q < whole; q += 4) addTile(out, to, a.data, row + q, k, b.data, b.at + (p + q) * n, n);
      for (let r = 0; r < 4; r++)
        addRow(out, to + r * n, a.data, row + r * k + whole, b.data, b.at + (p + whole) * n, depth - whole, n);
    }
    for (; i < m; i++) addRow(out, at + i * n, a.data, a.at + i * k + p, b.data, b.at + p * n, depth, n);
  }
};

/** Stored [rows, columns], given back as [columns, rows]. */
const turned = ({ data, at }: Operand, rows: number, columns: number): Operand => {
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[at + r * columns + c]!;
  return { data: out, at: 0 };
};

/** Four rows of out gain four rows of b: 16 products for 4 numbers read, which is what makes this fast. */
const addTile = (
  out: Float64Array,
  to: number,
  a: Float64Array,
  row: number,
  k: number,
  b: Float64Array,
  from: number,
  n: number,
): void => {
  const r1 = row + k,
    r2 = r1 + k,
    r3 = r2 + k;
  const a00 = a[row]!, a01 = a[row + 1]!, a02 = a[row + 2]!, a03 = a[row + 3]!; // prettier-ignore
  const a10 = a[r1]!, a11 = a[r1 + 1]!, a12 = a[r1 + 2]!, a13 = a[r1 + 3]!; // prettier-ignore
  const a20 = a[r2]!, a21 = a[r2 + 1]!, a22 = a[r2 + 2]!, a23 = a[r2 + 3]!; // prettier-ignore
  const a30 = a[r3]!, a31 = a[r3 + 1]!, a32 = a[r3 + 2]!, a33 = a[r3 + 3]!; // prettier-ignore
  for (let j = 0; j < n; j++) {
    const p = from + j,
      q = to + j;
    const b0 = b[p]!, b1 = b[p + n]!, b2 = b[p + 2 * n]!, b3 = b[p + 3 * n]!; // prettier-ignore
    out[q]! += a00 * b0 + a01 * b1 + a02 * b2 + a03 * b3;
    out[q + n]! += a10 * b0 + a11 * b1 + a12 * b2 + a13 * b3;
    out[q + 2 * n]! += a20 * b0 + a21 * b1 + a22 * b2 + a23 * b3;
    out[q + 3 * n]! += a30 * b0 + a31 * b1 + a32 * b2 + a33 * b3;
  }
};

/** One row of out gains the first `depth` rows of b. */
const addRow = (
  out: Float64Array,
  to: number,
  a: Float64Array,
  row: number,
  b: Float64Array,
  from: number,
  depth: number,
  n: number,
): void => {
  for (let p = 0; p < depth; p++) {
    const factor = a[row + p]!,
      start = from + p * n;
    for (let j = 0; j < n; j++) out[to + j]! += factor * b[start + j]!;
  }
};

/** A sliding window over three spatial axes (fewer axes are padded in front with size 1). */
export interface Sweep {
  /** Sizes of the image, the kernel and the grid of window positions. */
  readonly image: readonly [number, number, number];
  readonly kernel: readonly [number, number, number];
  readonly grid: readonly [number, number, number];
  readonly strides: readonly [number, number, number];
  readonly dilations: readonly [number, number, number];
  /** Padding in front. What lies behind follows from the grid. */
  readonly begin: readonly [number, number, number];
}

/**
 * Visits the runs of a sweep: for channel `c` and tap `t` the image elements under one row of the grid.
 * @param visit  row of the unfolded matrix (c · taps + t), first column, first image offset, step, count
 */
const runs = (
  { image, kernel, grid, strides, dilations, begin }: Sweep,
  channels: number,
  visit: (row: number, column: number, from: number, step: number, count: number) => void,
): void => {
  const [depth, height, width] = image,
    step = strides[2];
  let row = 0;
  for (let c = 0; c < channels; c++)
    for (let kz = 0; kz < kernel[0]; kz++)
      for (let ky = 0; ky < kernel[1]; ky++)
        for (let kx = 0; kx < kernel[2]; kx++, row++) {
          const x0 = kx * dilations[2] - begin[2];
          const first = x0 < 0 ? Math.ceil(-x0 / step) : 0;
          const count = Math.min(grid[2], Math.floor((width - 1 - x0) / step) + 1) - first;
          if (count <= 0) continue;
          for (let gz = 0; gz < grid[0]; gz++) {
            const z = gz * strides[0] + kz * dilations[0] - begin[0];
            if (z < 0 || z >= depth) continue;
            for (let gy = 0; gy < grid[1]; gy++) {
              const y = gy * strides[1] + ky * dilations[1] - begin[1];
              if (y < 0 || y >= height) continue;
              const from = ((c * depth + z) * height + y) * width + x0 + first * step;
              visit(row, (gz * grid[1] + gy) * grid[2] + first, from, step, count);
            }
          }
        }
};

/** Image [channels, ...] from `at` as the matrix [channels · taps, grid]; padding is zero. */
export const unfold = (image: Float64Array, at: number, channels: number, sweep: Sweep): Float64Array => {
  const cells = sweep.grid[0] * sweep.grid[1] * sweep.grid[2];
  const out = new Float64Array(channels * sweep.kernel[0] * sweep.kernel[1] * sweep.kernel[2] * cells);
  runs(sweep, channels, (row, column, from, step, count) => {
    let to = row * cells + column;
    for (let i = 0, p = at + from; i < count; i++, p += step) out[to++] = image[p]!;
  });
  return out;
};

/** The transpose of {@link unfold}: adds a matrix [channels · taps, grid] into the image. */
export const foldInto = (
  image: Float64Array,
  at: number,
  channels: number,
  sweep: Sweep,
  matrix: Float64Array,
): void => {
  const cells = sweep.grid[0] * sweep.grid[1] * sweep.grid[2];
  runs(sweep, channels, (row, column, from, step, count) => {
    let source = row * cells + column;
    for (let i = 0, p = at + from; i < count; i++, p += step) image[p]! += matrix[source++]!;
  });
};
