import { type Rng, sizeOf, type Tensor, TemperError } from "../core/index.ts";
import { named, type Shape, type Value } from "../graph/index.ts";
import type { Init } from "./init.ts";

/**
 * What a weight is, for everything that treats weights by kind: weight decay, pruning, weight perturbation.
 * `weight`: matrices and kernels; `bias`; `scale`: factors of a normalization.
 */
export type Role = "weight" | "bias" | "scale";

export interface ParameterSpec {
  readonly shape: readonly number[];
  readonly role: Role;
  readonly init: Init;
  /** Whether it scales or shifts what a batch norm gives: with another set of statistics it is another one too. */
  readonly ofBatchNorm?: boolean;
}
/** State that a layer keeps but that no gradient trains: running statistics. */
export type BufferSpec = Pick<ParameterSpec, "shape" | "init">;

/** Values by name: parameters and buffers alike. */
export type Weights = Readonly<Record<string, Value>>;

/** Gives fresh random numbers of a shape: `uniform` in [0, 1), or standard `normal`. */
export type Random = (shape: Shape, kind: "uniform" | "normal") => Value;

export interface Mode {
  /** Batch statistics instead of running ones, and their updates; dropout. */
  readonly training: boolean;
  /**
   * Where layers take random numbers from in training. Whoever builds a step gives an input a call, and feeds it anew
   * every time.
   */
  readonly random?: Random | undefined;
  /**
   * Sees the output of every named part (`layer1.0.conv1`) as the layer is applied; what it gives is used in its place.
   * Inner parts come before those that hold them.
   */
  readonly tap?: ((name: string, value: Value) => Value) | undefined;
  /**
   * Share of the batch in the new running statistics, a scalar, in place of what each layer has: statistics are made, and
   * nothing is trained.
   */
  readonly share?: Value;
}
export interface Applied {
  readonly y: Value;
  /** New values of buffers by name; empty outside of training. Whoever runs the graph stores them, or does not. */
  readonly updates: Weights;
}

/**
 * A layer: what it needs and what it does. Weights and mode are arguments, never hidden state, so the same layer serves
 * training, attack, weight perturbation and meta-learning.
 */
export interface Layer {
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  readonly buffers: Readonly<Record<string, BufferSpec>>;
  readonly apply: (weights: Weights, x: Value, mode: Mode) => Applied;
}

/** A layer without weights. */
export const pure = (f: (x: Value) => Value): Layer => ({
  parameters: {},
  buffers: {},
  apply: (_, x) => ({ y: f(x), updates: {} }),
});

/** Calls a child by name inside of {@link compose}. */
export type Call<K extends string> = (child: K, x: Value) => Value;

/**
 * A layer made of named ones. `body` wires them; weights and updates are routed by dotted name (`conv1.weight`).
 * A child that is called twice shares its weights; of two updates the later counts.
 */
export const compose = <K extends string>(
  children: Readonly<Record<K, Layer>>,
  body: (call: Call<K>, x: Value) => Value,
): Layer => ({
  parameters: gather(children, ({ parameters }) => parameters),
  buffers: gather(children, ({ buffers }) => buffers),
  apply: (weights, x, mode) => {
    const updates: Record<string, Value> = {};
    const y = body((name, input) => {
      const inner = scopedMode(mode, name);
      const applied = named(name, () => children[name].apply(scoped(weights, name, children[name]), input, inner));
      for (const [key, value] of Object.entries(applied.updates)) updates[`${name}.${key}`] = value;
      return mode.tap?.(name, applied.y) ?? applied.y;
    }, x);
    return { y, updates };
  },
});

const scopedMode = (mode: Mode, name: string): Mode =>
  mode.tap ? { ...mode, tap: (inner, value) => mode.tap!(`${name}.${inner}`, value) } : mode;

/** Layers one after another, in the order of the record. */
export const sequential = (children: Readonly<Record<string, Layer>>): Layer =>
  compose(children, (call, x) => Object.keys(children).reduce((v, name) => call(name, v), x));

const gather = <T>(
  children: Readonly<Record<string, Layer>>,
  pick: (child: Layer) => Readonly<Record<string, T>>,
): Record<string, T> =>
  Object.fromEntries(
    Object.entries(children).flatMap(([name, child]) =>
      Object.entries(pick(child)).map(([key, value]) => [`${name}.${key}`, value] as const),
    ),
  );

const scoped = (weights: Weights, name: string, child: Layer): Weights =>
  Object.fromEntries(
    weightNames(child).map((key) => {
      const value = weights[`${name}.${key}`];
      if (!value) throw new TemperError("not-found", `No value was given for the weight "${name}.${key}".`);
      return [key, value] as const;
    }),
  );

/** Names of parameters, then of buffers. */
export const weightNames = (layer: Layer): string[] => [
  ...Object.keys(layer.parameters),
  ...Object.keys(layer.buffers),
];

/**
 * Starting values of all parameters and buffers. Every array draws from its own stream, named after it: adding a layer
 * does not change the others.
 */
export const initialize = (layer: Layer, rng: Rng): Record<string, Tensor<"float32">> =>
  Object.fromEntries(
    Object.entries({ ...layer.parameters, ...layer.buffers }).map(([name, { shape, init }]) => {
      const data = new Float32Array(sizeOf(shape));
      init(data, shape, rng.split(name));
      return [name, { dtype: "float32", shape, data }];
    }),
  );

/** Number of trained numbers. */
export const countParameters = ({ parameters }: Pick<Layer, "parameters">): number =>
  Object.values(parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
