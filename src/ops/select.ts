import { f32, fromFloat64, TemperError } from "../core/index.ts";
import {
  type Array64,
  attr,
  constant,
  defineOp,
  emit,
  emitAll,
  type Extent,
  ints,
  knownInts,
  normalizeAxis,
  type OpType,
  type Shape,
  type Value,
} from "../graph/index.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum, reducedShape, zerosLike } from "./broadcast.ts";
import { concat } from "./concat.ts";
import { alongAxis, array64, zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { scatterElements } from "./scatter.ts";

const extremeAttributes = { axis: attr.int(0), keepdims: attr.int(1), select_last_index: attr.int(0) };
type ExtremeAttributes = { readonly [K in keyof typeof extremeAttributes]: number };

const place = (
  name: string,
  beats: (a: number, b: number) => boolean,
): OpType<ExtremeAttributes> & { readonly attributes: typeof extremeAttributes } =>
  defineOp({
    name,
    arity: [1, 1],
    attributes: extremeAttributes,
    infer: ([x], a) => {
      const axis = normalizeAxis(a.axis, x.shape.length);
      if (x.shape[axis] === 0) throw new TemperError("bad-shape", `axis ${axis} is empty.`);
      return [{ dtype: "int64", shape: reducedShape(x.shape, [axis], a.keepdims === 1) }];
    },
    zeroGradient: "a position is an integer",
    reference: ([x], a) => {
      const axis = normalizeAxis(a.axis, x.shape.length),
        last = a.select_last_index === 1;
      const out = zeros64(reducedShape(x.shape, [axis], a.keepdims === 1), "int64");
      let to = 0;
      alongAxis(x, axis, (start, length, stride) => {
        let best = 0;
        for (let i = 1; i < length; i++) {
          const v = x.data[start + i * stride]!,
            top = x.data[start + best * stride]!;
          if (beats(v, top) || (last && v === top)) best = i;
        }
        out.data[to++] = best;
      });
      return [out];
    },
  });

/** Position of the (first or last) maximum along an axis. Source: ONNX ArgMax, opset 13. */
export const ArgMax = place("ArgMax", (a, b) => a > b);
/** Position of the (first or last) minimum along an axis. Source: ONNX ArgMin, opset 13. */
export const ArgMin = place("ArgMin", (a, b) => a < b);

const topShape = (shape: Shape, axis: number, k: number): Shape => {
  const size = shape[axis]!;
  if (size < 0) throw new TemperError("unsupported", "cannot pick the top along the batch axis.");
  if (k < 0 || k > size) throw new TemperError("bad-shape", `k must be from 0 to ${size}, got ${k}.`);
  return shape.map((d, i) => (i === axis ? k : d));
};

/**
 * The k largest (or smallest) elements along an axis and their positions; ties go to the lower position. Unsorted
 * results are sorted too. Source: ONNX TopK, opset 11.
 */
export const TopK = defineOp({
  name: "TopK",
  arity: [2, 2],
  attributes: { axis: attr.int(-1), largest: attr.int(1), sorted: attr.int(1) },
  infer: ([x, k], a) => {
    const shape = topShape(x.shape, normalizeAxis(a.axis, x.shape.length), knownInts(k, "k")[0] ?? NaN);
    return [
      { dtype: x.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  vjp: ({ gs: [g], inputs: [x], outputs: [, positions], attributes: { axis } }) => [
    g && scatterElements(zerosLike(x), positions, g, axis),
  ],
  reference: ([x, k], { axis, largest }) => topK64(x, normalizeAxis(axis, x.shape.length), k.data[0]!, largest === 1),
});
const topK64 = (x: Array64, axis: number, k: number, largest: boolean): readonly Array64[] => {
  const shape = topShape(x.shape, axis, k) as readonly number[];
  const values = zeros64(shape, x.dtype),
    positions = zeros64(shape, "int64");
  const starts: number[] = [];
  alongAxis(values, axis, (start) => starts.push(start));
  let line = 0;
  alongAxis(x, axis, (start, length, stride) => {
    const at = (i: number): number => x.data[start + i * stride]!;
    const order = Array.from({ length }, (_, i) => i).sort(
      (a, b) => (largest ? at(b) - at(a) : at(a) - at(b)) || a - b,
    );
    const to = k > 0 ? starts[line++]! : 0;
    for (let i = 0; i < k; i++) {
      values.data[to + i * stride] = at(order[i]!);
      positions.data[to + i * stride] = order[i]!;
    }
  });
  return [values, positions];
};

const depthOf = (depth: readonly Extent[]): number => {
  const [size] = depth;
  if (depth.length === 1 && typeof size === "number" && size >= 1 && Number.isInteger(size)) return size;
  throw new TemperError("bad-shape", "depth must be one whole number from 1.");
};
const withAxis = (shape: Shape, axis: number, size: number): Shape => {
  const at = normalizeAxis(axis, shape.length + 1);
  return [...shape.slice(0, at), size, ...shape.slice(at)];
};

/** input 2 = [off, on]: `on` at the positions in input 0 of a new axis of size input 1. Source: ONNX OneHot, opset 11. */
export const OneHot = defineOp({
  name: "OneHot",
  arity: [3, 3],
  attributes: { axis: attr.int(-1) },
  infer: ([positions, depth, values], { axis }) => [
    { dtype: values.dtype, shape: withAxis(positions.shape, axis, depthOf(knownInts(depth, "depth"))) },
  ],
  vjp: ({ g, inputs: [positions, depth], attributes: { axis } }) => {
    const marks = constant(fromFloat64(Float64Array.of(0, 1), g.dtype, [2]));
    const on = reshape(sumAll(mul(g, emit(OneHot, [positions, depth, marks], { axis }))), [1]);
    return [undefined, undefined, concat([sub(reshape(sumAll(g), [1]), on), on], 0)];
  },
  reference: ([positions, depth, values], { axis }) => {
    const size = depth.data[0]!,
      [off, on] = values.data as unknown as [number, number];
    const shape = withAxis(positions.shape, axis, size) as readonly number[],
      at = normalizeAxis(axis, shape.length);
    const out = array64(shape, new Float64Array(positions.data.length * size).fill(off), values.dtype);
    let from = 0;
    alongAxis(out, at, (start, length, stride) => {
      const p = positions.data[from++]!;
      if (p >= -length && p < length) out.data[start + (p < 0 ? p + length : p) * stride] = on;
    });
    return [out];
  },
});
const sumAll = (x: Value): Value =>
  reduceSum(
    x,
    x.shape.map((_, i) => i),
  );

/** Positions of the maxima along an axis, as int64. */
export const argMax = (x: Value, axis = -1, keepdims = false): Value =>
  emit(ArgMax, [x], { axis, keepdims: keepdims ? 1 : 0 });
export const argMin = (x: Value, axis = -1, keepdims = false): Value =>
  emit(ArgMin, [x], { axis, keepdims: keepdims ? 1 : 0 });
/** Values and positions of the k largest (or smallest) elements along an axis. */
export const topK = (x: Value, k: number, axis = -1, largest = true): readonly [Value, Value] => {
  const [values, positions] = emitAll(TopK, [x, ints([k])], { axis, largest: largest ? 1 : 0 });
  return [values!, positions!];
};
/** Float32 vectors of zeros with a 1 at the given positions, along a new last axis. */
export const oneHot = (positions: Value, depth: number): Value =>
  emit(OneHot, [positions, ints([depth]), constant(f32([0, 1]))]);
