import { convTranspose } from "../ops/index.ts";
import { defaultInit, uniformInit } from "./init.ts";
import type { Layer } from "./layer.ts";

/**
 * Transposed convolution with a square kernel; x [n, inputs, h, w], `weight` [inputs, outputs, kernel, kernel], y
 * `stride` times as high and wide (where the kernel is the stride). Starts as in PyTorch.
 */
export const convTranspose2d = (inputs: number, outputs: number, kernel: number, stride = kernel): Layer => ({
  parameters: {
    weight: { shape: [inputs, outputs, kernel, kernel], role: "weight", init: defaultInit },
    bias: { shape: [outputs], role: "bias", init: uniformInit(1 / Math.sqrt(outputs * kernel * kernel)) },
  },
  buffers: {},
  apply: ({ weight, bias }, x) => ({
    y: convTranspose(x, weight!, bias, { kernel_shape: [kernel, kernel], strides: [stride, stride] }),
    updates: {},
  }),
});
