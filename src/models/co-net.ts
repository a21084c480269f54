import { int } from "../core/index.ts";
import { conv2d, flatten, heNormal, linear, pure, sequential, zeroInit } from "../nn/index.ts";
import { activationOf, activationOptions } from "./activation.ts";
import { defineModel } from "./definition.ts";

export const coNet = defineModel({
  name: "co-net",
  summary:
    "One 3 x 3 convolution and one dense layer, the smallest net on which FGSM training collapses; 31,410 parameters on MNIST.",
  source:
    "Andriushchenko and Flammarion 2020, Understanding and Improving Fast Adversarial Training: a single-layer CNN with 4 filters",
  options: {
    filters: int({ default: 4, min: 1, max: 65_536, help: "channels of the convolution" }),
    ...activationOptions,
  },
  build: ({ inputShape: [colors, height, width], classes }, { filters, ...chosen }) =>
    sequential({
      conv: conv2d(colors, filters, 3, { padding: 1, init: heNormal("out"), biasInit: zeroInit }),
      relu: pure(activationOf(chosen)),
      flatten,
      fc: linear(filters * height * width, classes, { init: heNormal("in"), biasInit: zeroInit }),
    }),
});
