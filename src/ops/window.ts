import { formatShape, TemperError } from "../core/index.ts";
import { attr, type Shape } from "../graph/index.ts";
import type { Sweep } from "./kernels.ts";

/** Attributes that sliding windows share. Source: ONNX Conv, MaxPool, AveragePool. */
export const windowAttributes = {
  auto_pad: attr.string("NOTSET"),
  dilations: attr.ints(),
  kernel_shape: attr.ints(),
  pads: attr.ints(),
  strides: attr.ints(),
};
export interface WindowAttributes {
  readonly auto_pad: string;
  readonly dilations: readonly number[] | undefined;
  readonly kernel_shape: readonly number[] | undefined;
  readonly pads: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
  readonly ceil_mode?: number;
}

/** Attributes of convolutions. Source: ONNX Conv. */
export const convAttributes = { ...windowAttributes, group: attr.int(1) };
export interface ConvAttributes extends WindowAttributes {
  readonly group: number;
}

/** A sliding window with everything resolved: one number per spatial axis. */
export interface Window {
  /** Spatial sizes of what the window slides over. */
  readonly image: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding in front and behind. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  /** Number of window positions. */
  readonly grid: readonly number[];
}

/** Sizes after the batch and channel axes. @throws TemperError `bad-shape`, `unsupported` for a symbolic one */
export const spatialOf = (shape: Shape): readonly number[] => {
  if (shape.length < 3)
    throw new TemperError("bad-shape", `wants a batch, a channel and spatial axes, got ${formatShape(shape)}.`);
  const spatial = shape.slice(2);
  if (spatial.some((d) => d < 0))
    throw new TemperError("unsupported", `spatial sizes must not depend on the batch size, got ${formatShape(shape)}.`);
  return spatial;
};

/** A list attribute of `rank` integers, each at least `least`; `fallback` everywhere where it is absent. */
export const spatialList = (
  name: string,
  list: readonly number[] | undefined,
  rank: number,
  fallback: number,
  least: number,
): readonly number[] => {
  if (list === undefined || list.length === 0) return new Array<number>(rank).fill(fallback);
  if (list.length !== rank || !list.every((d) => Number.isInteger(d) && d >= least))
    throw new TemperError(
      "bad-shape",
      `${name} must hold ${rank} integers of at least ${least}, got [${list.join(", ")}].`,
    );
  return list;
};

const AUTO_PADS = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"];

/**
 * Resolves the attributes of a window over `image`. Ceil mode drops windows that would start behind the image.
 * @throws TemperError `bad-shape`: the lists do not fit, or the kernel does not fit into the padded image
 */
export const resolveWindow = (image: readonly number[], kernel: readonly number[], a: WindowAttributes): Window => {
  const rank = image.length;
  const strides = spatialList("strides", a.strides, rank, 1, 1),
    dilations = spatialList("dilations", a.dilations, rank, 1, 1),
    pads = spatialList("pads", a.auto_pad === "NOTSET" ? a.pads : undefined, 2 * rank, 0, 0);
  spatialList("kernel_shape", kernel, rank, 1, 1);
  if (!AUTO_PADS.includes(a.auto_pad))
    throw new TemperError("bad-shape", `auto_pad must be one of ${AUTO_PADS.join(", ")}, got "${a.auto_pad}".`);
  const axes = image.map((size, i) => {
    const s = strides[i]!,
      reach = dilations[i]! * (kernel[i]! - 1) + 1;
    if (a.auto_pad.startsWith("SAME")) return samePads(size, s, reach, a.auto_pad === "SAME_UPPER");
    const begin = pads[i]!,
      end = pads[i + rank]!,
      room = size + begin + end - reach;
    let grid = (a.ceil_mode === 1 ? Math.ceil(room / s) : Math.floor(room / s)) + 1;
    if (a.ceil_mode === 1 && (grid - 1) * s >= size + begin) grid--;
    return { begin, end, grid };
  });
  if (axes.some(({ grid }) => grid < 1))
    throw new TemperError(
      "bad-shape",
      `a kernel of ${formatShape(kernel)} does not fit into ${formatShape(image)} with pads [${pads.join(", ")}].`,
    );
  const column = (key: "begin" | "end" | "grid"): number[] => axes.map((axis) => axis[key]);
  return { image, kernel, strides, dilations, begin: column("begin"), end: column("end"), grid: column("grid") };
};

/** Pads that give ceil(size / stride) positions; the odd one goes behind (upper) or in front. */
const samePads = (
  size: number,
  stride: number,
  reach: number,
  upper: boolean,
): { begin: number; end: number; grid: number } => {
  const grid = Math.ceil(size / stride),
    total = Math.max(0, (grid - 1) * stride + reach - size),
    half = Math.floor(total / 2);
  return upper ? { begin: half, end: total - half, grid } : { begin: total - half, end: half, grid };
};

/** The resolved window as explicit attributes: what VJP rules hand on. */
export const explicit = (
  w: Window,
): {
  kernel_shape: readonly number[];
  pads: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
} => ({
  kernel_shape: w.kernel,
  pads: [...w.begin, ...w.end],
  strides: w.strides,
  dilations: w.dilations,
});

/**
 * What the windows leave over at the far side, per axis: positive where the image reaches further than the last
 * window (the output padding of the transposed convolution), negative where the last window hangs over the padding.
 */
export const remainders = ({ image, kernel, strides, dilations, begin, end, grid }: Window): number[] =>
  image.map(
    (size, i) => size + begin[i]! + end[i]! - reachOf(kernel[i]!, dilations[i]!) - (grid[i]! - 1) * strides[i]!,
  );

/** Extent of a dilated kernel. */
export const reachOf = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/** The window for the float64 loops, which know three spatial axes. @throws TemperError `unsupported` for more */
export const sweepOf = ({ image, kernel, grid, strides, dilations, begin }: Window): Sweep => {
  const three = (list: readonly number[], fill: number): [number, number, number] => {
    if (list.length > 3)
      throw new TemperError("unsupported", `windows of ${list.length} spatial axes are not supported; at most 3.`);
    const [x, y, z] = [...list].reverse();
    return [z ?? fill, y ?? fill, x ?? fill];
  };
  return {
    image: three(image, 1),
    kernel: three(kernel, 1),
    grid: three(grid, 1),
    strides: three(strides, 1),
    dilations: three(dilations, 1),
    begin: three(begin, 0),
  };
};
