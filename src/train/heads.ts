import { stopGradient } from "../autodiff/index.ts";
import { TemperError } from "../core/index.ts";
import { input, type Value } from "../graph/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import type { Layer, Weights } from "../nn/index.ts";

/** Layers beside a network's own last one: they read the same features [N, width], and are trained with it. */
export type Heads = Readonly<Record<string, (width: number) => Layer>>;

const PRODUCTS: ReadonlySet<string> = new Set(["Gemm", "MatMul"]);

/** What the last dense layer reads, [N, width], where scores come out of one. @throws TemperError `unsupported` */
export const featuresOf = (scores: Value): Value => {
  let at: Value | undefined = scores,
    held = false;
  for (; at; at = at.node.inputs[0]) {
    if (at.node.op.name === "StopGradient") held = true;
    if (!PRODUCTS.has(at.node.op.name)) continue;
    const features = at.node.inputs[0]!;
    return held ? stopGradient(features) : features;
  }
  throw new TemperError("unsupported", "A further head needs a network whose scores come out of a dense layer.");
};

const nameOf = (head: string, parameter: string): string => `heads.${head}.${parameter}`;

/** The network with the parameters of further heads, which its scores do not depend on. */
export const withHeads = (model: ModelDefinition, heads: Heads): ModelDefinition => {
  if (Object.keys(heads).length === 0) return model;
  const specs = Object.entries({ ...model.parameters, ...model.buffers }),
    weights = Object.fromEntries(specs.map(([name, { shape }]) => [name, input(name, "float32", shape)])),
    x = input("x", "float32", [1, ...model.inputShape]),
    width = featuresOf(model.apply(weights, x, { training: false }).y).shape.at(-1)!;
  const added = Object.entries(heads).flatMap(([head, build]) =>
    Object.entries(build(width).parameters).map(([name, spec]) => [nameOf(head, name), spec] as const),
  );
  return { ...model, parameters: { ...model.parameters, ...Object.fromEntries(added) } };
};

/** Scores [N, K] of a head on features. */
export const applyHead = (heads: Heads, head: string, weights: Weights, features: Value): Value => {
  const layer = heads[head]!(features.shape.at(-1)!),
    own = Object.keys(layer.parameters).map((name) => [name, weights[nameOf(head, name)]!] as const);
  return layer.apply(Object.fromEntries(own), features, { training: true }).y;
};
