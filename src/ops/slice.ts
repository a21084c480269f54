import { TemperError } from "../core/index.ts";
import {
  type Array64,
  defineOp,
  type Dim,
  emit,
  type Extent,
  extentsOf,
  type Inputs,
  ints,
  knownExtents,
  knownInts,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { Shape_, zerosLike } from "./broadcast.ts";
import { rangeTo } from "./fill.ts";
import { pad } from "./pad.ts";
import { pick64 } from "./reference.ts";
import { scatterAlong, spreadAlong } from "./scatter-along.ts";
import { squeeze } from "./squeeze.ts";

/** A position on an axis: `c` plus `n` times the batch size. */
interface Place {
  readonly n: number;
  readonly c: number;
}
/** The part of one axis that is kept. */
interface Cut {
  readonly axis: number;
  readonly start: Place;
  readonly step: number;
  readonly length: Dim;
}

/** Exporters write "to the end" as the largest int32 or int64. */
const FAR = 2 ** 31 - 1;

/** Position on an axis of known size, clamped as NumPy does. */
const fixedPlace = (at: number, size: number, low: number, high: number): Place => ({
  n: 0,
  c: Math.min(Math.max(at < 0 ? at + size : at, low), high),
});
/** Position on an axis of k N elements, N >= 1. Undefined where clamping would depend on N. */
const growingPlace = (at: Extent, k: number, low: number, high: number): Place | undefined => {
  if (typeof at !== "number") return at.batches < k ? { n: at.batches, c: 0 } : { n: k, c: high };
  if (at >= FAR) return { n: k, c: high };
  if (at <= -FAR) return { n: 0, c: low };
  if (at >= 0) return at <= k + high ? { n: 0, c: at } : undefined;
  return at >= -k ? { n: k, c: at } : undefined;
};

const cutOf = (dim: Dim, axis: number, from: Extent, to: Extent, step: number): Cut => {
  if (step === 0) throw new TemperError("bad-shape", "a step is 0.");
  const low = step > 0 ? 0 : -1,
    high = step > 0 ? 0 : -1; // relative to the size
  const unknown = (): never => {
    throw new TemperError("unsupported", `the length of the cut of axis ${axis} depends on the batch size.`);
  };
  const place = (at: Extent, lowest: number): Place => {
    if (dim < 0) return growingPlace(at, -dim, lowest, high) ?? unknown();
    if (typeof at === "number") return fixedPlace(at, dim, lowest, dim + high);
    return at.batches >= dim ? { n: 0, c: dim + high } : unknown();
  };
  const start = place(from, 0),
    end = place(to, low);
  const n = end.n - start.n,
    c = end.c - start.c;
  if (n === 0) return { axis, start, step, length: Math.max(0, Math.ceil(c / step)) };
  const growth = n / step;
  return c === 0 && growth > 0 && Number.isInteger(growth) ? { axis, start, step, length: -growth } : unknown();
};

const cutsOf = (
  shape: Shape,
  starts: readonly Extent[],
  ends: readonly Extent[],
  axes: readonly number[] | undefined,
  steps: readonly number[] | undefined,
): readonly Cut[] => {
  const list = (axes ?? starts.map((_, i) => i)).map((axis) => normalizeAxis(axis, shape.length));
  normalizeAxes(list, shape.length);
  if ([ends, list, steps ?? ends].some((v) => v.length !== starts.length))
    throw new TemperError("bad-shape", "starts, ends, axes and steps must have one entry an axis each.");
  return list.map((axis, i) => cutOf(shape[axis]!, axis, starts[i]!, ends[i]!, steps?.[i] ?? 1));
};
const cutsOfValues = ([x, starts, ends, axes, steps]: Inputs): readonly Cut[] =>
  cutsOf(
    x.shape,
    knownExtents(starts, "starts"),
    knownExtents(ends, "ends"),
    axes && knownInts(axes, "axes"),
    steps && knownInts(steps, "steps"),
  );

const indices = ({ start, step, length }: Cut): number[] => Array.from({ length }, (_, i) => start.c + i * step);
const mapsOf = (shape: readonly number[], cuts: readonly Cut[]): number[][] => {
  const maps = shape.map((d) => Array.from({ length: d }, (_, i) => i));
  for (const cut of cuts) maps[cut.axis] = indices(cut);
  return maps;
};

/** Parts of axes: starts, ends, axes and steps as in NumPy, negative steps too. Source: ONNX Slice, opset 13. */
export const Slice = defineOp({
  name: "Slice",
  arity: [3, 5],
  infer: (inputs) => {
    const shape = [...inputs[0].shape];
    for (const { axis, length } of cutsOfValues(inputs)) shape[axis] = length;
    return [{ dtype: inputs[0].dtype, shape }];
  },
  vjp: ({ g, inputs }) => [unslice(g, inputs, cutsOfValues(inputs))],
  reference: ([x, ...rest]) => {
    const [starts, ends, axes, steps] = rest.map((v: Array64 | undefined) => v && Array.from(v.data));
    return [pick64(x, mapsOf(x.shape, cutsOf(x.shape, starts!, ends!, axes, steps)))];
  },
  extents: (inputs) => {
    const extents = extentsOf(inputs[0]);
    if (!extents || inputs[0].shape.length !== 1) return undefined;
    return mapsOf([extents.length], cutsOfValues(inputs))[0]!.map((i) => extents[i]!);
  },
});

/** The transpose of Slice: g in its place, zeros elsewhere. */
const unslice = (g: Value, [x, starts, ends, , steps]: Inputs, cuts: readonly Cut[]): Value => {
  const begins = x.shape.map(() => 0),
    behinds = x.shape.map(() => 0);
  let out = g,
    growing: [Cut, number] | undefined;
  cuts.forEach((cut, i) => {
    const { axis, start, step, length } = cut;
    const size = x.shape[axis]!;
    if (length === size && step === 1) return;
    if (size < 0) growing = [cut, i];
    else if (step === 1) [begins[axis], behinds[axis]] = [start.c, size - start.c - length];
    else out = spreadAlong(out, axis, indices(cut), size);
  });
  if (begins.some(Boolean) || behinds.some(Boolean)) out = pad(out, [...begins, ...behinds]);
  if (!growing) return out;
  const [{ axis }, i] = growing;
  const rows = rangeTo(squeeze(emit(Shape_, [x], { start: axis, end: axis + 1 }), [0]));
  const part = [starts, ends].map((v) => slice(v, [i], [i + 1], [0]));
  const kept = emit(Slice, [rows, ...part, ints([0]), steps && slice(steps, [i], [i + 1], [0])]);
  return scatterAlong(zerosLike(x), axis, kept, out);
};

/**
 * Part of x: `starts` to `ends` (excluded; negative: from the end) along `axes` (default: the first ones).
 * @throws TemperError `bad-shape` or `unsupported`: a length that would depend on the batch size
 */
export const slice = (
  x: Value,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[] = starts.map((_, i) => i),
  steps?: readonly number[],
): Value => {
  const whole = cutsOf(x.shape, starts, ends, axes, steps).every((c) => c.step === 1 && c.length === x.shape[c.axis]);
  return whole ? x : emit(Slice, [x, ints(starts), ints(ends), ints(axes), ...(steps ? [ints(steps)] : [])]);
};
