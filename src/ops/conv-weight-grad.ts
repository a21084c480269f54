import { formatShape, sizeOf, TemperError } from "../core/index.ts";
import { attr, defineOp, emit, type Inputs, type Shape, type Value } from "../graph/index.ts";
import { conv } from "./conv.ts";
import { convTranspose } from "./conv-transpose.ts";
import { addProduct, unfold } from "./kernels.ts";
import { zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";
import { transpose } from "./transpose.ts";
import { explicit, remainders, resolveWindow, spatialOf, sweepOf, type Window } from "./window.ts";

interface GradAttributes {
  readonly kernel_shape: readonly number[] | undefined;
  readonly strides: readonly number[] | undefined;
  readonly pads: readonly number[] | undefined;
  readonly dilations: readonly number[] | undefined;
  readonly group: number;
}

const gradWindow = (x: Shape, g: Shape, a: GradAttributes): Window => {
  const window = resolveWindow(spatialOf(x), a.kernel_shape ?? [], { ...a, auto_pad: "NOTSET" });
  const fits =
    x[0] === g[0] && window.grid.every((d, i) => d === g[i + 2]) && [x[1]!, g[1]!].every((c) => c % a.group === 0);
  if (!fits || g.length !== x.length)
    throw new TemperError(
      "bad-shape",
      `an output of ${formatShape(g)} does not belong to an input of ${formatShape(x)} under these attributes.`,
    );
  return window;
};

/**
 * Gradient of a convolution by its weights: x [N, C, ...] and the output's cotangent g [N, O, ...] give
 * [O, C / group, ...kernel]. Bilinear. Internal: lowering picks the fastest form for the device.
 */
export const ConvWeightGrad = defineOp({
  name: "ConvWeightGrad",
  domain: "temper",
  arity: [2, 2],
  attributes: {
    kernel_shape: attr.ints(),
    strides: attr.ints(),
    pads: attr.ints(),
    dilations: attr.ints(),
    group: attr.int(1),
  },
  infer: ([x, g], a) => {
    const { kernel } = gradWindow(x.shape, g.shape, a);
    return [{ dtype: x.dtype, shape: [g.shape[1]!, x.shape[1]! / a.group, ...kernel] }];
  },
  vjp: ({ g: w, inputs: [x, g], attributes: a }) => {
    const window = gradWindow(x.shape, g.shape, a),
      options = { ...explicit(window), group: a.group };
    return [
      convTranspose(g, w, undefined, { ...options, output_padding: remainders(window) }),
      conv(x, w, undefined, options),
    ];
  },
  reference: ([x, g], a) => {
    const window = gradWindow(x.shape, g.shape, a),
      sweep = sweepOf(window);
    const [batch, channels] = x.shape as [number, number],
      ins = channels / a.group,
      outs = g.shape[1]! / a.group;
    const area = sizeOf(window.image),
      cells = sizeOf(window.grid),
      depth = ins * sizeOf(window.kernel);
    const out = zeros64([g.shape[1]!, ins, ...window.kernel], x.dtype);
    for (let i = 0; i < batch * a.group; i++) {
      const patches = { data: unfold(x.data, i * ins * area, ins, sweep), at: 0, transposed: true };
      const rows = { data: g.data, at: i * outs * cells };
      addProduct(out.data, (i % a.group) * outs * depth, rows, patches, outs, cells, depth);
    }
    return [out];
  },
  decompose: ({ attributes }, [x, g]: Inputs) => [asConv(x, g, attributes as unknown as GradAttributes)],
});

/**
 * One convolution: the batch becomes the channels that are summed over, g the filter, and strides and dilations change
 * places. Positions past the kernel, which a remainder of the stride leaves, are cut off.
 */
const asConv = (x: Value, g: Value, a: GradAttributes): Value => {
  const { kernel, strides, dilations, begin, end } = gradWindow(x.shape, g.shape, a);
  const [batch, channels, ...image] = x.shape as [number, number, ...number[]],
    ins = channels / a.group;
  const space = image.map((_, i) => i);
  const split = transpose(reshape(x, [batch, a.group, ins, ...image]), [2, 1, 0, ...space.map((i) => i + 3)]);
  const swap = [1, 0, ...space.map((i) => i + 2)];
  const taps = conv(reshape(split, [ins, a.group * batch, ...image]), transpose(g, swap), undefined, {
    strides: dilations,
    dilations: strides,
    pads: [...begin, ...end],
    group: a.group,
  });
  const axes = space.map((i) => i + 2);
  const cut = taps.shape.slice(2).every((d, i) => d === kernel[i])
    ? taps
    : slice(taps, axes.map(() => 0), kernel, axes); // prettier-ignore
  return transpose(cut, swap);
};

/** @param options  attributes of the convolution; `kernel_shape` is needed */
export const convWeightGrad = (
  x: Value,
  g: Value,
  options: {
    readonly kernel_shape: readonly number[];
    readonly strides?: readonly number[];
    readonly pads?: readonly number[];
    readonly dilations?: readonly number[];
    readonly group?: number;
  },
): Value => emit(ConvWeightGrad, [x, g], options);
