import { gemm } from "../ops/index.ts";
import { defaultInit, type Init, uniformInit } from "./init.ts";
import type { Layer } from "./layer.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  readonly init?: Init;
  readonly biasInit?: Init;
}

/**
 * y = x Wᵀ + b; x [n, inputs], `weight` [outputs, inputs], `bias` [outputs], y [n, outputs]. Weights lie as in PyTorch,
 * so that published ones fit by name. Both start uniform in ±1/√inputs.
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
  apply: ({ weight, bias }, x) => ({ y: gemm(x, weight!, bias, { transB: 1 }), updates: {} }),
});
