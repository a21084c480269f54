import { TemperError } from "../core/index.ts";
import { add, gelu, matmul, reshape, scale, softmax, split, swapLast, transpose } from "../ops/index.ts";
import { dropout as dropoutLayer } from "./dropout.ts";
import { normalInit, zeroInit } from "./init.ts";
import { compose, type Layer } from "./layer.ts";
import { layerNorm } from "./layer-norm.ts";
import { linear } from "./linear.ts";

/** A dense layer as vision transformers start it. */
const dense = (inputs: number, outputs: number): Layer =>
  linear(inputs, outputs, { init: normalInit(0.02), biasInit: zeroInit });

/**
 * Multi-head self-attention; x [n, tokens, width]. `qkv` gives queries, keys and values of all heads, `proj` joins what
 * the heads found. Source: Vaswani et al. 2017; names of weights as in timm.
 * @throws TemperError `bad-option` where the heads do not divide the width
 */
export const selfAttention = (width: number, heads: number): Layer => {
  if (!Number.isInteger(width / heads))
    throw new TemperError("bad-option", `attention: heads must divide the width ${width}, got ${heads}.`);
  return compose({ qkv: dense(width, 3 * width), proj: dense(width, width) }, (call, x) => {
    const [n, tokens] = x.shape,
      size = width / heads;
    const all = transpose(reshape(call("qkv", x), [n!, tokens!, 3 * heads, size]), [0, 2, 1, 3]);
    const [q, k, v] = split(all, [heads, heads, heads], 1) as [typeof x, typeof x, typeof x]; // [n, heads, tokens, size]
    const weights = softmax(matmul(scale(q, 1 / Math.sqrt(size)), swapLast(k)));
    return call("proj", reshape(transpose(matmul(weights, v), [0, 2, 1, 3]), x.shape));
  });
};

/**
 * A transformer's block with normalization in front: attention, then two dense layers with GELU between them, each added
 * to what came in; x [n, tokens, width]. Source: Dosovitskiy et al. 2021; names of weights as in timm.
 *
 * @param dropout  share dropped behind every dense layer but those of queries, keys and values
 */
export const transformerBlock = (width: number, heads: number, hidden = 4 * width, dropout = 0): Layer => {
  const drop = dropoutLayer(dropout);
  const mlp = compose({ fc1: dense(width, hidden), drop1: drop, fc2: dense(hidden, width), drop2: drop }, (call, x) =>
    call("drop2", call("fc2", call("drop1", gelu(call("fc1", x))))),
  );
  const norm = (): Layer => layerNorm(width, { epsilon: 1e-6 });
  return compose({ norm1: norm(), attn: selfAttention(width, heads), drop, norm2: norm(), mlp }, (call, x) => {
    const attended = add(x, call("drop", call("attn", call("norm1", x))));
    return add(attended, call("mlp", call("norm2", attended)));
  });
};
