import { sizeOf } from "../core/index.ts";
import { customVjp } from "../autodiff/index.ts";
import { emit, type Value } from "../graph/index.ts";
import {
  add,
  addScalar,
  batchNorm as normalize,
  cast,
  div,
  full,
  globalAveragePool,
  maximum,
  mul,
  neg,
  reciprocal,
  reduceMean,
  reshape,
  scalarLike,
  scale as scaled,
  Shape_,
  sqrt,
  square,
  sub,
} from "../ops/index.ts";
import { oneInit, zeroInit } from "./init.ts";
import type { Layer } from "./layer.ts";

export interface BatchNormOptions {
  /** Added to the variance. */
  readonly epsilon?: number;
  /** Share of the batch's statistics in the new running ones. */
  readonly momentum?: number;
  /** Whether a learned scale and bias follow. */
  readonly affine?: boolean;
}

/**
 * Batch normalization of x [n, channels, h, w] (or [n, channels]).
 *
 * Evaluation uses the running statistics. Training uses those of the batch, in two passes (mean, then mean squared
 * deviation: one pass cancels), and gives updates: running ← (1 - momentum) running + momentum batch, with the unbiased
 * variance as in PyTorch. Source: Ioffe and Szegedy 2015.
 */
export const batchNorm = (
  channels: number,
  { epsilon = 1e-5, momentum = 0.1, affine = true }: BatchNormOptions = {},
): Layer => ({
  parameters: affine
    ? {
        weight: { shape: [channels], role: "scale", init: oneInit, ofBatchNorm: true },
        bias: { shape: [channels], role: "bias", init: zeroInit, ofBatchNorm: true },
      }
    : {},
  buffers: {
    running_mean: { shape: [channels], init: zeroInit },
    running_var: { shape: [channels], init: oneInit },
  },
  apply: (weights, x, { training, share }) => {
    const mean = weights["running_mean"]!,
      variance = weights["running_var"]!;
    const weight = weights["weight"] ?? full([channels], 1),
      bias = weights["bias"] ?? full([channels], 0);
    if (!training) return { y: normalize(x, weight, bias, mean, variance, epsilon), updates: {} };
    const batch = statistics(x);
    const blend = (old: Value, now: Value): Value =>
      share ? add(old, mul(sub(now, old), share)) : add(scaled(old, 1 - momentum), scaled(now, momentum));
    return {
      y: trainingNorm(epsilon)(x, weight, bias),
      updates: {
        running_mean: blend(mean, batch.mean),
        running_var: blend(variance, mul(batch.variance, unbias(x))),
      },
    };
  },
});

/** Mean over all axes but channels, [C]. First within each image: the runtime reduces several axes at once badly. */
const channelMean = (x: Value): Value => {
  const perImage = x.shape.length > 2 ? globalAveragePool(x) : x;
  return reshape(reduceMean(perImage, [0], true), [x.shape[1]!]);
};
const perChannel = (v: Value, x: Value): Value => reshape(v, [v.shape[0]!, ...x.shape.slice(2).map(() => 1)]);

const statistics = (x: Value): { readonly mean: Value; readonly variance: Value } => {
  const mean = channelMean(x);
  return { mean, variance: channelMean(square(sub(x, perChannel(mean, x)))) };
};

/** Numbers a channel, [1]. */
const count = (x: Value): Value =>
  scaled(cast(emit(Shape_, [x], { start: 0, end: 1 }), x.dtype), sizeOf(x.shape.slice(2)));
/** m / (m - 1) for m numbers a channel, [1]. */
const unbias = (x: Value): Value => {
  const m = count(x);
  return div(m, maximum(addScalar(m, -1), scalarLike(m, 1)));
};

/**
 * x normalized by its own statistics, as the evaluation operator on computed ones, with the classical gradient
 * (two reductions) in place of the one that follows the statistics operator by operator (five). Both are written in
 * x - mean x, which then is all that is kept of x.
 */
const trainingNorm = (epsilon: number): ((...xs: Value[]) => Value) =>
  customVjp(
    (x, weight, bias) => {
      const { mean, variance } = statistics(x!);
      return normalize(sub(x!, perChannel(mean, x!)), weight!, bias!, full(mean.shape, 0), variance, epsilon);
    },
    ({ inputs: [x, weight], g }) => {
      const { mean, variance } = statistics(x!);
      const inverse = reciprocal(sqrt(addScalar(variance, epsilon))),
        centred = sub(x!, perChannel(mean, x!)),
        products = mul(g, centred);
      // dx = w/σ (g - mean g - (x - mean x)/σ² mean(g (x - mean x))): one number a channel for g, one for x, one beside.
      const factor = mul(weight!, inverse),
        slope = mul(mul(neg(factor), square(inverse)), channelMean(products)),
        shift = mul(neg(factor), channelMean(g));
      const each = (v: Value): Value => perChannel(v, x!);
      const dx = add(mul(g, each(factor)), add(mul(centred, each(slope)), each(shift)));
      return [dx, mul(channelSum(products), inverse), channelSum(g)];
    },
  );
const channelSum = (x: Value): Value => mul(channelMean(x), count(x));
