import { formatShape, sizeOf, type Tensor, tensor, TemperError } from "../core/index.ts";
import { constant, type Shape, type Value } from "../graph/index.ts";
import { div, reshape, sub, transpose } from "../ops/index.ts";

/** How pixels become what the network was trained on, where the file does not do it itself. */
export interface InputAdapter {
  /** Per channel (or one for all), subtracted from pixels. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  /** Order that the network wants; images come as NCHW. Default: NCHW, or NHWC where only that fits. */
  readonly layout?: "NCHW" | "NHWC" | undefined;
}

/** @throws TemperError `unsupported` where a network takes more than the images */
export const onlyInput = (path: string, inputs: readonly Value[]): Value => {
  const [only, ...more] = inputs;
  if (only && more.length === 0) return only;
  const names = inputs.map((v) => v.node.name).join(", ");
  throw new TemperError("unsupported", `${path}: wants the inputs ${names}; a classifier has one.`);
};

interface Feed {
  /** Turns images [N, C, H, W] into what the network takes; undefined where it takes them as they are. */
  readonly feed?: (images: Value) => Value;
  readonly notes: readonly string[];
}
/** @param shape  of the network's input */
export const inputFeed = (
  path: string,
  shape: Shape,
  image: readonly [number, number, number],
  { mean, std, layout }: InputAdapter,
): Feed => {
  const fitted = fit(path, shape, image, layout);
  if (fitted.kind === "same" && !mean && !std) return { notes: [] };
  const feed = (images: Value): Value => {
    const normalized = normalize(path, images, image[0], mean, std);
    if (fitted.kind === "same") return normalized;
    const ordered = fitted.kind === "nhwc" || layout === "NHWC" ? transpose(normalized, [0, 2, 3, 1]) : normalized;
    return fitted.kind === "nhwc" ? ordered : reshape(ordered, [images.shape[0]!, ...shape.slice(1)]);
  };
  const notes = [
    ...(mean || std
      ? [`Pixels are normalized before the network: mean ${mean?.join(", ") ?? 0}, std ${std?.join(", ") ?? 1}.`]
      : []),
    ...(fitted.note ? [fitted.note] : []),
  ];
  return { feed, notes };
};

interface Fit {
  readonly kind: "same" | "nhwc" | "flat";
  readonly note?: string;
}
const fit = (
  path: string,
  shape: Shape,
  image: readonly [number, number, number],
  layout: InputAdapter["layout"],
): Fit => {
  const [c, h, w] = image,
    example = shape.slice(1);
  const same = (other: readonly number[]): boolean => formatShape(example) === formatShape(other);
  if (layout !== "NHWC" && same(image)) return { kind: "same" };
  if (layout !== "NCHW" && same([h, w, c]))
    return {
      kind: "nhwc",
      note: `The network takes NHWC images${layout ? "" : " (taken from its input shape)"}; the data is transposed before it.`,
    };
  if (sizeOf(example) === sizeOf(image))
    return {
      kind: "flat",
      note: `Images ${formatShape(image)} are reshaped to the network's input ${formatShape(shape)}, row-major, channels ${layout === "NHWC" ? "last" : "first"}.`,
    };
  throw new TemperError(
    "bad-shape",
    `${path}: takes ${formatShape(shape)} (batch first), but the data's images are ${formatShape(image)}. Give data of the network's size, or --layout.`,
  );
};

const normalize = (
  path: string,
  x: Value,
  channels: number,
  mean: readonly number[] | undefined,
  std: readonly number[] | undefined,
): Value => {
  const perChannel = (values: readonly number[], what: string): Value => {
    if (values.length !== 1 && values.length !== channels)
      throw new TemperError("bad-option", `${path}: ${what} needs 1 or ${channels} numbers, got ${values.length}.`);
    return constant(tensor("float32", [values.length, 1, 1], Float32Array.from(values)) as Tensor);
  };
  if (std?.some((s) => s === 0)) throw new TemperError("bad-option", `${path}: std must not be 0.`);
  const centred = mean ? sub(x, perChannel(mean, "mean")) : x;
  return std ? div(centred, perChannel(std, "std")) : centred;
};
