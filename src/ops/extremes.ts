import { TemperError } from "../core/index.ts";
import { type Array64, broadcastShapes, defineOp, emit, type OpType, type Value } from "../graph/index.ts";
import { abs, oneMinus, step } from "./activation.ts";
import { add, addScalar, div, mul, scale, sub } from "./arithmetic.ts";
import { reduceSum, sumTo } from "./broadcast.ts";
import { commonType } from "./element-type.ts";
import { broadcast64, map64 } from "./reference.ts";

type Variadic = OpType<Record<never, never>> & { attributes: {} };
interface VariadicSpec {
  readonly combine: (a: number, b: number) => number;
  /** Applied to the combined value of n inputs. */
  readonly finish?: (value: number, n: number) => number;
  readonly pull: (g: Value, xs: readonly Value[], y: Value) => readonly Value[];
}
const variadic = (name: string, { combine, finish, pull }: VariadicSpec): Variadic =>
  defineOp({
    name,
    arity: [1, Infinity],
    infer: (xs) => {
      const dtype = xs.reduce((a, b) => (commonType(a, b), a)).dtype;
      return [{ dtype, shape: broadcastShapes(...xs.map((x) => x.shape)) }];
    },
    vjp: ({ g, inputs, outputs: [y] }) => pull(g, inputs, y).map((gx, i) => sumTo(gx, inputs[i]!)),
    reference: (xs) => {
      const all = (xs as readonly Array64[]).reduce((a, b) => broadcast64(a, b, combine));
      return [finish ? map64(all, (v) => finish(v, xs.length)) : all];
    },
  });

/**
 * Shares g among the inputs that attain the extreme value y; ties share evenly.
 * @param beyond  step of (a, b): 1 where a is strictly nearer to the extreme than b
 */
const shareTies = (
  g: Value,
  xs: readonly Value[],
  y: Value,
  beyond: (a: Value, b: Value) => Value,
): readonly Value[] => {
  const [a, b] = xs;
  if (!b) return [g];
  if (xs.length === 2) {
    const first = mul(g, addScalar(scale(sub(beyond(a!, b), beyond(b, a!)), 0.5), 0.5));
    return [first, sub(g, first)];
  }
  const masks = xs.map((x) => oneMinus(beyond(y, x)));
  const shared = div(g, masks.reduce(add));
  return masks.map((mask) => mul(shared, mask));
};

/** Elementwise maximum; ties share the gradient evenly, as torch.maximum does. */
export const Max = variadic("Max", {
  combine: (a, b) => (a > b || Number.isNaN(a) ? a : b),
  pull: (g, xs, y) => shareTies(g, xs, y, (a, b) => step(sub(a, b))),
});
/** Elementwise minimum; ties share the gradient evenly, as torch.minimum does. */
export const Min = variadic("Min", {
  combine: (a, b) => (a < b || Number.isNaN(a) ? a : b),
  pull: (g, xs, y) => shareTies(g, xs, y, (a, b) => step(sub(b, a))),
});
/** Elementwise sum. */
export const Sum = variadic("Sum", { combine: (a, b) => a + b, pull: (g, xs) => xs.map(() => g) });
/** Elementwise mean. */
export const Mean = variadic("Mean", {
  combine: (a, b) => a + b,
  finish: (v, n) => v / n,
  pull: (g, xs) => xs.map(() => scale(g, 1 / xs.length)),
});

/**
 * x limited to input 1 (lower) and input 2 (upper), both scalars, either may be absent.
 * The gradient passes where lower <= x <= upper, ends included, as in torch.clamp: pixels at the border of their range
 * still move. Source: ONNX Clip, opset 13.
 */
export const Clip = defineOp({
  name: "Clip",
  arity: [1, 3],
  infer: ([x, low, high]) => {
    for (const bound of [low, high] as (Value | undefined)[])
      if (bound && bound.shape.length > 0)
        throw new TemperError("bad-shape", "the bounds must be scalars; use Min and Max for arrays.");
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs, outputs: [y], needs }) => {
    const [x, low, high] = inputs as readonly (Value | undefined)[];
    // Between two bounds, whatever was moved; beyond the only bound, which leaves infinities on the other side alone.
    const moved = low && high ? abs(sub(x!, y)) : low ? sub(low, x!) : high && sub(x!, high);
    return [
      moved ? mul(g, oneMinus(step(moved))) : g,
      needs[1] && low && reduceSum(mul(g, step(sub(low, x!))), axesOf(g)),
      needs[2] && high && reduceSum(mul(g, step(sub(x!, high))), axesOf(g)),
    ].map((v) => v || undefined);
  },
  reference: ([x, low, high]) => {
    const lower = (low as Array64 | undefined)?.data[0] ?? -Infinity,
      upper = (high as Array64 | undefined)?.data[0] ?? Infinity;
    return [map64(x, (v) => Math.min(Math.max(v, lower), upper))];
  },
});
const axesOf = (x: Value): number[] => x.shape.map((_, i) => i);

export const maximum = (...xs: Value[]): Value => emit(Max, xs);
export const minimum = (...xs: Value[]): Value => emit(Min, xs);
/** x limited to scalars `low` and `high` (values or absent). */
export const clip = (x: Value, low: Value | undefined, high: Value | undefined): Value => emit(Clip, [x, low, high]);
