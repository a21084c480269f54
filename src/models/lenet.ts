import { float, numbers, TemperError } from "../core/index.ts";
import {
  conv2d,
  dropout as dropoutLayer,
  flatten,
  type Layer,
  linear,
  maxPool2d,
  relu,
  sequential,
  windowed,
} from "../nn/index.ts";
import { atLeast, defineModel } from "./definition.ts";

export const lenet = defineModel({
  name: "lenet",
  summary: "Two 5 x 5 convolutions with max pooling, then dense layers; 61,706 parameters on MNIST.",
  source:
    "LeCun et al. 1998 with ReLU and max pooling. Channels 20,50, padding 0,0, dense 500: the Caffe form (431,080); 32,64, padding 2,2, dense 1024: Madry et al. 2018 (3,274,634)",
  options: {
    channels: numbers({ default: [6, 16], min: 1, max: 4096, help: "channels of the two convolutions" }),
    padding: numbers({ default: [2, 0], min: 0, max: 2, help: "zeros around the input of each convolution" }),
    dense: numbers({ default: [120, 84], min: 1, max: 1e6, help: "units of the hidden dense layers" }),
    dropout: float({ default: 0, min: 0, max: 0.99, help: "share dropped behind the hidden dense layers" }),
  },
  build: (task, { channels, padding, dense, dropout }) => {
    if (channels.length !== 2 || padding.length !== 2 || ![...channels, ...padding, ...dense].every(Number.isInteger))
      throw new TemperError(
        "bad-option",
        "lenet: wants two channels, two paddings and dense sizes, all whole numbers.",
      );
    atLeast("lenet", task, 16);
    const [colors, height, width] = task.inputShape;
    const after = (size: number): number => padding.reduce((s, p) => Math.floor(windowed(s, 5, 1, p) / 2), size);
    const layers: Record<string, Layer> = {
      conv1: conv2d(colors, channels[0]!, 5, { padding: padding[0]! }),
      relu1: relu,
      pool1: maxPool2d(2),
      conv2: conv2d(channels[0]!, channels[1]!, 5, { padding: padding[1]! }),
      relu2: relu,
      pool2: maxPool2d(2),
      flatten,
    };
    const widths = [channels[1]! * after(height) * after(width), ...dense, task.classes];
    widths.slice(1).forEach((units, i) => {
      layers[`fc${i + 1}`] = linear(widths[i]!, units);
      if (i === dense.length) return;
      layers[`relu${i + 3}`] = relu;
      layers[`dropout${i + 1}`] = dropoutLayer(dropout);
    });
    return sequential(layers);
  },
});
