import { int, numbers } from "../core/index.ts";
import { conv2d, flatten, linear, pure, sequential, windowed } from "../nn/index.ts";
import { activationOf, activationOptions } from "./activation.ts";
import { atLeast, defineModel } from "./definition.ts";

/** Kernel, stride and padding of a convolution. */
type Window = readonly [kernel: number, stride: number, padding: number];
/** The two convolutions by the stride of the first; together they always go 4 to 1. */
const WINDOWS: Readonly<Record<number, readonly [Window, Window]>> = {
  1: [
    [3, 1, 1],
    [4, 4, 0],
  ],
  2: [
    [4, 2, 1],
    [4, 2, 1],
  ],
};

export const smallCnn = defineModel({
  name: "small-cnn",
  summary: "Two strided convolutions and two dense layers; 166,406 parameters on MNIST.",
  source: "Wong and Kolter 2018, Provable defenses via the convex outer adversarial polytope",
  options: {
    channels: numbers({ default: [16, 32], min: 1, max: 4096, help: "channels of the two convolutions" }),
    dense: numbers({ default: [100], min: 1, max: 1e6, help: "units of the hidden dense layer" }),
    stemStride: int({
      default: 2,
      min: 1,
      max: 2,
      help: "stride of the first convolution; 1: it is 3 x 3, and the second strides by 4",
    }),
    ...activationOptions,
  },
  build: (task, { channels: [first = 16, second = 32], dense: [hidden = 100], stemStride, ...chosen }) => {
    atLeast("small-cnn", task, 4);
    const [colors, height, width] = task.inputShape;
    const [stem, next] = WINDOWS[stemStride]!,
      relu = pure(activationOf(chosen));
    const shrunk = (size: number): number => windowed(windowed(size, ...stem), ...next);
    const conv = (inputs: number, outputs: number, [kernel, stride, padding]: Window) =>
      conv2d(inputs, outputs, kernel, { stride, padding });
    return sequential({
      conv1: conv(colors, first, stem),
      relu1: relu,
      conv2: conv(first, second, next),
      relu2: relu,
      flatten,
      fc1: linear(second * shrunk(height) * shrunk(width), hidden),
      relu3: relu,
      fc2: linear(hidden, task.classes),
    });
  },
});
