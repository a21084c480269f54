import { type Rng, sizeOf } from "../core/index.ts";

/** Fills `data`, an array of shape `shape`, with starting values. */
export type Init = (data: Float32Array, shape: readonly number[], rng: Rng) => void;

/** Inputs and outputs that one weight array connects: [out, in, ...kernel]. */
export const fans = ([out = 1, into = 1, ...kernel]: readonly number[]): {
  readonly in: number;
  readonly out: number;
} => ({
  in: into * sizeOf(kernel),
  out: out * sizeOf(kernel),
});

export const fill =
  (value: number): Init =>
  (data) =>
    void data.fill(value);
export const zeroInit = fill(0);
export const oneInit = fill(1);

/** Uniform in ±bound. */
export const uniformInit =
  (bound: number): Init =>
  (data, _, rng) =>
    rng.fillUniform(data, -bound, bound);

export const normalInit =
  (deviation: number): Init =>
  (data, _, rng) =>
    rng.fillNormal(data, 0, deviation);

/**
 * Normal with variance 2 / fan: keeps the variance of activations ("in") or gradients ("out") through ReLU layers.
 * Source: He et al. 2015, Delving Deep into Rectifiers.
 */
export const heNormal =
  (by: "in" | "out" = "in"): Init =>
  (data, shape, rng) =>
    rng.fillNormal(data, 0, Math.sqrt(2 / fans(shape)[by]));

/** Uniform in ±√(6 / fan in): the uniform form of {@link heNormal}. */
export const heUniform: Init = (data, shape, rng) => {
  const bound = Math.sqrt(6 / fans(shape).in);
  rng.fillUniform(data, -bound, bound);
};

/** Uniform in ±1/√(fan in): what PyTorch gives the weights of linear and convolution layers unless told otherwise. */
export const defaultInit: Init = (data, shape, rng) => {
  const bound = 1 / Math.sqrt(fans(shape).in);
  rng.fillUniform(data, -bound, bound);
};

/** Normal with variance 2 / (fan in + fan out). Source: Glorot and Bengio 2010. */
export const glorotNormal: Init = (data, shape, rng) => {
  const fan = fans(shape);
  rng.fillNormal(data, 0, Math.sqrt(2 / (fan.in + fan.out)));
};
