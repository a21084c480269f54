import { numbers, TemperError } from "../core/index.ts";
import {
  batchNorm,
  conv2d,
  globalAverage,
  heNormal,
  type Layer,
  linear,
  maxPool2d,
  relu,
  sequential,
} from "../nn/index.ts";
import { atLeast, defineModel } from "./definition.ts";

/** Convolutions of each stage by the number of layers that the name counts. */
const DEPTHS: Readonly<Record<string, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

export const vgg = defineModel({
  name: "vgg",
  summary:
    "Stages of 3 x 3 convolutions with batch norm, each halved by max pooling; vgg-16: 14,728,266 parameters on CIFAR-10.",
  source:
    "Simonyan and Zisserman 2015, in the form common for CIFAR: batch norm (Ioffe and Szegedy 2015), one dense layer in place of three",
  options: {
    depths: numbers({ default: [2, 2, 3, 3, 3], min: 1, max: 1000, help: "convolutions of each stage" }),
    widths: numbers({ default: [64, 128, 256, 512, 512], min: 1, max: 65_536, help: "channels of each stage" }),
  },
  variants: "11, 13, 16, 19",
  variant: (rest) => (Object.hasOwn(DEPTHS, rest) ? { depths: DEPTHS[rest] } : undefined),
  build: (task, { depths, widths }) => {
    if (depths.length !== widths.length || ![...depths, ...widths].every(Number.isInteger))
      throw new TemperError("bad-option", "vgg: depths and widths must be as many whole numbers.");
    atLeast("vgg", task, 2 ** depths.length);
    const layers: Layer[] = [];
    let channels: number = task.inputShape[0];
    depths.forEach((depth, stage) => {
      for (let i = 0; i < depth; i++) {
        const width = widths[stage]!;
        layers.push(conv2d(channels, width, 3, { padding: 1, init: heNormal("out") }), batchNorm(width), relu);
        channels = width;
      }
      layers.push(maxPool2d(2));
    });
    return sequential({
      features: sequential(Object.fromEntries(layers.entries())),
      pool: globalAverage,
      classifier: linear(channels, task.classes),
    });
  },
});
