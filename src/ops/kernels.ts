/** Float64 loops behind products and convolutions: the references of whole networks must run in seconds. */

/** How an operand lies in its array: first element, and whether rows and columns are exchanged. */
export interface Operand {
  readonly data: Float64Array;
  readonly at: number;
  readonly transposed?: boolean;
}

/** out [m, n] += a [m, k] · b [k, n]; a transposed operand is stored [k, m] or [n, k]. */
export const addProduct = (
  out: Float64Array,
  at: number,
  a: Operand,
  b: Operand,
  m: number,
  k: number,
  n: number,
): void => {
  const rowStep = a.transposed ? 1 : k,
    depthStep = a.transposed ? m : 1;
  for (let i = 0; i < m; i++) {
    const row = a.at + i * rowStep;
    if (b.transposed) addDots(out, at + i * n, a.data, row, depthStep, b, k, n);
    else addRows(out, at + i * n, a.data, row, depthStep, b, k, n);
  }
};

/** One row of the product as a sum of rows of b; four at a time, so that `out` is read less often. */
const addRows = (
  out: Float64Array,
  at: number,
  a: Float64Array,
  row: number,
  step: number,
  { data: b, at: start }: Operand,
  k: number,
  n: number,
): void => {
  let p = 0;
  for (; p + 4 <= k; p += 4) {
    const a0 = a[row + p * step]!,
      a1 = a[row + (p + 1) * step]!,
      a2 = a[row + (p + 2) * step]!,
      a3 = a[row + (p + 3) * step]!;
    const b0 = start + p * n,
      b1 = b0 + n,
      b2 = b1 + n,
      b3 = b2 + n;
    for (let j = 0; j < n; j++) out[at + j]! += a0 * b[b0 + j]! + a1 * b[b1 + j]! + a2 * b[b2 + j]! + a3 * b[b3 + j]!;
  }
  for (; p < k; p++) {
    const factor = a[row + p * step]!,
      from = start + p * n;
    for (let j = 0; j < n; j++) out[at + j]! += factor * b[from + j]!;
  }
};

/** One row of the product as dot products with rows of the stored, transposed b. */
const addDots = (
  out: Float64Array,
  at: number,
  a: Float64Array,
  row: number,
  step: number,
  { data: b, at: start }: Operand,
  k: number,
  n: number,
): void => {
  for (let j = 0; j < n; j++) {
    const from = start + j * k;
    let sum = 0;
    for (let p = 0; p < k; p++) sum += a[row + p * step]! * b[from + p]!;
    out[at + j]! += sum;
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
