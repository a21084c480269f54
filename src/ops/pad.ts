import { TemperError } from "../core/index.ts";
import {
  type Array64,
  attr,
  defineOp,
  emit,
  type Inputs,
  ints,
  knownInts,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { scalarLike, sub } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { pick64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { spreadAlong } from "./scatter-along.ts";
import { slice } from "./slice.ts";

/** Elements added before and behind every axis; negative: cut off. */
type Margins = readonly (readonly [before: number, behind: number])[];

const marginsOf = (rank: number, pads: readonly number[], axes: readonly number[] | undefined): Margins => {
  const list = (axes ?? Array.from({ length: rank }, (_, i) => i)).map((axis) => normalizeAxis(axis, rank));
  normalizeAxes(list, rank);
  if (pads.length !== 2 * list.length)
    throw new TemperError("bad-shape", `pads must have ${2 * list.length} entries, got ${pads.length}.`);
  const margins = Array.from({ length: rank }, (): [number, number] => [0, 0]);
  list.forEach((axis, i) => {
    margins[axis] = [pads[i]!, pads[list.length + i]!];
  });
  return margins;
};
const valueMargins = ([x, pads, , axes]: Inputs): Margins =>
  marginsOf(x.shape.length, knownInts(pads, "pads"), axes && knownInts(axes, "axes"));

const padded = (shape: Shape, margins: Margins): Shape =>
  shape.map((d, i) => {
    const [before, behind] = margins[i]!;
    if (before === 0 && behind === 0) return d;
    if (d < 0) throw new TemperError("unsupported", "the batch axis cannot be padded.");
    if (d + before + behind < 0) throw new TemperError("bad-shape", `pads cut more than axis ${i} has.`);
    return d + before + behind;
  });

const mod = (a: number, n: number): number => ((a % n) + n) % n;
/** Where position j of an axis of `size` elements is read from, by mode; -1: nowhere. */
const SOURCES: Readonly<Record<string, (j: number, size: number) => number>> = {
  constant: (j, size) => (j >= 0 && j < size ? j : -1),
  edge: (j, size) => Math.min(Math.max(j, 0), size - 1),
  wrap: mod,
  reflect: (j, size) => {
    if (size === 1) return 0;
    const at = mod(j, 2 * (size - 1));
    return at < size ? at : 2 * (size - 1) - at;
  },
};
const sourceOf = (mode: string): ((j: number, size: number) => number) => {
  const source = Object.hasOwn(SOURCES, mode) ? SOURCES[mode] : undefined;
  if (source) return source;
  throw new TemperError("unsupported", `mode must be one of ${Object.keys(SOURCES).join(", ")}, got ${mode}.`);
};
/** Where every element of the output is read from. Negative margins cut first; the rest is what repeats. */
const mapOf = (size: number, [before, behind]: Margins[number], mode: string): number[] => {
  const first = Math.max(0, -before),
    rest = size - first - Math.max(0, -behind);
  const source = sourceOf(mode);
  return Array.from({ length: size + before + behind }, (_, i) => {
    const at = source(i - Math.max(0, before), rest);
    return at < 0 ? at : at + first;
  });
};

/** x with margins (input 1) filled with input 2 or by `mode`; negative margins cut. Source: ONNX Pad, opset 19. */
export const Pad = defineOp({
  name: "Pad",
  arity: [2, 4],
  attributes: { mode: attr.string("constant") },
  infer: (inputs, { mode }) => {
    const [x] = inputs;
    sourceOf(mode);
    const margins = valueMargins(inputs),
      shape = padded(x.shape, margins);
    const left = x.shape.map((d, i) => d + Math.min(0, margins[i]![0]) + Math.min(0, margins[i]![1]));
    if (mode !== "constant" && left.some((d, i) => d <= 0 && shape[i]! > 0))
      throw new TemperError("bad-shape", `mode ${mode} has nothing to repeat on an empty axis.`);
    return [{ dtype: x.dtype, shape }];
  },
  vjp: ({ g, inputs, attributes: { mode }, needs }) => {
    const margins = valueMargins(inputs),
      [x, , value] = inputs;
    if (mode !== "constant") return [foldBack(g, x.shape, margins, mode)];
    const inner = crop(g, margins);
    return [inner, undefined, needs[2] ? reshape(sub(total(g), total(inner)), value.shape) : undefined];
  },
  reference: ([x, pads, value, axes], { mode }) => {
    const list = (axes as Array64 | undefined) && Array.from(axes.data);
    const margins = marginsOf(x.shape.length, Array.from(pads.data), list);
    const maps = x.shape.map((size, i) => mapOf(size, margins[i]!, mode));
    return [pick64(x, maps, (value as Array64 | undefined)?.data[0] ?? 0)];
  },
});

const total = (x: Value): Value =>
  reduceSum(
    x,
    x.shape.map((_, i) => i),
  );

/** What is left of g without the margins; margins that were cut come back as zeros. */
const crop = (g: Value, margins: Margins): Value => {
  const axes = margins.flatMap(([before, behind], i) => (before !== 0 || behind !== 0 ? [i] : []));
  const before = axes.map((i) => margins[i]![0]),
    behind = axes.map((i) => margins[i]![1]);
  if ([...before, ...behind].some((n) => n < 0))
    return pad(g, margins.map(([n]) => -n).concat(margins.map(([, n]) => -n)));
  return slice(
    g,
    before,
    axes.map((axis, k) => g.shape[axis]! - behind[k]!),
    axes,
  );
};
/** Margins that repeat elements send their cotangents back to those. */
const foldBack = (g: Value, shape: Shape, margins: Margins, mode: string): Value =>
  margins.reduce(
    (out, margin, axis) =>
      margin.every((n) => n === 0) ? out : spreadAlong(out, axis, mapOf(shape[axis]!, margin, mode), shape[axis]!),
    g,
  );

/**
 * x with margins.
 * @param pads  elements before every axis, then elements behind every axis; negative ones cut
 */
export const pad = (
  x: Value,
  pads: readonly number[],
  mode: "constant" | "edge" | "reflect" | "wrap" = "constant",
  value = 0,
): Value =>
  pads.every((n) => n === 0) ? x : emit(Pad, [x, ints(pads), ...(value === 0 ? [] : [scalarLike(x, value)])], { mode });
