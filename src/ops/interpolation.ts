import { TemperError } from "../core/index.ts";

/** How Resize finds source coordinates and weights. Names and meaning: ONNX Resize. */
export interface Interpolation {
  readonly mode: string;
  readonly coordinate_transformation_mode: string;
  readonly nearest_mode: string;
  readonly cubic_coeff_a: number;
  readonly exclude_outside: number;
  readonly antialias: number;
}

/** One axis: `from` elements become `to`, `scale` = to / from unless the caller gave another one. */
export interface AxisMap {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** Start and end of the crop, for tf_crop_and_resize. */
  readonly roi: readonly [number, number];
}

/** A row of the interpolation matrix, sparse: source positions (may repeat) and their weights. */
export interface Taps {
  readonly at: readonly number[];
  readonly weights: readonly number[];
  /** The coordinate lies outside a crop: the output is the extrapolation value instead. */
  readonly outside: boolean;
}

/** Coordinates in float32 steps, because that is what runtimes compute: the nearest pixel hangs on the last bit. */
const f = Math.fround;

const COORDINATES: Readonly<Record<string, (i: number, axis: AxisMap) => number>> = {
  half_pixel: (i, { scale }) => f(f(f(i + 0.5) / scale) - 0.5),
  pytorch_half_pixel: (i, { scale, to }) => (to > 1 ? f(f(f(i + 0.5) / scale) - 0.5) : 0),
  half_pixel_symmetric: (i, { scale, from, to }) => {
    const adjustment = f(to / f(scale * from)),
      offset = f((from / 2) * f(1 - adjustment));
    return f(offset + f(f(f(i + 0.5) / scale) - 0.5));
  },
  align_corners: (i, { from, to }) => (to === 1 ? 0 : f((i * (from - 1)) / (to - 1))),
  asymmetric: (i, { scale }) => f(i / scale),
  tf_half_pixel_for_nn: (i, { scale }) => f(f(i + 0.5) / scale),
  tf_crop_and_resize: (i, { from, to, roi: [start, end] }) =>
    to > 1 ? f(start * (from - 1) + (i * (end - start) * (from - 1)) / (to - 1)) : f(0.5 * (start + end) * (from - 1)),
};

const NEAREST: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** @throws TemperError `unsupported`: a mode that does not exist, or one that antialiasing does not go with */
export const checkInterpolation = (a: Interpolation): void => {
  const known = (what: string, value: string, all: readonly string[]): void => {
    if (!all.includes(value))
      throw new TemperError("unsupported", `${what} must be one of ${all.join(", ")}, got "${value}".`);
  };
  known("mode", a.mode, ["nearest", "linear", "cubic"]);
  known("coordinate_transformation_mode", a.coordinate_transformation_mode, Object.keys(COORDINATES));
  known("nearest_mode", a.nearest_mode, Object.keys(NEAREST));
  if (a.antialias && a.mode === "nearest")
    throw new TemperError("unsupported", "antialias goes with the modes linear and cubic only.");
};

/** Keys' cubic kernel with parameter a. Source: Keys 1981. */
const cubic = (t: number, a: number): number => {
  const x = Math.abs(t);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
};
const triangle = (t: number): number => Math.max(0, 1 - Math.abs(t));

/** Rows of the interpolation matrix of one axis. */
export const interpolationTaps = (axis: AxisMap, a: Interpolation): Taps[] => {
  const coordinate = COORDINATES[a.coordinate_transformation_mode]!;
  const crops = a.coordinate_transformation_mode === "tf_crop_and_resize";
  return Array.from({ length: axis.to }, (_, i) => {
    const x = axis.scale === 1 && !crops && axis.from === axis.to ? i : coordinate(i, axis);
    const outside = crops && (x < 0 || x > axis.from - 1);
    return { ...tapsAt(x, axis, a), outside };
  });
};

const tapsAt = (x: number, axis: AxisMap, a: Interpolation): Pick<Taps, "at" | "weights"> => {
  if (a.mode === "nearest") return { at: [clamp(NEAREST[a.nearest_mode]!(x), axis.from)], weights: [1] };
  if (a.antialias && axis.scale < 1) return filtered(x, axis, a);
  if (a.mode === "cubic") return cubicTaps(x, axis, a);
  const inside = Math.min(Math.max(x, 0), axis.from - 1),
    left = Math.floor(inside);
  return { at: [left, clamp(left + 1, axis.from)], weights: [1 - (inside - left), inside - left] };
};
const clamp = (at: number, size: number): number => Math.min(Math.max(at, 0), size - 1);

/** Four taps; those outside repeat the border, or are left out and the others scaled up (exclude_outside). */
const cubicTaps = (x: number, { from }: AxisMap, a: Interpolation): Pick<Taps, "at" | "weights"> => {
  const left = Math.floor(x),
    at = [left - 1, left, left + 1, left + 2];
  const weights = at.map((p) => (a.exclude_outside && (p < 0 || p >= from) ? 0 : cubic(x - p, a.cubic_coeff_a)));
  const total = a.exclude_outside ? weights.reduce((s, w) => s + w, 0) : 1;
  return { at: at.map((p) => clamp(p, from)), weights: weights.map((w) => w / total) };
};

/** Downsampling: the kernel is stretched by 1 / scale and its weights brought to sum 1; borders as for cubic taps. */
const filtered = (x: number, { from, scale }: AxisMap, a: Interpolation): Pick<Taps, "at" | "weights"> => {
  const kernel = a.mode === "cubic" ? (t: number) => cubic(t, a.cubic_coeff_a) : triangle;
  const reach = (a.mode === "cubic" ? 2 : 1) / scale,
    first = Math.floor(x - reach);
  const at = Array.from({ length: Math.ceil(x + reach) - first + 1 }, (_, i) => first + i);
  const weights = at.map((p) => (a.exclude_outside && (p < 0 || p >= from) ? 0 : kernel((p - x) * scale)));
  const total = weights.reduce((s, w) => s + w, 0);
  return { at: at.map((p) => clamp(p, from)), weights: weights.map((w) => w / total) };
};
