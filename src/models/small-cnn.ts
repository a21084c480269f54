import { numbers } from "../core/index.ts";
import { conv2d, flatten, linear, relu, sequential, windowed } from "../nn/index.ts";
import { atLeast, defineModel } from "./definition.ts";

export const smallCnn = defineModel({
  name: "small-cnn",
  summary: "Two strided convolutions and two dense layers; 166,406 parameters on MNIST.",
  source: "Wong and Kolter 2018, Provable defenses via the convex outer adversarial polytope",
  options: {
    channels: numbers({ default: [16, 32], min: 1, max: 4096, help: "channels of the two convolutions" }),
    dense: numbers({ default: [100], min: 1, max: 1e6, help: "units of the hidden dense layer" }),
  },
  build: (task, { channels: [first = 16, second = 32], dense: [hidden = 100] }) => {
    atLeast("small-cnn", task, 4);
    const [colors, height, width] = task.inputShape;
    const halved = (size: number): number => windowed(windowed(size, 4, 2, 1), 4, 2, 1);
    return sequential({
      conv1: conv2d(colors, first, 4, { stride: 2, padding: 1 }),
      relu1: relu,
      conv2: conv2d(first, second, 4, { stride: 2, padding: 1 }),
      relu2: relu,
      flatten,
      fc1: linear(second * halved(height) * halved(width), hidden),
      relu3: relu,
      fc2: linear(hidden, task.classes),
    });
  },
});
