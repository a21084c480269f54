import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import { attr, defineOp, emit, type Value } from "../graph/index.ts";
import { addScalar, div, mul, neg, scale as scaled, sub } from "./arithmetic.ts";
import { perChannel, sumChannels } from "./channels.ts";
import { zeros64 } from "./reference.ts";
import { sqrt } from "./unary.ts";

/**
 * (x - mean) / sqrt(variance + epsilon) · scale + bias with given statistics, all [C], of x [N, C, ...]. Evaluation
 * form only: training computes the statistics by ordinary operators. Source: ONNX BatchNormalization, opset 15.
 */
export const BatchNormalization = defineOp({
  name: "BatchNormalization",
  arity: [5, 5],
  attributes: { epsilon: attr.float(1e-5), momentum: attr.float(0.9), training_mode: attr.int(0) },
  infer: ([x, ...rest], { training_mode }) => {
    if (training_mode !== 0)
      throw new TemperError("unsupported", "training_mode 1 is not supported; export the model in evaluation mode.");
    const channels = x.shape[1];
    if (channels === undefined) throw new TemperError("bad-shape", `wants [N, C, ...], got ${formatShape(x.shape)}.`);
    for (const v of rest as readonly Value[])
      if (!sameShape(v.shape, [channels]))
        throw new TemperError("bad-shape", `statistics must be [${channels}], got ${formatShape(v.shape)}.`);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ({ g, inputs: [x, scale, , mean, variance], attributes: { epsilon } }) => {
    const deviation = sqrt(addScalar(variance, epsilon)),
      factor = div(scale, deviation);
    const toBias = sumChannels(g);
    const toScale = sumChannels(mul(g, div(sub(x, perChannel(mean, x)), perChannel(deviation, x))));
    return [
      mul(g, perChannel(factor, x)),
      toScale,
      toBias,
      neg(mul(toBias, factor)),
      // dy/dv = -(x - m) s / (2 sqrt(v + e)^3)
      scaled(div(mul(toScale, scale), addScalar(variance, epsilon)), -0.5),
    ];
  },
  reference: ([x, scale, bias, mean, variance], { epsilon }) => {
    const out = zeros64(x.shape, x.dtype),
      channels = x.shape[1]!,
      area = sizeOf(x.shape.slice(2));
    for (let plane = 0; plane * area < x.data.length; plane++) {
      const c = plane % channels,
        factor = scale.data[c]! / Math.sqrt(variance.data[c]! + epsilon);
      for (let i = plane * area; i < (plane + 1) * area; i++)
        out.data[i] = (x.data[i]! - mean.data[c]!) * factor + bias.data[c]!;
    }
    return [out];
  },
});

/** Normalization of x [N, C, ...] by given statistics [C]. */
export const batchNorm = (x: Value, scale: Value, bias: Value, mean: Value, variance: Value, epsilon = 1e-5): Value =>
  emit(BatchNormalization, [x, scale, bias, mean, variance], { epsilon });
