import { float, int, numbers, TemperError } from "../core/index.ts";
import {
  averagePool2d,
  batchNorm,
  compose,
  conv2d,
  dropout as dropoutLayer,
  globalAverage,
  heNormal,
  type Layer,
  linear,
  relu as reluLayer,
  sequential,
} from "../nn/index.ts";
import { concat, relu } from "../ops/index.ts";
import { atLeast, defineModel } from "./definition.ts";

const DEPTHS: Readonly<Record<string, readonly number[]>> = {
  121: [6, 12, 24, 16],
  169: [6, 12, 32, 32],
  201: [6, 12, 48, 32],
};

const conv = (inputs: number, outputs: number, kernel: number): Layer =>
  conv2d(inputs, outputs, kernel, { padding: (kernel - 1) / 2, bias: false, init: heNormal("in") });

/** norm-relu-conv twice, to four times the growth and down to it; the result, with dropout, lies behind the input. */
const denseLayer = (inputs: number, growth: number, dropout: number): Layer =>
  compose(
    {
      norm1: batchNorm(inputs),
      conv1: conv(inputs, 4 * growth, 1),
      norm2: batchNorm(4 * growth),
      conv2: conv(4 * growth, growth, 3),
      dropout: dropoutLayer(dropout),
    },
    (call, x) => {
      const y = call("conv2", relu(call("norm2", call("conv1", relu(call("norm1", x))))));
      return concat([x, call("dropout", y)], 1);
    },
  );

const transition = (inputs: number, outputs: number): Layer =>
  sequential({
    norm: batchNorm(inputs),
    relu: reluLayer,
    conv: conv(inputs, outputs, 1),
    pool: averagePool2d(2),
  });

export const densenet = defineModel({
  name: "densenet",
  summary: "Blocks in which every layer sees what all before it found; densenet-121: 6,956,298 parameters on CIFAR-10.",
  source:
    "Huang et al. 2017 (bottlenecks, compression 1/2), in the form common for CIFAR: 3 x 3 stem without norm and pooling",
  options: {
    depths: numbers({ default: [6, 12, 24, 16], min: 1, max: 1000, help: "layers of each block" }),
    growth: int({ default: 32, min: 1, max: 4096, help: "channels that a layer adds" }),
    dropout: float({
      default: 0,
      min: 0,
      max: 0.99,
      help: "share dropped of what a layer adds; 0.2 in the source without augmentation",
    }),
  },
  variants: "121, 169, 201",
  variant: (rest) => (Object.hasOwn(DEPTHS, rest) ? { depths: DEPTHS[rest] } : undefined),
  build: (task, { depths, growth, dropout }) => {
    if (!depths.every(Number.isInteger)) throw new TemperError("bad-option", "densenet: depths must be whole numbers.");
    atLeast("densenet", task, 2 ** (depths.length - 1));
    let channels = 2 * growth;
    const features: Record<string, Layer> = { conv0: conv(task.inputShape[0], channels, 3) };
    depths.forEach((depth, i) => {
      const layers = Array.from({ length: depth }, (_, j) => denseLayer(channels + j * growth, growth, dropout));
      features[`denseblock${i + 1}`] = sequential(
        Object.fromEntries(layers.map((layer, j) => [`denselayer${j + 1}`, layer])),
      );
      channels += depth * growth;
      if (i === depths.length - 1) return;
      const half = Math.floor(channels / 2);
      features[`transition${i + 1}`] = transition(channels, half);
      channels = half;
    });
    return sequential({
      features: sequential({ ...features, norm5: batchNorm(channels) }),
      relu: reluLayer,
      pool: globalAverage,
      classifier: linear(channels, task.classes),
    });
  },
});
