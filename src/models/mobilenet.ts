import { float } from "../core/index.ts";
import {
  batchNorm,
  compose,
  conv2d,
  dropout as dropoutLayer,
  globalAverage,
  heNormal,
  type Layer,
  linear,
  normalInit,
  relu6,
  sequential,
  zeroInit,
} from "../nn/index.ts";
import { add } from "../ops/index.ts";
import { defineModel } from "./definition.ts";

interface ConvOptions {
  readonly stride?: number;
  readonly groups?: number;
}
const conv = (inputs: number, outputs: number, kernel: number, options: ConvOptions = {}): Layer =>
  conv2d(inputs, outputs, kernel, { ...options, padding: (kernel - 1) / 2, bias: false, init: heNormal("out") });
const convNorm = (inputs: number, outputs: number, kernel: number, options?: ConvOptions): Layer =>
  sequential({ 0: conv(inputs, outputs, kernel, options), 1: batchNorm(outputs), 2: relu6 });

/** 1 x 1 up, 3 x 3 channel by channel, 1 x 1 down without activation; the input is added where the shape is the same. */
const block = (inputs: number, outputs: number, stride: number, expansion: number): Layer => {
  const hidden = inputs * expansion;
  const layers = [
    ...(expansion === 1 ? [] : [convNorm(inputs, hidden, 1)]),
    convNorm(hidden, hidden, 3, { stride, groups: hidden }),
    conv(hidden, outputs, 1),
    batchNorm(outputs),
  ];
  const body = { conv: sequential(Object.fromEntries(layers.entries())) };
  return stride === 1 && inputs === outputs ? compose(body, (call, x) => add(x, call("conv", x))) : sequential(body);
};

/** Expansion, channels, blocks, stride of the first block. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 1],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** A multiple of 8, at least 8 and nine tenths of what was asked. */
const eighths = (channels: number): number => {
  const near = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return near < 0.9 * channels ? near + 8 : near;
};

export const mobilenetV2 = defineModel({
  name: "mobilenet-v2",
  summary: "Inverted residual blocks with depthwise convolutions; 2,236,682 parameters on CIFAR-10.",
  source: "Sandler et al. 2018; for small images the stem and the second stage do not halve them",
  options: {
    width: float({ default: 1, min: 0.05, max: 16, help: "factor of all channel counts" }),
    dropout: float({ default: 0, min: 0, max: 0.99, help: "share dropped before the dense layer; 0.2 in the source" }),
  },
  build: ({ inputShape: [colors], classes }, { width, dropout }) => {
    let channels = eighths(32 * width);
    const layers = [convNorm(colors, channels, 3)];
    for (const [expansion, outputs, count, stride] of STAGES)
      for (let i = 0; i < count; i++) {
        const wide = eighths(outputs * width);
        layers.push(block(channels, wide, i === 0 ? stride : 1, expansion));
        channels = wide;
      }
    const last = eighths(1280 * Math.max(1, width));
    layers.push(convNorm(channels, last, 1));
    return sequential({
      features: sequential(Object.fromEntries(layers.entries())),
      pool: globalAverage,
      classifier: sequential({
        0: dropoutLayer(dropout),
        1: linear(last, classes, { init: normalInit(0.01), biasInit: zeroInit }),
      }),
    });
  },
});
