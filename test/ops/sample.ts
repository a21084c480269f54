import { createRng, type DType, sizeOf } from "temper/core";
import { type Attributes } from "temper/graph";

/** An array that a sample feeds. `fixed` ones become constants of the graph (axes, shapes), the others graph inputs. */
export interface ArraySpec {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
  readonly fixed?: boolean;
}

/** One application of an operator. Floats are float32 numbers, off kinks by at least 0.01. */
export interface Sample {
  readonly label: string;
  /** null: an optional input left out. */
  readonly inputs: readonly (ArraySpec | null)[];
  readonly attributes?: Attributes;
  /** Inputs to differentiate by. Default: all float inputs that are not fixed. */
  readonly differentiate?: readonly number[];
  /**
   * Repeat shape inference and gradients with a symbolic batch: `true` makes axis 0 of every input that is not fixed
   * the batch axis; a list gives the batch axis of each input (null: none). The size of the axis may be a multiple of
   * the smallest one, which is taken as the batch size.
   */
  readonly symbolic?: true | readonly (number | null)[];
  /** Why the runtime is not asked, in words. */
  readonly noRuntime?: string;
  /** Allowed relative difference to the runtime; default 1e-5. */
  readonly tolerance?: number;
}

let count = 0;
const draw = (shape: readonly number[], f: (u: number) => number, dtype: DType = "float32"): ArraySpec => {
  const rng = createRng(20).split(count++);
  return { dtype, shape, data: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(f(rng.uniform()))) };
};

/** Float32 numbers, uniform between two bounds. */
export const uniform = (low: number, high: number, ...shape: number[]): ArraySpec =>
  draw(shape, (u) => low + (high - low) * u);
/** Float32 numbers between -1.5 and 1.5, none nearer to zero than 0.1. */
export const offZero = (...shape: number[]): ArraySpec =>
  draw(shape, (u) => (u < 0.5 ? -0.1 - 2.8 * u : 0.1 + 2.8 * (u - 0.5)));
/** Float32 numbers in a random order, each 0.05 from the next: no ties in maxima and sorting. */
export const distinct = (...shape: number[]): ArraySpec => {
  const size = sizeOf(shape);
  const order = createRng(21).split(count++).permutation(size);
  return { dtype: "float32", shape, data: Float64Array.from(order, (k) => Math.fround((k - size / 2) * 0.05 + 0.02)) };
};
/** The given float32 numbers. */
export const floats = (data: readonly number[], shape: readonly number[] = [data.length]): ArraySpec => ({
  dtype: "float32",
  shape,
  data: Float64Array.from(data, Math.fround),
});
/** The given int64 numbers, fed at run time. */
export const integers = (
  data: readonly number[],
  shape: readonly number[] = [data.length],
  dtype: DType = "int64",
): ArraySpec => ({ dtype, shape, data: Float64Array.from(data) });
/** The given truth values, fed at run time. */
export const bools = (data: readonly number[], shape: readonly number[] = [data.length]): ArraySpec =>
  integers(data, shape, "bool");
/** The same array as a constant of the graph. */
export const fixed = (spec: ArraySpec): ArraySpec => ({ ...spec, fixed: true });
/** Int64 constant: axes, shapes, counts. */
export const ints = (...data: number[]): ArraySpec => fixed(integers(data));
