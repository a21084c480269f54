/** A network of sizes that fit nothing: 100 channels, dilations, groups of 25. */
import { defineModel } from "../dist/models/index.js";
import { batchNorm, conv2d, globalAverage, linear, relu, sequential } from "../dist/nn/index.js";

const WIDTH = 100;

export const odd = defineModel({
  name: "odd",
  summary: "Five 3 x 3 convolutions of 100 channels: plain, of dilation 2, in 4 groups, of stride 2.",
  source: "this benchmark",
  options: {},
  build: ({ inputShape: [colors], classes }) => {
    const layer = (inputs, options) => ({
      conv: conv2d(inputs, WIDTH, 3, { padding: 1, bias: false, ...options }),
      norm: batchNorm(WIDTH),
      relu,
    });
    const layers = {
      stem: layer(colors, {}),
      plain: layer(WIDTH, {}),
      dilated: layer(WIDTH, { padding: 2, dilation: 2 }),
      grouped: layer(WIDTH, { groups: 4 }),
      strided: layer(WIDTH, { stride: 2 }),
    };
    return sequential({
      ...Object.fromEntries(Object.entries(layers).map(([name, parts]) => [name, sequential(parts)])),
      pool: globalAverage,
      fc: linear(WIDTH, classes),
    });
  },
});
