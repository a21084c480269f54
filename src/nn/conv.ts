import { conv } from "../ops/index.ts";
import { defaultInit, type Init, uniformInit } from "./init.ts";
import type { Layer } from "./layer.ts";

export interface ConvLayerOptions {
  readonly stride?: number;
  /** Rows and columns of zeros on every side. */
  readonly padding?: number;
  readonly groups?: number;
  /** Pixels from one tap of the kernel to the next. */
  readonly dilation?: number;
  readonly bias?: boolean;
  readonly init?: Init;
  readonly biasInit?: Init;
}

/**
 * Convolution with a square kernel; x [n, inputs, h, w], `weight` [outputs, inputs / groups, kernel, kernel]. Weight and
 * bias start uniform in ±1/√(fan in).
 */
export const conv2d = (inputs: number, outputs: number, kernel: number, options: ConvLayerOptions = {}): Layer => {
  const { stride = 1, padding = 0, groups = 1, dilation = 1, bias = true, init = defaultInit } = options;
  const shape = [outputs, inputs / groups, kernel, kernel];
  const biasInit = options.biasInit ?? uniformInit(1 / Math.sqrt((inputs / groups) * kernel * kernel));
  return {
    parameters: {
      weight: { shape, role: "weight", init },
      ...(bias && { bias: { shape: [outputs], role: "bias", init: biasInit } }),
    },
    buffers: {},
    apply: ({ weight, bias }, x) => ({
      y: conv(x, weight!, bias, {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
        ...(dilation > 1 && { dilations: [dilation, dilation] }),
        group: groups,
      }),
      updates: {},
    }),
  };
};
