import { bool, int } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import { batchNorm, compose, conv2d, globalAverage, type Layer, linear, pure, sequential } from "../nn/index.ts";
import { add } from "../ops/index.ts";
import { activationOf, activationOptions } from "./activation.ts";
import { defineModel } from "./definition.ts";

const conv3x3 = (inputs: number, outputs: number, stride = 1): Layer =>
  conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
const conv1x1 = (inputs: number, outputs: number, stride: number): Layer =>
  conv2d(inputs, outputs, 1, { stride, bias: false });

/** The stride of the first convolution, and with it those of the stages: the last feature maps stay as large. */
const stemOptions = {
  stemStride: int({
    default: 1,
    min: 1,
    max: 2,
    help: "stride of the first convolution; 2: it is 4 x 4, and the second stage does not halve",
  }),
};
/** Of the stages, by the stride of the stem. */
const STRIDES = [[], [1, 2, 2, 2], [1, 1, 2, 2]] as const;
const WIDTHS = [64, 128, 256, 512];
const BLOCKS = [2, 2, 2, 2];

const stemConv = (inputs: number, stride: number): Layer =>
  stride === 1 ? conv3x3(inputs, 64) : conv2d(inputs, 64, 4, { stride: 2, padding: 1, bias: false });

type Block = (inputs: number, outputs: number, stride: number) => Layer;
/** Four stages of two blocks. */
const stages = (block: Block, stemStride: number): Record<string, Layer> =>
  Object.fromEntries(
    WIDTHS.map((width, stage) => {
      const before = WIDTHS[Math.max(0, stage - 1)]!,
        stride = STRIDES[stemStride]![stage]!;
      const layers = Array.from({ length: BLOCKS[stage]! }, (_, i) =>
        i === 0 ? block(before, width, stride) : block(width, width, 1),
      );
      return [`layer${stage + 1}`, sequential(Object.fromEntries(layers.entries()))];
    }),
  );

type Activation = (x: Value) => Value;

/** conv-norm-relu-conv-norm, plus the input (through a 1 x 1 convolution with norm where the shape changes), relu. */
const basicBlock =
  (relu: Activation): Block =>
  (inputs, outputs, stride) => {
    const same = inputs === outputs && stride === 1;
    const main = {
      conv1: conv3x3(inputs, outputs, stride),
      bn1: batchNorm(outputs),
      conv2: conv3x3(outputs, outputs),
      bn2: batchNorm(outputs),
    };
    const body = (call: (child: keyof typeof main, x: Value) => Value, x: Value): Value =>
      call("bn2", call("conv2", relu(call("bn1", call("conv1", x)))));
    if (same) return compose(main, (call, x) => relu(add(body(call, x), x)));
    const shortcut = sequential({ 0: conv1x1(inputs, outputs, stride), 1: batchNorm(outputs) });
    return compose({ ...main, shortcut }, (call, x) => relu(add(body(call, x), call("shortcut", x))));
  };

/** norm-relu-conv-norm-relu-conv plus the input; a shortcut convolution takes the first normalized activation. */
const preactBlock =
  (relu: Activation): Block =>
  (inputs, outputs, stride) => {
    const same = inputs === outputs && stride === 1;
    const main = {
      bn1: batchNorm(inputs),
      conv1: conv3x3(inputs, outputs, stride),
      bn2: batchNorm(outputs),
      conv2: conv3x3(outputs, outputs),
    };
    const body = (call: (child: keyof typeof main, x: Value) => Value, active: Value): Value =>
      call("conv2", relu(call("bn2", call("conv1", active))));
    if (same) return compose(main, (call, x) => add(body(call, relu(call("bn1", x))), x));
    const shortcut = sequential({ 0: conv1x1(inputs, outputs, stride) });
    return compose({ ...main, shortcut }, (call, x) => {
      const active = relu(call("bn1", x));
      return add(body(call, active), call("shortcut", active));
    });
  };

export const resnet18 = defineModel({
  name: "resnet-18",
  summary: "Residual network for small images: 3 x 3 stem without pooling; 11,173,962 parameters on CIFAR-10.",
  source: "He et al. 2016, Deep Residual Learning, in the form common for CIFAR",
  options: { ...stemOptions, ...activationOptions },
  build: ({ inputShape: [colors], classes }, { stemStride, ...chosen }) => {
    const relu = activationOf(chosen);
    return sequential({
      conv1: stemConv(colors, stemStride),
      bn1: batchNorm(64),
      relu: pure(relu),
      ...stages(basicBlock(relu), stemStride),
      pool: globalAverage,
      linear: linear(512, classes),
    });
  },
});

export const preactResnet18 = defineModel({
  name: "preact-resnet-18",
  summary: "Pre-activation residual network for small images; 11,172,170 parameters on CIFAR-10.",
  source: "He et al. 2016, Identity Mappings; the form of Rice et al. 2020 (without the final norm: 11,171,146)",
  options: {
    finalNorm: bool({ default: true, help: "normalize and rectify before pooling" }),
    ...stemOptions,
    ...activationOptions,
  },
  build: ({ inputShape: [colors], classes }, { finalNorm, stemStride, ...chosen }) => {
    const relu = activationOf(chosen);
    return sequential({
      conv1: stemConv(colors, stemStride),
      ...stages(preactBlock(relu), stemStride),
      ...(finalNorm && { bn: batchNorm(512), relu: pure(relu) }),
      pool: globalAverage,
      linear: linear(512, classes),
    });
  },
});
