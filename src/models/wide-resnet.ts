import { float, int, numbers, TemperError } from "../core/index.ts";
import {
  batchNorm,
  compose,
  conv2d,
  dropout as dropoutLayer,
  globalAverage,
  heNormal,
  type Layer,
  linear,
  pure,
  sequential,
  zeroInit,
} from "../nn/index.ts";
import type { Value } from "../graph/index.ts";
import { add } from "../ops/index.ts";
import { activationOf, activationOptions } from "./activation.ts";
import { defineModel } from "./definition.ts";

const conv = (inputs: number, outputs: number, kernel: number, stride = 1): Layer =>
  conv2d(inputs, outputs, kernel, { stride, padding: (kernel - 1) / 2, bias: false, init: heNormal("out") });

interface Form {
  readonly relu: (x: Value) => Value;
  readonly dropout: number;
}

/**
 * norm-relu-conv-norm-relu-dropout-conv plus a shortcut; where widths differ it is a 1 x 1 convolution of the
 * activation.
 */
const block = (inputs: number, outputs: number, stride: number, { relu, dropout }: Form): Layer => {
  const main = {
    bn1: batchNorm(inputs),
    conv1: conv(inputs, outputs, 3, stride),
    bn2: batchNorm(outputs),
    dropout: dropoutLayer(dropout),
    conv2: conv(outputs, outputs, 3),
  };
  const body = (call: (child: keyof typeof main, x: Value) => Value, active: Value): Value =>
    call("conv2", call("dropout", relu(call("bn2", call("conv1", active)))));
  if (inputs === outputs && stride === 1) return compose(main, (call, x) => add(x, body(call, relu(call("bn1", x)))));
  return compose({ ...main, convShortcut: conv(inputs, outputs, 1, stride) }, (call, x) => {
    const active = relu(call("bn1", x));
    return add(call("convShortcut", active), body(call, active));
  });
};

const stage = (inputs: number, outputs: number, depth: number, stride: number, form: Form): Layer => {
  const blocks = Array.from({ length: depth }, (_, i) =>
    i === 0 ? block(inputs, outputs, stride, form) : block(outputs, outputs, 1, form),
  );
  return sequential({ layer: sequential(Object.fromEntries(blocks.entries())) });
};

export const wideResnet = defineModel({
  name: "wide-resnet",
  summary:
    "Wide pre-activation residual network of three stages; wide-resnet-D-W has D = 6n + 4 layers, W times 16 channels.",
  source: "Zagoruyko and Komodakis 2016; stages of their own depth and width: Huang et al. 2021 (wide-resnet-34-r)",
  options: {
    depths: numbers({ default: [4, 4, 4], min: 1, max: 1000, help: "blocks of each stage" }),
    widths: numbers({ default: [160, 320, 640], min: 1, max: 65_536, help: "channels of each stage" }),
    stem: int({ default: 16, min: 1, max: 65_536, help: "channels of the first convolution" }),
    dropout: float({ default: 0, min: 0, max: 0.99, help: "share dropped between the two convolutions of a block" }),
    ...activationOptions,
  },
  variants: "28-10, 34-r; a depth is 6n + 4",
  variant: (rest) => {
    if (rest === "34-r") return { depths: [5, 5, 5], widths: [320, 640, 512] };
    const [, depth, width] = /^(\d{1,4})-(\d{1,3})$/.exec(rest) ?? [];
    const n = (Number(depth) - 4) / 6;
    if (!width || !Number.isInteger(n) || n < 1 || Number(width) < 1) return undefined;
    return { depths: [n, n, n], widths: [1, 2, 4].map((k) => 16 * k * Number(width)) };
  },
  build: ({ inputShape: [colors], classes }, { depths, widths, stem, dropout, ...chosen }) => {
    if (depths.length !== 3 || widths.length !== 3 || ![...depths, ...widths].every(Number.isInteger))
      throw new TemperError("bad-option", "wide-resnet: depths and widths must be three whole numbers each.");
    const last = widths[2]!,
      form = { relu: activationOf(chosen), dropout };
    return sequential({
      conv1: conv(colors, stem, 3),
      block1: stage(stem, widths[0]!, depths[0]!, 1, form),
      block2: stage(widths[0]!, widths[1]!, depths[1]!, 2, form),
      block3: stage(widths[1]!, last, depths[2]!, 2, form),
      bn1: batchNorm(last),
      relu: pure(form.relu),
      pool: globalAverage,
      fc: linear(last, classes, { biasInit: zeroInit }),
    });
  },
});
