import { bool } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import {
  batchNorm,
  compose,
  conv2d,
  globalAverage,
  type Layer,
  linear,
  relu as reluLayer,
  sequential,
} from "../nn/index.ts";
import { add, relu } from "../ops/index.ts";
import { defineModel } from "./definition.ts";

const conv3x3 = (inputs: number, outputs: number, stride = 1): Layer =>
  conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
const conv1x1 = (inputs: number, outputs: number, stride: number): Layer =>
  conv2d(inputs, outputs, 1, { stride, bias: false });

/** Stages of blocks: `blocks[i]` blocks of `widths[i]` channels; every stage but the first halves the image. */
const stages = (
  block: (inputs: number, outputs: number, stride: number) => Layer,
  stem: number,
  widths: readonly number[],
  blocks: readonly number[],
): Record<string, Layer> =>
  Object.fromEntries(
    widths.map((width, stage) => {
      const before = stage === 0 ? stem : widths[stage - 1]!;
      const layers = Array.from({ length: blocks[stage]! }, (_, i) =>
        i === 0 ? block(before, width, stage === 0 ? 1 : 2) : block(width, width, 1),
      );
      return [`layer${stage + 1}`, sequential(Object.fromEntries(layers.entries()))];
    }),
  );

/** conv-norm-relu-conv-norm, plus the input (through a 1 x 1 convolution with norm where the shape changes), relu. */
const basicBlock = (inputs: number, outputs: number, stride: number): Layer => {
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
const preactBlock = (inputs: number, outputs: number, stride: number): Layer => {
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

const WIDTHS = [64, 128, 256, 512];
const BLOCKS = [2, 2, 2, 2];

export const resnet18 = defineModel({
  name: "resnet-18",
  summary: "Residual network for small images: 3 x 3 stem without pooling; 11,173,962 parameters on CIFAR-10.",
  source: "He et al. 2016, Deep Residual Learning, in the form common for CIFAR",
  options: {},
  build: ({ inputShape: [colors], classes }) =>
    sequential({
      conv1: conv3x3(colors, 64),
      bn1: batchNorm(64),
      relu: reluLayer,
      ...stages(basicBlock, 64, WIDTHS, BLOCKS),
      pool: globalAverage,
      linear: linear(512, classes),
    }),
});

export const preactResnet18 = defineModel({
  name: "preact-resnet-18",
  summary: "Pre-activation residual network for small images; 11,172,170 parameters on CIFAR-10.",
  source: "He et al. 2016, Identity Mappings; the form of Rice et al. 2020 (without the final norm: 11,171,146)",
  options: { finalNorm: bool({ default: true, help: "normalize and rectify before pooling" }) },
  build: ({ inputShape: [colors], classes }, { finalNorm }) =>
    sequential({
      conv1: conv3x3(colors, 64),
      ...stages(preactBlock, 64, WIDTHS, BLOCKS),
      ...(finalNorm && { bn: batchNorm(512), relu: reluLayer }),
      pool: globalAverage,
      linear: linear(512, classes),
    }),
});
