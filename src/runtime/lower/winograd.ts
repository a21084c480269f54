import { sameShape } from "../../core/index.ts";
import {
  constant,
  constantOf,
  emitAll,
  type Graph,
  graphNodes,
  intsOf,
  type Node,
  rewrite,
  simplifyAlgebra,
  type Value,
} from "../../graph/index.ts";
import {
  BatchNormalization,
  Conv,
  ConvTranspose,
  ConvWeightGrad,
  Div,
  gather,
  globalAveragePool,
  GlobalAveragePool,
  reduceMean,
  ReduceMean,
  reduceSum,
  ReduceSum,
  Sub,
} from "../../ops/index.ts";
import { all, convForm } from "./conv-form.ts";
import { isElementwise, isScalar } from "./elementwise.ts";
import {
  countTiles,
  type Image,
  imageMajor,
  isWhole,
  pixelMajor,
  PIXELS,
  pixelsWithin,
  type Tiling,
} from "./pixel-major.ts";
import { backwardKernelOf, convolve, kernelOf, TAPS, weightGrad } from "./winograd-products.ts";

/** Fewer channels: transforms cost more than the products they save, on most machines (engine measurements). */
export const MIN_CHANNELS = 64;
/** Products a pixel where tiles cover the image and nothing else; the direct form has 9. */
const LEAST_PRODUCTS = TAPS / PIXELS;
/**
 * Where tiles reach beyond the image there are more: then it takes as many times the channels, to this power, to gain
 * from them. Constant weights have a faster direct form, and less around them stays pixel-major (112 channels, 28x28
 * to 33x33: measured).
 */
const POWER = { fed: 2, constant: 4 };
/** Products a pixel, at most: images of 2 x 2 would have as many as the direct form. */
const MOST_PRODUCTS = 7;
/** Output pixels of the batch: fewer do not pay for the transform of the weights. */
const MIN_POSITIONS = 512;

type Inputs = readonly (Value | undefined)[];

/**
 * 3x3 convolutions of stride 1 with many channels, and their gradients, by Winograd's F(4x4, 3x3): 36 products for 16
 * pixels where the direct form takes 144, at about ten times its rounding error (2e-6 relative a layer). They work
 * pixel-major: the pixels of an image, tile by tile, come first and the batch last, [pixels, C, 1, N] in blocks, so that
 * every transform is one matrix product over long rows, and the products are one grouped convolution of size 1x1.
 * Operators between them that work element by element or a channel stay in that layout; other values are converted
 * where they are needed.
 *
 * For batches of 16 and more: the layout's inner axis is the batch.
 * @param block  channels a block holds, on the machine that runs the graph
 * @param minChannels  convolutions with fewer, into or out of them, stay direct
 */
export const winogradConvs =
  (block: number, minChannels: number) =>
  (given: Graph): Graph => {
    const graph = simplifyAlgebra(given),
      early = convertedEarly(graph, (node, inputs) => kindOf(node, inputs, block, minChannels));
    const twins = new Map<Value, Value>(); // values that exist pixel-major too
    const twinOf = (value: Value): Value => {
      const found = twins.get(value) ?? pixelMajor(value, block);
      twins.set(value, found);
      return found;
    };
    const both = (twin: Value, image: Image): readonly Value[] => {
      const value = imageMajor(twin, image, block);
      twins.set(value, twin);
      return [value];
    };
    return rewrite(graph, (node, inputs) => {
      const [x, second, bias] = inputs;
      inputs.forEach((v, i) => v && early.has(node.inputs[i]!) && twinOf(v));
      switch (kindOf(node, inputs, block, minChannels)) {
        case "forward":
          return both(convolve(twinOf(x!), kernelOf(second!, block), bias, tilingOf(node, x!)), imageOf(x!));
        case "data":
          return both(
            convolve(twinOf(x!), backwardKernelOf(second!, block), undefined, tilingOf(node, x!)),
            imageOf(x!),
          );
        case "weights":
          return [weightGrad(twinOf(x!), twinOf(second!), tilingOf(node, x!), block)];
        default:
      }
      const reduced = overAll(node, inputs, twins);
      if (reduced) return [reduced];
      if (!stays(node, inputs, twins)) return undefined;
      const image = node.outputs[0]!.shape.slice(2) as unknown as Image;
      const moved = inputs.map((v, i) => (v && (i === 0 || isElementwise(node)) && !isPerChannel(v) ? twinOf(v) : v));
      return both(emitAll(node.op, moved, node.attributes, node.name)[0]!, image);
    });
  };

const imageOf = (x: Value): Image => x.shape.slice(2) as unknown as Image;
const tilingOf = (node: Node, x: Value): Tiling => ({
  image: imageOf(x),
  dilations: convForm(node, 2)!.dilations as Image,
});

/** What a node computes of a 3x3 convolution that Winograd's algorithm does better. */
const kindOf = (node: Node, [x, second, bias]: Inputs, block: number, minChannels: number): Kind | undefined => {
  const kind = KINDS.get(node.op);
  if (!kind || x?.shape.length !== 4 || x.dtype !== "float32" || !second) return undefined;
  const w = kind === "weights" ? node.outputs[0]! : second,
    [outs, ins, ...kernel] = w.shape as [number, number, ...number[]],
    form = convForm(node, 2);
  const [batch] = x.shape as [number],
    image = imageOf(x),
    bound = kind !== "weights" && constantOf(w);
  if (outs % block > 0 || ins % block > 0 || !all(kernel, 3)) return undefined;
  if (form?.group !== 1 || !all(form.strides, 1) || form.pads.some((p, i) => p !== form.dilations[i % 2]))
    return undefined;
  if (!all(form.outputPadding, 0) || (bias && kind !== "forward")) return undefined;
  const tiles = countTiles(tilingOf(node, x)),
    products = (tiles * TAPS) / (image[0] * image[1]);
  const wanted = minChannels * (products / LEAST_PRODUCTS) ** (bound ? POWER.constant : POWER.fed);
  if (products > MOST_PRODUCTS || Math.min(outs, ins) < wanted) return undefined;
  return bound || (batch >= block && batch * tiles * PIXELS >= MIN_POSITIONS) ? kind : undefined;
};
type Kind = "forward" | "data" | "weights";
const KINDS = new Map<unknown, Kind>([
  [Conv, "forward"],
  [ConvTranspose, "data"],
  [ConvWeightGrad, "weights"],
]);

/**
 * Inputs of batch norms, and what these are the deviations of, that no operator of this layout makes: they are
 * converted, not what is made of them. Training reads them several times.
 */
const convertedEarly = (graph: Graph, kindIn: (node: Node, inputs: Inputs) => Kind | undefined): ReadonlySet<Value> => {
  const wanted = new Set<Value>(),
    normalized = new Set<Value>(),
    made = new Set<Node>();
  const want = (v: Value | undefined): void => void (v && isImage(v) && wanted.add(v));
  for (const node of graphNodes(graph).toReversed()) {
    const kind = kindIn(node, node.inputs);
    const through = (isElementwise(node) || node.op === BatchNormalization) && wanted.has(node.outputs[0]!);
    if (kind || through) node.inputs.slice(0, kind && kind !== "weights" ? 1 : undefined).forEach(want);
    const centres = node.op === Sub && normalized.has(node.outputs[0]!);
    if (through && (node.op === BatchNormalization || centres)) normalized.add(node.inputs[0]!);
    if (kind || through) made.add(node);
  }
  return new Set([...normalized].filter((v) => wanted.has(v) && !made.has(v.node)));
};
const isImage = ({ shape }: Value): boolean => shape.length === 4 && shape[2]! > 1;

/** Mean, or sum, of each channel over examples and pixels: of the twin over the same axes. */
const overAll = (node: Node, [x, list]: Inputs, twins: ReadonlyMap<Value, Value>): Value | undefined => {
  const axes = intsOf(list)?.join(),
    keep = node.attributes["keepdims"] === 1;
  const summed = node.op === ReduceSum && axes === "0,2,3" && x ? twins.get(x) : undefined;
  if (summed && isWhole(imageOf(x!))) return reduceSum(summed, [0, 2, 3], keep);
  const image =
      node.op === ReduceMean && axes === "0" && x?.node.op === GlobalAveragePool ? x.node.inputs[0] : undefined,
    averaged = image && twins.get(image);
  if (!averaged || averaged.shape[3]! < 0) return undefined; // the batch is an axis of its image
  return reduceMean(withinImage(globalAveragePool(averaged), imageOf(image)), [0], keep);
};

/** Numbers a pixel, without those of pixels beyond the image. */
const withinImage = (x: Value, image: Image): Value =>
  isWhole(image) ? x : gather(x, constant(pixelsWithin(image)), 0);

/** One number, or one a channel: the same for both layouts. */
const isPerChannel = (v: Value): boolean =>
  isScalar(v) || (v.shape.at(-1) === 1 && v.shape.at(-2) === 1 && (v.shape.length === 3 || v.shape[0] === 1));

/** Whether a node works on the twins of its inputs: one exists, the others can be made. */
const stays = (node: Node, inputs: Inputs, twins: ReadonlyMap<Value, Value>): boolean => {
  if (node.op === BatchNormalization) return twins.has(inputs[0]!);
  if (!isElementwise(node)) return false;
  const { shape } = node.outputs[0]!;
  if (node.op === Div && !isWhole(imageOf(node.outputs[0]!))) return false; // by zeros, beyond the image
  const given = inputs.filter((v): v is Value => v !== undefined && !isPerChannel(v));
  return (
    given.some((v) => twins.has(v)) &&
    given.every((v) => {
      const pixel = sameShape(v.shape, shape) || (v.shape.length === 4 && v.shape[2] === 1 && v.shape[3] === 1);
      return pixel && v.dtype === "float32" && v.shape[0] === shape[0] && v.shape[1] === shape[1];
    })
  );
};
