import { float, int, TemperError } from "../core/index.ts";
import {
  compose,
  conv2d,
  dropout as dropoutLayer,
  type Layer,
  layerNorm,
  linear,
  normalInit,
  sequential,
  transformerBlock,
} from "../nn/index.ts";
import { add, pad, reshape, slice, transpose } from "../ops/index.ts";
import { defineModel } from "./definition.ts";

/** The image in squares, each as one token: [n, c, h, w] -> [n, h w / patch², width]. */
const patchEmbedding = (colors: number, width: number, patch: number): Layer =>
  compose({ proj: conv2d(colors, width, patch, { stride: patch }) }, (call, x) => {
    const y = call("proj", x);
    return transpose(reshape(y, [y.shape[0]!, width, y.shape[2]! * y.shape[3]!]), [0, 2, 1]);
  });

/** A learned token in front of the others, and learned positions added: [n, tokens, width] -> [n, tokens + 1, width]. */
const classToken = (tokens: number, width: number): Layer => ({
  parameters: {
    cls_token: { shape: [1, 1, width], role: "bias", init: normalInit(1e-6) },
    pos_embed: { shape: [1, tokens + 1, width], role: "bias", init: normalInit(0.02) },
  },
  buffers: {},
  apply: (weights, x) => {
    const first = pad(weights["cls_token"]!, [0, 0, 0, 0, tokens, 0]); // with zeros where x has its tokens
    return { y: add(pad(x, [0, 1, 0, 0, 0, 0]), add(first, weights["pos_embed"]!)), updates: {} };
  },
});

export const vit = defineModel({
  name: "vit",
  summary:
    "Vision transformer: image patches as tokens, a class token read at the end; 5,362,762 parameters on CIFAR-10.",
  source: "Dosovitskiy et al. 2021, in the tiny size of Touvron et al. 2021; names of weights as in timm",
  options: {
    patch: int({ default: 4, min: 1, max: 256, help: "side of a patch in pixels" }),
    width: int({ default: 192, min: 1, max: 65_536, help: "numbers that stand for a token" }),
    depth: int({ default: 12, min: 1, max: 1000, help: "blocks" }),
    heads: int({ default: 3, min: 1, max: 1024, help: "attention heads; they divide the width" }),
    hidden: int({
      default: 4,
      min: 1,
      max: 64,
      help: "units of a block's hidden dense layer, as a multiple of the width",
    }),
    dropout: float({ default: 0, min: 0, max: 0.99, help: "share dropped of embeddings and behind dense layers" }),
  },
  build: ({ inputShape: [colors, high, wide], classes }, { patch, width, depth, heads, hidden, dropout }) => {
    if (high % patch !== 0 || wide % patch !== 0)
      throw new TemperError("bad-option", `vit: patches of ${patch} do not tile images of ${high} x ${wide}.`);
    const blocks = Array.from({ length: depth }, () => transformerBlock(width, heads, hidden * width, dropout));
    return compose(
      {
        tokens: classToken((high / patch) * (wide / patch), width),
        patch_embed: patchEmbedding(colors, width, patch),
        pos_drop: dropoutLayer(dropout),
        blocks: sequential(Object.fromEntries(blocks.entries())),
        norm: layerNorm(width, { epsilon: 1e-6 }),
        head: linear(width, classes),
      },
      (call, x) => {
        const y = call("blocks", call("pos_drop", call("tokens", call("patch_embed", x))));
        return call("head", call("norm", reshape(slice(y, [0], [1], [1]), [y.shape[0]!, width])));
      },
    );
  },
});
