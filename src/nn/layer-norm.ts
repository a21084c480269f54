import { layerNorm as normalize } from "../ops/index.ts";
import { oneInit, zeroInit } from "./init.ts";
import type { Layer } from "./layer.ts";

export interface LayerNormOptions {
  /** Added to the variance. */
  readonly epsilon?: number;
}

/** Every row (the last axis) of x [..., size] brought to mean 0 and variance 1, then scaled and shifted. Source: Ba et al. 2016. */
export const layerNorm = (size: number, { epsilon = 1e-5 }: LayerNormOptions = {}): Layer => ({
  parameters: {
    weight: { shape: [size], role: "scale", init: oneInit },
    bias: { shape: [size], role: "bias", init: zeroInit },
  },
  buffers: {},
  apply: ({ weight, bias }, x) => ({ y: normalize(x, weight!, bias, { axis: -1, epsilon }), updates: {} }),
});
