import { elements } from "../graph/index.ts";
import { gemm, reshape } from "../ops/index.ts";
import { defaultInit, type Init, uniformInit } from "./init.ts";
import type { Layer } from "./layer.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  readonly init?: Init;
  readonly biasInit?: Init;
}

/**
 * y = x Wᵀ + b; x [..., inputs], `weight` [outputs, inputs], `bias` [outputs], y [..., outputs]. Weights lie as in
 * PyTorch, so that published ones fit by name. Both start uniform in ±1/√inputs.
 */
export const linear = (
  inputs: number,
  outputs: number,
  { bias = true, init = defaultInit, biasInit = uniformInit(1 / Math.sqrt(inputs)) }: LinearOptions = {},
): Layer => ({
  parameters: {
    weight: { shape: [outputs, inputs], role: "weight", init },
    ...(bias && { bias: { shape: [outputs], role: "bias", init: biasInit } }),
  },
  buffers: {},
  apply: ({ weight, bias }, x) => {
    const rows = reshape(x, [elements(x.shape.slice(0, -1)), x.shape.at(-1)!]); // one product for all of them
    return { y: reshape(gemm(rows, weight!, bias, { transB: 1 }), [...x.shape.slice(0, -1), outputs]), updates: {} };
  },
});
