import { int, TemperError } from "../core/index.ts";
import {
  batchNorm,
  compose,
  conv2d,
  convTranspose2d,
  globalAverage,
  type Layer,
  maxPool2d,
  relu,
  sequential,
} from "../nn/index.ts";
import { concat } from "../ops/index.ts";
import { defineModel } from "./definition.ts";

const conv = (inputs: number, outputs: number): Layer => conv2d(inputs, outputs, 3, { padding: 1, bias: false });
const doubleConv = (inputs: number, outputs: number): Layer =>
  sequential({
    double_conv: sequential({
      0: conv(inputs, outputs),
      1: batchNorm(outputs),
      2: relu,
      3: conv(outputs, outputs),
      4: batchNorm(outputs),
      5: relu,
    }),
  });

export const unet = defineModel({
  name: "unet",
  summary:
    "Encoder and decoder with skip connections; logits are the means of the class maps; 31,037,698 parameters for two classes.",
  source:
    "Ronneberger et al. 2015, with padding and batch norm as widely used for Carvana. As a classifier: the mean of each map",
  options: {
    width: int({ default: 64, min: 1, max: 4096, help: "channels at full size; each level doubles them" }),
    levels: int({ default: 4, min: 1, max: 8, help: "times that the image is halved" }),
  },
  build: ({ inputShape: [colors, high, wide], classes }, { width, levels }) => {
    const multiple = 2 ** levels;
    if (high % multiple !== 0 || wide % multiple !== 0)
      throw new TemperError(
        "bad-option",
        `unet: ${levels} levels want image sides that ${multiple} divides, got ${high} x ${wide}.`,
      );
    const at = (level: number): number => width * 2 ** level;
    const layers: Record<string, Layer> = { inc: doubleConv(colors, width) };
    for (let i = 1; i <= levels; i++)
      layers[`down${i}`] = sequential({
        maxpool_conv: sequential({ 0: maxPool2d(2), 1: doubleConv(at(i - 1), at(i)) }),
      });
    const ups = Array.from({ length: levels }, (_, i) => levels - i); // deepest first
    ups.forEach((level, i) => {
      layers[`up${i + 1}.up`] = convTranspose2d(at(level), at(level - 1), 2);
      layers[`up${i + 1}.conv`] = doubleConv(at(level), at(level - 1));
    });
    layers["outc"] = sequential({ conv: conv2d(width, classes, 1) });
    layers["pool"] = globalAverage;
    return compose(layers, (call, x) => {
      const skips = [call("inc", x)];
      for (let i = 1; i <= levels; i++) skips.push(call(`down${i}`, skips.at(-1)!));
      const top = ups.reduce(
        (y, level, i) => call(`up${i + 1}.conv`, concat([skips[level - 1]!, call(`up${i + 1}.up`, y)], 1)),
        skips[levels]!,
      );
      return call("pool", call("outc", top));
    });
  },
});
