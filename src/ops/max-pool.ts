import { sizeOf } from "../core/index.ts";
import { attr, defineOp, elements, emit, emitAll, type Value } from "../graph/index.ts";
import { mul, scalarLike } from "./arithmetic.ts";
import type { PoolOptions } from "./average-pool.ts";
import { expandTo } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { equal } from "./compare.ts";
import { globalShape, overWindows, poolType, poolWindow } from "./pool-geometry.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { upsample } from "./resize.ts";
import { scatterElements } from "./scatter.ts";
import { constantLike, covered, grow, tiles } from "./spread.ts";
import { type Window, windowAttributes } from "./window.ts";

/** Flat index of a cell with the last axis outermost within a plane. */
const columnMajor = (flat: number, image: readonly number[]): number => {
  const area = sizeOf(image);
  let rest = flat % area,
    index = 0,
    step = area;
  for (let axis = image.length - 1; axis >= 0; axis--) {
    step /= image[axis]!;
    index += (rest % image[axis]!) * step;
    rest = Math.floor(rest / image[axis]!);
  }
  return flat - (flat % area) + index;
};

/**
 * Largest element under each window of x [N, C, ...], and its flat position in x (int64; the first of equals). Padding
 * never wins. Runtimes skip the positions where nobody reads them. Source: ONNX MaxPool, opset 12.
 */
export const MaxPool = defineOp({
  name: "MaxPool",
  optionalFrom: 1,
  arity: [1, 1],
  attributes: { ...windowAttributes, ceil_mode: attr.int(0), storage_order: attr.int(0) },
  infer: ([x], a) => {
    const type = poolType(x, poolWindow(x.shape, a));
    return [type, { ...type, dtype: "int64" }];
  },
  vjp: ({ g, inputs: [x], outputs: [y, positions], attributes: a }) => {
    const window = poolWindow(x.shape, a);
    if (tiles(window)) return [grow(routeTiles(g, covered(x, window), y, window), window.image)];
    return [scatterFlat(g, a.storage_order === 0 ? positions : rowMajorPositions(x, a), x)];
  },
  reference: ([x], a) => {
    const window = poolWindow(x.shape, a),
      shape = [...x.shape.slice(0, 2), ...window.grid];
    const out = zeros64(shape, x.dtype),
      positions = zeros64(shape, "int64");
    overWindows(x, window, (position, offsets, count) => {
      let best = offsets[0]!;
      for (let i = 1; i < count; i++) if (!(x.data[offsets[i]!]! <= x.data[best]!)) best = offsets[i]!;
      out.data[position] = count > 0 ? x.data[best]! : -Infinity;
      positions.data[position] = a.storage_order === 1 ? columnMajor(best, window.image) : best;
    });
    return [out, positions];
  },
});

const rowMajorPositions = (x: Value, attributes: object): Value =>
  emitAll(MaxPool, [x], { ...attributes, storage_order: 0 })[1]!;

/** g at the given flat positions of a tensor shaped like x; positions may repeat. */
const scatterFlat = (g: Value, positions: Value, x: Value): Value => {
  const flat = (v: Value): Value => reshape(v, [elements(v.shape)]);
  const zeros = expandTo(scalarLike(g, 0), flat(x));
  return reshape(scatterElements(zeros, flat(positions), flat(g), 0, "add"), x.shape);
};

/**
 * Tiling windows need no positions (which cost the forward pass several times its time): cells that equal the maximum
 * carry a code that falls along the window, the largest code of a window is its first maximum, and there g goes.
 * Measured at [64, 32, 28, 28], 2 x 2: 16 % less than MaxUnpool at the positions, half of per-tap slices.
 */
const routeTiles = (g: Value, x: Value, y: Value, { kernel, strides }: Window): Value => {
  const codes = tileCodes(x, kernel);
  const candidates = mul(cast(equal(x, upsample(y, kernel)), x.dtype), codes);
  const winners = upsample(maxPool(candidates, kernel, { strides }), kernel);
  return mul(upsample(g, kernel), cast(equal(codes, winners), g.dtype));
};

/** Codes k, k - 1, ... 1 along the cells of each window, for one plane of x. */
const tileCodes = (x: Value, kernel: readonly number[]): Value => {
  const image = x.shape.slice(2),
    taps = sizeOf(kernel);
  const codes = Float64Array.from({ length: sizeOf(image) }, (_, flat) => {
    let tap = 0;
    for (let axis = image.length - 1, rest = flat, step = 1; axis >= 0; axis--) {
      tap += ((rest % image[axis]!) % kernel[axis]!) * step;
      rest = Math.floor(rest / image[axis]!);
      step *= kernel[axis]!;
    }
    return taps - tap;
  });
  return constantLike(x, codes, image);
};

/** Largest element under windows of `kernel` cells; strides default to 1. */
export const maxPool = (x: Value, kernel: readonly number[], options: PoolOptions = {}): Value =>
  emit(MaxPool, [x], { ...options, kernel_shape: kernel });
/** {@link maxPool} and the flat positions of the maxima in x. */
export const maxPoolWithPositions = (
  x: Value,
  kernel: readonly number[],
  options: PoolOptions = {},
): readonly [Value, Value] =>
  emitAll(MaxPool, [x], { ...options, kernel_shape: kernel } as never) as readonly [Value, Value];

/** Largest element of each channel: x [N, C, ...] -> [N, C, 1, ...]. Source: ONNX GlobalMaxPool. */
export const GlobalMaxPool = defineOp({
  name: "GlobalMaxPool",
  arity: [1, 1],
  infer: ([x]) => [{ dtype: x.dtype, shape: globalShape(x) }],
  vjp: ({ g, inputs: [x], outputs: [y] }) => {
    const image = x.shape.slice(2);
    const codes = tileCodes(x, image);
    const winners = globalMaxPool(mul(cast(equal(x, y), x.dtype), codes));
    return [mul(g, cast(equal(codes, winners), g.dtype))];
  },
  reference: ([x]) => {
    const [batch, channels, ...image] = x.shape as [number, number, ...number[]],
      area = sizeOf(image);
    const out = zeros64([batch, channels, ...image.map(() => 1)], x.dtype);
    out.data.forEach((_, i) => {
      out.data[i] = x.data.subarray(i * area, (i + 1) * area).reduce((a, b) => (a > b || Number.isNaN(a) ? a : b));
    });
    return [out];
  },
});
export const globalMaxPool = (x: Value): Value => emit(GlobalMaxPool, [x]);
