import { jvp, vjp } from "temper/autodiff";
import { createRng, type DType } from "temper/core";
import {
  type AnyOp,
  type Array64,
  concretize,
  constant,
  createGraph,
  emitAll,
  fromArray64,
  input,
  type Value,
} from "temper/graph";
import { evaluateGraph } from "temper/ops";
import type { ArraySpec, Sample } from "./sample.ts";

export type Feeds = Record<string, Array64>;

/** A sample as a graph: values of its inputs and outputs, and what to feed. */
export interface Built {
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly feeds: Feeds;
  readonly batch: number;
  /** Inputs to differentiate by. */
  readonly xs: readonly Value[];
}

const isFloat = (v: { readonly dtype: DType }): boolean => v.dtype.startsWith("float");

/** Batch axis of every input: null where there is none. */
const batchAxes = ({ inputs, symbolic }: Sample): readonly (number | null)[] =>
  inputs.map((spec, i) => {
    if (!spec || spec.fixed || !symbolic) return null;
    return symbolic === true ? (spec.shape.length > 0 ? 0 : null) : (symbolic[i] ?? null);
  });

/** The sample with float64 in place of float32: rules then hold their constants in float64 too. */
const widened = (sample: Sample): Sample => ({
  ...sample,
  inputs: sample.inputs.map((spec) => (spec?.dtype === "float32" ? { ...spec, dtype: "float64" } : spec)),
});

/**
 * @param symbolic  whether the axes that the sample names become the batch axis
 * @param wide      whether float32 inputs become float64
 */
export const build = (op: AnyOp, given: Sample, symbolic: boolean, wide = false): Built => {
  const sample = wide ? widened(given) : given;
  const axes = symbolic ? batchAxes(sample) : sample.inputs.map(() => null);
  const sizes = axes.flatMap((axis, i) => (axis === null ? [] : [sample.inputs[i]!.shape[axis]!]));
  const batch = sizes.length > 0 ? Math.min(...sizes) : 1;
  const feeds: Feeds = {};
  const value = (spec: ArraySpec | null, i: number): Value | undefined => {
    if (!spec) return undefined;
    if (spec.fixed) return constant(fromArray64(spec));
    feeds[`x${i}`] = spec;
    const shape = spec.shape.map((d, axis) => (axis === axes[i] ? -d / batch : d));
    return input(`x${i}`, spec.dtype, shape);
  };
  const inputs = sample.inputs.map(value);
  const outputs = emitAll(op, inputs, sample.attributes);
  const wanted =
    sample.differentiate ?? inputs.flatMap((v, i) => (v && isFloat(v) && !sample.inputs[i]!.fixed ? [i] : []));
  return { inputs, outputs, feeds, batch, xs: wanted.map((i) => inputs[i]!) };
};

/** Evaluates values of a graph. */
export const run = (values: readonly Value[], feeds: Feeds): Array64[] => {
  const leaves = new Set<Value>();
  const seen = new Set<Value["node"]>();
  const visit = (stack: Value[]): void => {
    for (let v = stack.pop(); v; v = stack.pop()) {
      if (seen.has(v.node)) continue;
      seen.add(v.node);
      if (v.node.op.name === "Input") leaves.add(v);
      for (const w of v.node.inputs) if (w) stack.push(w);
    }
  };
  visit([...values]);
  const graph = createGraph("sample", [...leaves], Object.fromEntries(values.map((v, i) => [`y${i}`, v])));
  const out = evaluateGraph(graph, feeds);
  return values.map((_, i) => out[`y${i}`]!);
};

export const noise = (v: Value, batch: number, seed: string): Array64 => {
  const rng = createRng(99).split(seed);
  const shape = concretize(v.shape, batch);
  const size = shape.reduce((a, b) => a * b, 1);
  return { dtype: v.dtype, shape, data: Float64Array.from({ length: size }, () => rng.uniform() * 2 - 1) };
};

export const dot = (a: readonly Array64[], b: readonly Array64[]): number => {
  let sum = 0;
  a.forEach((x, i) => {
    if (x.data.length !== b[i]!.data.length) throw new Error(`sizes ${x.shape} and ${b[i]!.shape} differ`);
    x.data.forEach((v, k) => (sum += v * b[i]!.data[k]!));
  });
  return sum;
};

/** Width of the difference stencil: error about h^4, rounding about 1e-16 / h. */
const H = 5e-4;

/** Derivative of `ys` along `directions` of the named inputs, by fourth-order central differences in float64. */
export const numericJvp = (ys: readonly Value[], feeds: Feeds, directions: Feeds): Array64[] => {
  const at = (t: number): Array64[] => {
    const moved: Feeds = { ...feeds };
    for (const [name, d] of Object.entries(directions))
      moved[name] = { ...feeds[name]!, data: feeds[name]!.data.map((v, i) => v + t * d.data[i]!) };
    return run(ys, moved);
  };
  const [a, b, c, d] = [at(-2 * H), at(-H), at(H), at(2 * H)];
  return ys.map((_, i) => ({
    ...b[i]!,
    data: b[i]!.data.map((v, k) => (a[i]!.data[k]! - 8 * v + 8 * c[i]!.data[k]! - d[i]!.data[k]!) / (12 * H)),
  }));
};

export interface Directional {
  /** <Jᵀu, v> through the VJP rules. */
  readonly exact: number;
  /** <u, J v> by differences. */
  readonly numeric: number;
  /** The pulled-back values and everything they depend on, to differentiate again. */
  readonly pulled: readonly Value[];
  readonly variables: readonly Value[];
  readonly feeds: Feeds;
}

/** Compares the VJP of `ys` by `xs` (graph inputs) with differences along one random direction. */
export const directional = (
  ys: readonly Value[],
  xs: readonly Value[],
  feeds: Feeds,
  batch: number,
  tag: string,
): Directional => {
  const us = ys.map((y, i) => input(`${tag}${i}`, y.dtype, y.shape));
  const allFeeds = { ...feeds, ...Object.fromEntries(us.map((u, i) => [`${tag}${i}`, noise(u, batch, `${tag}${i}`)])) };
  const pulled = vjp(ys, us, xs);
  const vs = xs.map((x, i) => noise(x, batch, `v${tag}${i}`));
  const active = pulled.flatMap((p, i) => (p ? [i] : []));
  const gradients = run(
    active.map((i) => pulled[i]!),
    allFeeds,
  );
  const exact = dot(
    gradients,
    active.map((i) => vs[i]!),
  );
  const slopes = numericJvp(ys, feeds, Object.fromEntries(xs.map((x, i) => [x.node.name, vs[i]!])));
  const seeds = us.map((u) => allFeeds[u.node.name]!);
  return {
    exact,
    numeric: dot(slopes, seeds),
    pulled: active.map((i) => pulled[i]!),
    variables: [...xs, ...us],
    feeds: allFeeds,
  };
};

/** Largest difference of the JVP to differences, relative to the larger of 1 and the values. */
export const jvpError = (ys: readonly Value[], xs: readonly Value[], feeds: Feeds, batch: number): number => {
  const tangents = xs.map((x, i) => input(`t${i}`, x.dtype, x.shape));
  const vs = tangents.map((t, i) => noise(t, batch, `t${i}`));
  const directions = Object.fromEntries(xs.map((x, i) => [x.node.name, vs[i]!]));
  const fed = { ...feeds, ...Object.fromEntries(vs.map((v, i) => [`t${i}`, v])) };
  const exact = run(jvp(ys, xs, tangents), fed);
  const numeric = numericJvp(ys, feeds, directions);
  return Math.max(0, ...exact.flatMap((e, i) => Array.from(e.data, (v, k) => relative(v, numeric[i]!.data[k]!))));
};

/** |a - b| relative to the larger of 1, |a| and |b|; infinite for NaN. */
export const relative = (a: number, b: number): number => {
  if (Object.is(a, b) || a === b) return 0;
  const error = Math.abs(a - b) / Math.max(1, Math.abs(a), Math.abs(b));
  return Number.isNaN(error) ? Infinity : error;
};

export const floatOutputs = (built: Built): Value[] => built.outputs.filter(isFloat);
