import { f32, formatShape, sameShape, sizeOf, TemperError, toFloat64 } from "../core/index.ts";
import {
  type Array64,
  attr,
  constant,
  constantOf,
  defineOp,
  dimOf,
  elements,
  emit,
  type Inputs,
  knownExtents,
  normalizeAxes,
  type Shape,
  type Value,
  type ValueType,
} from "../graph/index.ts";
import { scale as scaled } from "./arithmetic.ts";
import { averagePool } from "./average-pool.ts";
import { type AxisMap, checkInterpolation, type Interpolation, interpolationTaps, type Taps } from "./interpolation.ts";
import { matmul } from "./matmul.ts";
import { array64, zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { constantLike } from "./spread.ts";

interface ResizeAttributes extends Interpolation {
  readonly axes: readonly number[] | undefined;
  readonly extrapolation_value: number;
  readonly keep_aspect_ratio_policy: string;
}

/** What inputs 1 to 3 say, each a list of one entry a resized axis. */
interface Wanted {
  readonly roi: readonly number[] | undefined;
  readonly scales: readonly number[] | undefined;
  readonly sizes: Shape | undefined;
}

const axisMaps = (x: Shape, { roi, scales, sizes }: Wanted, a: ResizeAttributes): AxisMap[] => {
  const given = a.axes ?? x.map((_, i) => i),
    axes = given.map((axis) => normalizeAxes([axis], x.length)[0]!);
  const lists = scales ?? sizes;
  if (!lists || (scales && sizes)) throw new TemperError("bad-shape", "wants either scales or sizes.");
  if (lists.length !== axes.length || (roi && roi.length !== 2 * axes.length))
    throw new TemperError("bad-shape", `wants one scale or size for each of ${axes.length} axes, got ${lists.length}.`);
  const common = sizes && aspectScale(x, axes, sizes, a.keep_aspect_ratio_policy);
  return x.map((from, axis) => {
    const k = axes.indexOf(axis),
      region = [k < 0 ? 0 : (roi?.[k] ?? 0), k < 0 ? 1 : (roi?.[k + axes.length] ?? 1)] as const;
    const map = k < 0 ? { from, to: from, scale: 1 } : resizedAxis(from, scales?.[k], sizes?.[k], common);
    return { ...map, roi: region };
  });
};

const resizedAxis = (
  from: number,
  scale: number | undefined,
  size: number | undefined,
  common: number | undefined,
): Omit<AxisMap, "roi"> => {
  const to = common === undefined ? (size ?? Math.floor(Math.fround(from * scale!))) : Math.round(common * from);
  if (scale === 1 || size === from) return { from, to: from, scale: 1 };
  if (from < 0) throw new TemperError("unsupported", "the batch axis cannot be resized.");
  if (!(to >= 1) || from < 1) throw new TemperError("bad-shape", `an axis of ${from} cannot become ${to}.`);
  return { from, to, scale: Math.fround(scale ?? common ?? to / from) };
};

/** One scale for all axes, where the aspect ratio is kept. */
const aspectScale = (x: Shape, axes: readonly number[], sizes: Shape, policy: string): number | undefined => {
  if (policy === "stretch") return undefined;
  const ratios = sizes.map((size, i) => size / x[axes[i]!]!);
  if (policy === "not_larger") return Math.min(...ratios);
  if (policy === "not_smaller") return Math.max(...ratios);
  throw new TemperError("unsupported", `keep_aspect_ratio_policy "${policy}" is not known.`);
};

const numbersOf = (v: Value | undefined, what: string): readonly number[] | undefined => {
  if (!v || v.shape[0] === 0) return undefined;
  const tensor = constantOf(v);
  if (tensor) return Array.from(toFloat64(tensor));
  throw new TemperError("unsupported", `${what} depends on data; it must be a constant.`);
};
const wantedOf = ([, roi, scales, sizes]: Inputs, a: ResizeAttributes): Wanted => ({
  roi: a.coordinate_transformation_mode === "tf_crop_and_resize" ? numbersOf(roi, "roi") : undefined,
  scales: numbersOf(scales, "scales"),
  sizes: sizes && sizes.shape[0] !== 0 ? knownExtents(sizes, "sizes").map(dimOf) : undefined,
});

/** Axes that change, and the rows of their interpolation matrices. */
const plan = (maps: readonly AxisMap[], a: ResizeAttributes): { axis: number; map: AxisMap; taps: Taps[] }[] => {
  const crops = a.coordinate_transformation_mode === "tf_crop_and_resize";
  return maps.flatMap((map, axis) => {
    const whole = !crops || (map.roi[0] === 0 && map.roi[1] === 1);
    if (map.from === map.to && map.scale === 1 && whole) return [];
    if (map.from < 0) throw new TemperError("unsupported", "the batch axis cannot be resized.");
    return [{ axis, map, taps: interpolationTaps(map, a) }];
  });
};

const resizeAttributes = {
  antialias: attr.int(0),
  axes: attr.ints(),
  coordinate_transformation_mode: attr.string("half_pixel"),
  cubic_coeff_a: attr.float(-0.75),
  exclude_outside: attr.int(0),
  extrapolation_value: attr.float(0),
  keep_aspect_ratio_policy: attr.string("stretch"),
  mode: attr.string("nearest"),
  nearest_mode: attr.string("round_prefer_floor"),
};

/**
 * x resampled along its axes to constant scales (input 2) or sizes (input 3). Input 1: the region of
 * tf_crop_and_resize. Separable, so that its gradient is one constant matrix an axis. Source: ONNX Resize, opset 19.
 */
export const Resize = defineOp({
  name: "Resize",
  arity: [1, 4],
  attributes: resizeAttributes,
  infer: (inputs, a) => {
    checkInterpolation(a);
    return [{ dtype: inputs[0].dtype, shape: axisMaps(inputs[0].shape, wantedOf(inputs, a), a).map(({ to }) => to) }];
  },
  vjp: ({ g, inputs: [x, ...rest], attributes: a }) => [pulled([g, x, ...rest], a)],
  reference: (inputs, a) => [
    plan64(inputs, a).reduce((v, { axis, taps }) => resampleAxis(v, axis, taps, a.extrapolation_value), inputs[0]),
  ],
});

const pulled = (inputs: readonly (Value | undefined)[], a: object): Value => emit(ResizeGrad, inputs, { ...a });
const resampled = (inputs: readonly (Value | undefined)[], a: object): Value => emit(Resize, inputs, { ...a });

/** {@link plan} where inputs are numbers. */
const plan64 = ([x, roi, scales, sizes]: Inputs<Array64>, a: ResizeAttributes): ReturnType<typeof plan> => {
  const list = (v: Array64 | undefined): number[] | undefined => (v?.data.length ? Array.from(v.data) : undefined);
  const crop = a.coordinate_transformation_mode === "tf_crop_and_resize" ? list(roi) : undefined;
  return plan(axisMaps(x.shape, { roi: crop, scales: list(scales), sizes: list(sizes) }, a), a);
};

/**
 * The transpose of Resize: input 0 is the cotangent of its output, input 1 its input, which only gives the shape, the
 * others as there. Internal: becomes a pooling where cells were repeated, else one product with a constant an axis.
 */
export const ResizeGrad = defineOp({
  name: "ResizeGrad",
  domain: "temper",
  arity: [2, 5],
  attributes: resizeAttributes,
  infer: ([g, x, ...rest], a) => {
    const [{ shape }] = Resize.infer([x, ...rest] as unknown as Inputs, a) as [ValueType];
    if (!sameShape(g.shape, shape))
      throw new TemperError("bad-shape", `the cotangent must be ${formatShape(shape)}, got ${formatShape(g.shape)}.`);
    return [{ dtype: g.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs: [, , ...rest], attributes: a }) => [resampled([g, ...rest], { ...a, extrapolation_value: 0 })],
  reference: ([g, ...rest], a) => [
    plan64(rest as unknown as Inputs<Array64>, a).reduceRight(
      (v, { axis, map, taps }) => pullAxis64(v, axis, map, taps),
      g,
    ),
  ],
  decompose: ({ attributes }, [g, x, ...rest]: Inputs) => {
    const a = attributes as unknown as ResizeAttributes,
      steps = plan(axisMaps(x.shape, wantedOf([x, ...rest] as unknown as Inputs, a), a), a);
    const factors = repeats(x.shape, steps);
    return factors
      ? [scaled(averagePool(g, factors, { strides: factors }), sizeOf(factors))]
      : [steps.reduceRight((v, { axis, map, taps }) => pullAxis(v, axis, map, taps), g)];
  },
});

/** Whole numbers by which the spatial axes of x [N, C, ...] are repeated, or undefined for any other resampling. */
const repeats = (x: Shape, steps: ReturnType<typeof plan>): readonly number[] | undefined => {
  if (x.length < 3 || steps.some(({ axis }) => axis < 2)) return undefined;
  const factors = x.slice(2).map(() => 1);
  for (const { axis, map, taps } of steps) {
    const factor = map.to / map.from;
    if (!taps.every(({ at, outside }, i) => at.length === 1 && !outside && at[0] === Math.floor(i / factor)))
      return undefined;
    factors[axis - 2] = factor;
  }
  return factors.every(Number.isInteger) ? factors : undefined;
};

/** Larger interpolation matrices than this (64 MB) are a mistake in the file. */
const MAX_MATRIX = 1 << 24;

/** Product of one axis of x with the transposed interpolation matrix; rows outside a crop are zero. */
const pullAxis = (x: Value, axis: number, { from, to }: AxisMap, taps: readonly Taps[]): Value => {
  if (from * to > MAX_MATRIX)
    throw new TemperError("unsupported", `the gradient of resizing ${from} to ${to} cells needs too large a matrix.`);
  const before = x.shape.slice(0, axis),
    after = x.shape.slice(axis + 1),
    last = after.every((d) => d === 1);
  const matrix = new Float64Array(from * to);
  taps.forEach(({ at, weights, outside }, i) => {
    if (!outside) at.forEach((p, k) => void (matrix[last ? i * from + p : p * to + i]! += weights[k]!));
  });
  // Along the last axis all rows share one product.
  const y = last
    ? matmul(reshape(x, [...before, to]), constantLike(x, matrix, [to, from]))
    : matmul(constantLike(x, matrix, [from, to]), reshape(x, [...before, to, elements(after)]));
  return reshape(y, [...before, from, ...after]);
};

const resampleAxis = (x: Array64, axis: number, taps: readonly Taps[], fill: number): Array64 => {
  const shape = x.shape.map((d, i) => (i === axis ? taps.length : d)),
    out = zeros64(shape, x.dtype);
  const inner = sizeOf(x.shape.slice(axis + 1)),
    size = x.shape[axis]!;
  for (let block = 0; block < sizeOf(x.shape.slice(0, axis)); block++)
    taps.forEach(({ at, weights, outside }, row) => {
      const to = (block * taps.length + row) * inner;
      if (outside) return void out.data.fill(fill, to, to + inner);
      at.forEach((p, k) => {
        const from = (block * size + p) * inner;
        for (let i = 0; i < inner; i++) out.data[to + i]! += weights[k]! * x.data[from + i]!;
      });
    });
  return array64(shape, out.data, x.dtype);
};

/** The transpose of {@link resampleAxis} without its extrapolation value. */
const pullAxis64 = (g: Array64, axis: number, { from, to }: AxisMap, taps: readonly Taps[]): Array64 => {
  const shape = g.shape.map((d, i) => (i === axis ? from : d)),
    out = zeros64(shape, g.dtype);
  const inner = sizeOf(g.shape.slice(axis + 1));
  for (let block = 0; block < sizeOf(g.shape.slice(0, axis)); block++)
    taps.forEach(({ at, weights, outside }, row) => {
      if (outside) return;
      at.forEach((p, k) => {
        const start = (block * to + row) * inner,
          target = (block * from + p) * inner;
        for (let i = 0; i < inner; i++) out.data[target + i]! += weights[k]! * g.data[start + i]!;
      });
    });
  return out;
};

export interface ResizeOptions {
  readonly mode?: "nearest" | "linear" | "cubic";
  readonly coordinate_transformation_mode?: string;
  readonly nearest_mode?: string;
  readonly antialias?: number;
  readonly cubic_coeff_a?: number;
  readonly exclude_outside?: number;
}
/** x resampled by one factor an axis. */
export const resize = (x: Value, scales: readonly number[], options: ResizeOptions = {}): Value =>
  emit(Resize, [x, undefined, constant(f32(scales))], { ...options });

/** Every cell of x [N, C, ...] repeated `factors` times along the spatial axes. */
export const upsample = (x: Value, factors: readonly number[]): Value => {
  if (factors.length !== x.shape.length - 2)
    throw new TemperError("bad-shape", `upsample: ${factors.length} factors for ${formatShape(x.shape)}.`);
  if (factors.every((k) => k === 1)) return x;
  return resize(x, [1, 1, ...factors], { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" });
};
