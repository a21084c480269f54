import type { OpName } from "temper/ops";
import { distinct, fixed, floats, integers, ints, offZero, type Sample, uniform } from "./sample.ts";

/** Flat positions of the maxima of 2 x 2 tiles in [2, 2, 4, 6], one a tile, not the same cell everywhere. */
const tilePositions = Array.from({ length: 2 * 2 * 2 * 3 }, (_, i) => {
  const [plane, row, column] = [Math.floor(i / 6), Math.floor(i / 3) % 2, i % 3];
  const [dy, dx] = [i % 2, Math.floor(i / 2) % 2];
  return plane * 24 + (2 * row + dy!) * 6 + 2 * column + dx!;
});

/** Weights of a recurrent network: W [1, 4 units, inputs] and R [1, 4 units, units]. */
const recurrent = (inputs: number, units: number) => [offZero(1, 4 * units, inputs), offZero(1, 4 * units, units)];

/** Samples of group B: convolution, pooling, normalization, products, resizing. */
export const samplesB = {
  MatMul: [
    { label: "matrices", inputs: [offZero(3, 4), offZero(4, 2)], symbolic: [0, null] },
    { label: "vectors", inputs: [offZero(4), offZero(4)] },
    { label: "vector on the left", inputs: [offZero(4), offZero(2, 4, 3)], symbolic: [null, 0] },
    { label: "vector on the right", inputs: [offZero(2, 3, 4), offZero(4)], symbolic: [0, null] },
    { label: "stack times matrix", inputs: [offZero(2, 3, 4), offZero(4, 5)], symbolic: [0, null] },
    { label: "matrix times stack", inputs: [offZero(5, 3), offZero(2, 3, 4)], symbolic: [null, 0] },
    { label: "stacks", inputs: [offZero(2, 3, 2, 4), offZero(2, 3, 4, 5)], symbolic: true },
    { label: "broadcast stacks", inputs: [offZero(2, 1, 2, 4), offZero(3, 4, 5)], symbolic: [0, null] },
    { label: "sum over the batch", inputs: [offZero(3, 4), offZero(4, 2)], symbolic: [1, 0] },
  ],
  Gemm: [
    { label: "plain", inputs: [offZero(3, 4), offZero(4, 2)], symbolic: [0, null] },
    { label: "bias", inputs: [offZero(3, 4), offZero(4, 2), offZero(2)], symbolic: [0, null, null] },
    {
      label: "factors, right transposed",
      inputs: [offZero(3, 4), offZero(2, 4), offZero(3, 1)],
      attributes: { alpha: 0.5, beta: -2, transB: 1 },
      symbolic: [0, null, 0],
    },
    {
      label: "left transposed",
      inputs: [offZero(4, 3), offZero(4, 2), offZero()],
      attributes: { alpha: 1.5, transA: 1 },
      symbolic: [1, null, null],
    },
    {
      label: "both transposed",
      inputs: [offZero(4, 3), offZero(2, 4), offZero(1, 2)],
      attributes: { beta: 0.25, transA: 1, transB: 1 },
      symbolic: [1, null, null],
    },
  ],
  Conv: [
    { label: "plain", inputs: [offZero(2, 3, 5, 6), offZero(4, 3, 3, 3)], symbolic: [0, null] },
    {
      label: "pads, bias",
      inputs: [offZero(2, 2, 5, 5), offZero(3, 2, 3, 3), offZero(3)],
      attributes: { pads: [1, 1, 1, 1], kernel_shape: [3, 3] },
      symbolic: [0, null, null],
    },
    {
      label: "strides that leave a rest, uneven pads",
      inputs: [offZero(2, 2, 8, 7), offZero(3, 2, 3, 2), offZero(3)],
      attributes: { strides: [2, 3], pads: [0, 1, 1, 0] },
      symbolic: [0, null, null],
    },
    {
      label: "dilations",
      inputs: [offZero(2, 2, 9, 8), offZero(2, 2, 3, 2)],
      attributes: { dilations: [2, 3], pads: [1, 2, 2, 1], strides: [2, 1] },
      symbolic: [0, null],
    },
    {
      label: "groups",
      inputs: [offZero(2, 4, 5, 5), offZero(6, 2, 3, 3), offZero(6)],
      attributes: { group: 2, pads: [1, 1, 1, 1], strides: [2, 2] },
      symbolic: [0, null, null],
    },
    {
      label: "depthwise",
      inputs: [offZero(2, 3, 6, 6), offZero(3, 1, 3, 3)],
      attributes: { group: 3, auto_pad: "SAME_UPPER" },
      symbolic: [0, null],
    },
    {
      label: "same, odd one behind",
      inputs: [offZero(1, 2, 6, 7), offZero(2, 2, 4, 3)],
      attributes: { auto_pad: "SAME_UPPER", strides: [1, 2] },
    },
    {
      label: "same, odd one in front",
      inputs: [offZero(1, 2, 6, 7), offZero(2, 2, 4, 2)],
      attributes: { auto_pad: "SAME_LOWER", strides: [2, 2] },
    },
    {
      label: "valid ignores pads",
      inputs: [offZero(1, 2, 5, 5), offZero(2, 2, 2, 2)],
      attributes: { auto_pad: "VALID", strides: [3, 2] },
    },
    {
      label: "pointwise, strided",
      inputs: [offZero(2, 3, 5, 4), offZero(4, 3, 1, 1)],
      attributes: { strides: [2, 2] },
    },
    {
      label: "kernel smaller than stride",
      inputs: [offZero(1, 2, 9, 9), offZero(2, 2, 2, 2)],
      attributes: { strides: [4, 4] },
    },
    {
      label: "pads wider than the kernel",
      inputs: [offZero(1, 1, 4, 4), offZero(1, 1, 2, 2)],
      attributes: { pads: [2, 3, 3, 2], strides: [1, 2] },
    },
    {
      label: "one axis",
      inputs: [offZero(2, 2, 9), offZero(3, 2, 4), offZero(3)],
      attributes: { strides: [2], pads: [1, 2], dilations: [2] },
      symbolic: [0, null, null],
    },
    {
      label: "three axes",
      inputs: [offZero(1, 2, 4, 5, 4), offZero(2, 2, 2, 3, 2), offZero(2)],
      attributes: { strides: [1, 2, 2], pads: [1, 0, 1, 0, 1, 0] },
      symbolic: [0, null, null],
    },
  ],
  ConvTranspose: [
    { label: "plain", inputs: [offZero(2, 3, 4, 3), offZero(3, 2, 3, 3)], symbolic: [0, null] },
    {
      label: "strides, pads, bias",
      inputs: [offZero(2, 3, 4, 3), offZero(3, 2, 3, 4), offZero(2)],
      attributes: { strides: [2, 3], pads: [1, 0, 0, 2] },
      symbolic: [0, null, null],
    },
    {
      label: "output padding",
      inputs: [offZero(1, 2, 3, 3), offZero(2, 2, 3, 3)],
      attributes: { strides: [2, 3], pads: [1, 1, 1, 1], output_padding: [1, 2] },
    },
    {
      label: "output padding past the pads",
      inputs: [offZero(1, 2, 3, 3), offZero(2, 2, 2, 2)],
      attributes: { strides: [3, 3], output_padding: [2, 1] },
    },
    {
      label: "output padding of a whole stride",
      inputs: [offZero(1, 2, 4, 4), offZero(2, 2, 2, 2)],
      noRuntime: "ONNX Runtime wants output_padding below the stride",
      attributes: { dilations: [3, 3], output_padding: [2, 1] },
    },
    {
      label: "groups, dilations",
      inputs: [offZero(2, 4, 3, 3), offZero(4, 3, 2, 2), offZero(6)],
      attributes: { group: 2, dilations: [2, 1], strides: [1, 2] },
      symbolic: [0, null, null],
    },
    {
      label: "output shape",
      inputs: [offZero(1, 2, 3, 3), offZero(2, 1, 3, 3)],
      attributes: { strides: [2, 2], output_shape: [6, 5] },
    },
    {
      label: "output shape, odd one behind",
      inputs: [offZero(1, 2, 3, 3), offZero(2, 1, 4, 3)],
      attributes: { strides: [2, 2], output_shape: [5, 6], auto_pad: "SAME_UPPER" },
    },
    {
      label: "same upper",
      inputs: [offZero(1, 2, 3, 4), offZero(2, 2, 3, 4)],
      attributes: { strides: [2, 2], auto_pad: "SAME_UPPER" },
    },
    {
      label: "same lower",
      inputs: [offZero(1, 2, 3, 4), offZero(2, 2, 3, 4)],
      attributes: { strides: [2, 2], auto_pad: "SAME_LOWER" },
    },
    {
      label: "valid",
      inputs: [offZero(1, 2, 3, 4), offZero(2, 2, 2, 2)],
      attributes: { auto_pad: "VALID", strides: [2, 1] },
    },
    {
      label: "one axis",
      inputs: [offZero(2, 2, 5), offZero(2, 3, 4), offZero(3)],
      attributes: { strides: [2], pads: [1, 0] },
      symbolic: [0, null, null],
    },
    {
      label: "three axes",
      inputs: [offZero(1, 2, 2, 3, 2), offZero(2, 1, 2, 2, 3)],
      attributes: { strides: [2, 1, 2] },
    },
  ],
  ConvWeightGrad: [
    {
      label: "plain",
      inputs: [offZero(2, 3, 5, 6), offZero(2, 4, 3, 4)],
      attributes: { kernel_shape: [3, 3] },
      symbolic: true,
    },
    {
      label: "a rest of the stride, uneven pads",
      inputs: [offZero(2, 2, 8, 7), offZero(2, 3, 4, 3)],
      attributes: { kernel_shape: [3, 2], strides: [2, 3], pads: [0, 1, 1, 0] },
      symbolic: true,
    },
    {
      label: "dilations",
      inputs: [offZero(2, 2, 9, 8), offZero(2, 2, 4, 8)],
      attributes: { kernel_shape: [3, 2], dilations: [2, 3], strides: [2, 1], pads: [1, 2, 2, 1] },
      symbolic: true,
    },
    {
      label: "groups",
      inputs: [offZero(2, 4, 5, 5), offZero(2, 6, 3, 3)],
      attributes: { kernel_shape: [3, 3], group: 2, strides: [2, 2], pads: [1, 1, 1, 1] },
      symbolic: true,
    },
    {
      label: "depthwise",
      inputs: [offZero(2, 3, 5, 5), offZero(2, 3, 5, 5)],
      attributes: { kernel_shape: [3, 3], group: 3, pads: [1, 1, 1, 1] },
      symbolic: true,
    },
    {
      label: "one axis",
      inputs: [offZero(2, 2, 9), offZero(2, 3, 4)],
      attributes: { kernel_shape: [4], strides: [2], dilations: [2], pads: [2, 2] },
      symbolic: true,
    },
    {
      label: "three axes",
      inputs: [offZero(1, 2, 4, 5, 4), offZero(1, 2, 4, 2, 2)],
      attributes: { kernel_shape: [2, 3, 2], strides: [1, 2, 2], pads: [1, 0, 1, 0, 1, 0] },
    },
  ],
  MaxPool: [
    {
      label: "tiles",
      inputs: [distinct(2, 2, 4, 6)],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      symbolic: true,
    },
    {
      label: "tiles with a rest",
      inputs: [distinct(2, 2, 5, 7)],
      attributes: { kernel_shape: [2, 3], strides: [2, 3] },
      symbolic: true,
    },
    {
      label: "overlapping, padded",
      inputs: [distinct(2, 2, 7, 7)],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
      symbolic: true,
    },
    { label: "stride one", inputs: [distinct(1, 2, 4, 5)], attributes: { kernel_shape: [2, 3] } },
    { label: "holes", inputs: [distinct(1, 2, 7, 7)], attributes: { kernel_shape: [2, 2], strides: [3, 3] } },
    {
      label: "dilated",
      inputs: [distinct(1, 2, 7, 8)],
      attributes: { kernel_shape: [2, 3], dilations: [3, 2], strides: [1, 2] },
    },
    {
      label: "ceil",
      inputs: [distinct(2, 1, 6, 7)],
      attributes: { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 },
      symbolic: true,
    },
    {
      label: "ceil, a window behind the image is dropped",
      inputs: [distinct(1, 1, 5, 5)],
      attributes: { kernel_shape: [2, 2], strides: [3, 3], pads: [1, 1, 1, 1], ceil_mode: 1 },
    },
    {
      label: "same upper",
      inputs: [distinct(1, 2, 5, 6)],
      attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: "SAME_UPPER" },
    },
    {
      label: "same lower",
      inputs: [distinct(1, 2, 5, 6)],
      attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: "SAME_LOWER" },
    },
    {
      label: "columns first",
      inputs: [distinct(1, 2, 5, 6)],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], storage_order: 1 },
    },
    { label: "one axis", inputs: [distinct(2, 2, 8)], attributes: { kernel_shape: [2], strides: [2] }, symbolic: true },
    {
      label: "three axes",
      inputs: [distinct(1, 2, 4, 5, 4)],
      attributes: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] },
      symbolic: true,
    },
  ],
  GlobalMaxPool: [
    { label: "planes", inputs: [distinct(2, 3, 3, 4)], symbolic: true },
    { label: "one axis", inputs: [distinct(2, 3, 5)], symbolic: true },
  ],
  MaxUnpool: [
    {
      label: "tiles",
      inputs: [offZero(2, 2, 2, 3), fixed(integers(tilePositions, [2, 2, 2, 3]))],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    },
    {
      label: "positions fed",
      inputs: [offZero(2, 2, 2, 3), integers(tilePositions, [2, 2, 2, 3])],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      symbolic: true,
    },
    {
      label: "larger output",
      inputs: [offZero(2, 2, 2, 3), integers(tilePositions, [2, 2, 2, 3]), ints(2, 2, 5, 7)],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    },
  ],
  AveragePool: [
    {
      label: "tiles",
      inputs: [offZero(2, 2, 4, 6)],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      symbolic: true,
    },
    {
      label: "tiles with a rest",
      inputs: [offZero(2, 2, 5, 7)],
      attributes: { kernel_shape: [2, 3], strides: [2, 3] },
      symbolic: true,
    },
    {
      label: "overlapping, padding not counted",
      inputs: [offZero(2, 2, 7, 6)],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
      symbolic: true,
    },
    {
      label: "overlapping, padding counted",
      inputs: [offZero(2, 2, 7, 6)],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 1, 1], count_include_pad: 1 },
      symbolic: true,
    },
    {
      label: "stride one",
      inputs: [offZero(2, 2, 5, 5)],
      attributes: { kernel_shape: [3, 2], pads: [1, 0, 1, 1] },
      symbolic: true,
    },
    {
      label: "ceil",
      inputs: [offZero(2, 1, 6, 7)],
      attributes: { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 },
      symbolic: true,
    },
    {
      label: "ceil, padding counted",
      inputs: [offZero(1, 1, 6, 8)],
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1, count_include_pad: 1 },
    },
    { label: "holes", inputs: [offZero(1, 2, 7, 8)], attributes: { kernel_shape: [2, 2], strides: [3, 3] } },
    {
      label: "dilated",
      inputs: [offZero(1, 2, 7, 8)],
      attributes: { kernel_shape: [2, 3], dilations: [3, 2], strides: [1, 2], pads: [1, 1, 0, 1] },
    },
    {
      label: "same upper",
      inputs: [offZero(1, 2, 5, 6)],
      attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: "SAME_UPPER" },
    },
    {
      label: "same lower",
      inputs: [offZero(1, 2, 5, 6)],
      attributes: { kernel_shape: [2, 3], strides: [2, 2], auto_pad: "SAME_LOWER" },
    },
    { label: "one axis", inputs: [offZero(2, 2, 7)], attributes: { kernel_shape: [3], strides: [2] }, symbolic: true },
    {
      label: "three axes",
      inputs: [offZero(1, 2, 4, 3, 4)],
      attributes: { kernel_shape: [2, 3, 2], strides: [2, 1, 2] },
    },
  ],
  GlobalAveragePool: [
    { label: "planes", inputs: [offZero(2, 3, 3, 4)], symbolic: true },
    { label: "one axis", inputs: [offZero(2, 3, 5)], symbolic: true },
  ],
  LpPool: [
    {
      label: "two, tiles",
      inputs: [offZero(2, 2, 4, 6)],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
      symbolic: true,
    },
    {
      label: "three, overlapping",
      inputs: [offZero(2, 2, 5, 6)],
      attributes: { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1], p: 3 },
      symbolic: true,
    },
    { label: "one", inputs: [offZero(1, 2, 5, 5)], attributes: { kernel_shape: [2, 2], p: 1 } },
  ],
  BatchNormalization: [
    {
      label: "planes",
      inputs: [offZero(2, 3, 2, 4), offZero(3), offZero(3), offZero(3), uniform(0.5, 2, 3)],
      symbolic: [0, null, null, null, null],
    },
    {
      label: "features",
      inputs: [offZero(4, 3), offZero(3), offZero(3), offZero(3), uniform(0.5, 2, 3)],
      attributes: { epsilon: 0.1 },
      symbolic: [0, null, null, null, null],
    },
  ],
  LayerNormalization: [
    { label: "last axis", inputs: [offZero(2, 3, 5), offZero(5), offZero(5)], symbolic: [0, null, null] },
    { label: "no bias", inputs: [offZero(2, 5), offZero(5)], attributes: { epsilon: 0.01 }, symbolic: [0, null] },
    {
      label: "two axes",
      inputs: [offZero(2, 3, 4), offZero(3, 4), offZero(3, 4)],
      attributes: { axis: 1 },
      symbolic: [0, null, null],
    },
  ],
  InstanceNormalization: [
    { label: "planes", inputs: [offZero(2, 3, 3, 4), offZero(3), offZero(3)], symbolic: [0, null, null] },
    {
      label: "one axis",
      inputs: [offZero(2, 3, 6), offZero(3), offZero(3)],
      attributes: { epsilon: 0.01 },
      symbolic: [0, null, null],
    },
  ],
  GroupNormalization: [
    {
      label: "two groups",
      inputs: [offZero(2, 4, 2, 3), offZero(2), offZero(2)],
      attributes: { num_groups: 2 },
      symbolic: [0, null, null],
    },
    {
      label: "one group",
      inputs: [offZero(2, 3, 4), offZero(1), offZero(1)],
      attributes: { num_groups: 1, epsilon: 0.01 },
      symbolic: [0, null, null],
    },
  ],
  MeanVarianceNormalization: [
    { label: "over the batch", inputs: [offZero(3, 2, 2, 3)], symbolic: true },
    { label: "channels", inputs: [offZero(2, 4, 3)], attributes: { axes: [1] }, symbolic: true },
  ],
  LpNormalization: [
    { label: "two", inputs: [offZero(2, 4, 3)], attributes: { axis: 1 }, symbolic: true },
    { label: "one", inputs: [offZero(2, 5)], attributes: { p: 1 }, symbolic: true },
  ],
  LRN: [
    { label: "odd size", inputs: [offZero(2, 5, 2, 2)], attributes: { size: 3, alpha: 0.5 }, symbolic: true },
    {
      label: "even size",
      inputs: [offZero(2, 5, 3)],
      noRuntime: "ONNX Runtime wants an odd size",
      attributes: { size: 4, alpha: 0.3, beta: 0.5, bias: 2 },
      symbolic: true,
    },
  ],
  Resize: [
    { label: "nearest, twice", inputs: [offZero(2, 2, 3, 4), null, fixed(floats([1, 1, 2, 2]))], symbolic: true },
    {
      label: "nearest, repeated",
      inputs: [offZero(2, 2, 3, 2), null, fixed(floats([1, 1, 2, 3]))],
      attributes: { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
      symbolic: true,
    },
    ...(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"] as const).map((nearest_mode) => ({
      label: `nearest, ${nearest_mode}`,
      inputs: [offZero(1, 2, 5, 4), null, null, ints(1, 2, 8, 3)],
      attributes: { nearest_mode },
    })),
    ...(["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners", "asymmetric"] as const).flatMap(
      (coordinate_transformation_mode) =>
        (["linear", "cubic", "nearest"] as const).map((mode) => ({
          label: `${mode}, ${coordinate_transformation_mode}`,
          inputs: [offZero(2, 2, 4, 5), null, fixed(floats([1, 1, 1.7, 0.6]))],
          attributes: { mode, coordinate_transformation_mode },
          symbolic: true as const,
        })),
    ),
    {
      label: "linear, region with a value outside",
      inputs: [offZero(1, 2, 4, 5), fixed(floats([0, 0, 0.25, -0.2, 1, 1, 0.75, 0.9])), null, ints(1, 2, 3, 6)],
      attributes: {
        mode: "linear",
        coordinate_transformation_mode: "tf_crop_and_resize",
        extrapolation_value: 10,
      },
    },
    {
      label: "linear, one row",
      inputs: [offZero(1, 1, 4, 4), null, null, ints(1, 1, 1, 3)],
      attributes: { mode: "linear", coordinate_transformation_mode: "pytorch_half_pixel" },
    },
    {
      label: "cubic, outside left out",
      inputs: [offZero(1, 2, 4, 4), null, fixed(floats([1, 1, 1.5, 0.8]))],
      attributes: { mode: "cubic", exclude_outside: 1, cubic_coeff_a: -0.5 },
    },
    {
      label: "linear, antialias",
      inputs: [offZero(1, 2, 6, 7), null, null, ints(1, 2, 3, 4)],
      attributes: { mode: "linear", antialias: 1 },
    },
    {
      label: "linear, antialias, outside left out",
      inputs: [offZero(1, 2, 6, 7), null, null, ints(1, 2, 3, 4)],
      attributes: { mode: "linear", antialias: 1, exclude_outside: 1 },
    },
    {
      label: "cubic, antialias",
      inputs: [offZero(1, 2, 8, 7), null, null, ints(1, 2, 3, 9)],
      attributes: { mode: "cubic", antialias: 1 },
    },
    {
      label: "axes",
      inputs: [offZero(2, 2, 3, 4), null, null, ints(5, 6)],
      attributes: { mode: "linear", axes: [2, 3] },
      symbolic: true,
    },
    {
      label: "aspect ratio kept",
      inputs: [offZero(1, 2, 3, 4), null, null, ints(7, 6)],
      attributes: { mode: "linear", axes: [2, 3], keep_aspect_ratio_policy: "not_larger" },
    },
    { label: "one axis", inputs: [offZero(2, 2, 4), null, fixed(floats([1, 1, 2.5]))], symbolic: true },
    {
      label: "three axes, repeated",
      inputs: [offZero(1, 2, 2, 3, 2), null, fixed(floats([1, 1, 2, 1, 2]))],
      attributes: { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
    },
    {
      label: "three axes",
      inputs: [offZero(1, 2, 2, 3, 2), null, fixed(floats([1, 1, 1.5, 2, 0.5]))],
      attributes: { mode: "linear" },
    },
  ],
  ResizeGrad: [
    {
      label: "repeated cells",
      inputs: [offZero(2, 2, 6, 6), offZero(2, 2, 3, 2), null, fixed(floats([1, 1, 2, 3]))],
      attributes: { coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
      differentiate: [0],
      symbolic: true,
    },
    {
      label: "cubic",
      inputs: [offZero(2, 2, 6, 3), offZero(2, 2, 4, 5), null, fixed(floats([1, 1, 1.7, 0.6]))],
      attributes: { mode: "cubic" },
      differentiate: [0],
      symbolic: true,
    },
    {
      label: "channels too",
      inputs: [offZero(2, 3, 2, 5), offZero(2, 2, 4, 5), null, null, ints(2, 3, 2, 5)],
      attributes: { mode: "linear" },
      differentiate: [0],
    },
    {
      label: "region with a value outside",
      inputs: [
        offZero(1, 2, 3, 6),
        offZero(1, 2, 4, 5),
        fixed(floats([0, 0, 0.25, -0.2, 1, 1, 0.75, 0.9])),
        null,
        ints(1, 2, 3, 6),
      ],
      attributes: { mode: "linear", coordinate_transformation_mode: "tf_crop_and_resize", extrapolation_value: 10 },
      differentiate: [0],
    },
  ],
  Einsum: [
    {
      label: "product",
      inputs: [offZero(2, 3), offZero(3, 4)],
      attributes: { equation: "ij,jk->ik" },
      symbolic: [0, null],
    },
    {
      label: "attention",
      inputs: [offZero(2, 2, 3, 4), offZero(2, 2, 5, 4)],
      attributes: { equation: "bhid,bhjd->bhij" },
      symbolic: true,
    },
    {
      label: "ellipsis",
      inputs: [offZero(2, 1, 3, 4), offZero(2, 5, 4, 2)],
      attributes: { equation: "...ij,...jk->...ik" },
      symbolic: true,
    },
    {
      label: "ellipsis of another rank",
      inputs: [offZero(2, 1, 3, 4), offZero(5, 4, 2)],
      noRuntime: "ONNX Runtime wants ellipses of one rank",
      attributes: { equation: "...ij,...jk->...ik" },
      symbolic: [0, null],
    },
    { label: "implicit output", inputs: [offZero(3, 2), offZero(2, 4)], attributes: { equation: "ba,ac" } },
    { label: "sum of one axis", inputs: [offZero(2, 3, 4)], attributes: { equation: "abc->ca" }, symbolic: true },
    { label: "diagonal", inputs: [offZero(3, 3)], attributes: { equation: "ii->i" } },
    { label: "trace times vector", inputs: [offZero(3, 3), offZero(4)], attributes: { equation: "ii,k->k" } },
    {
      label: "three operands",
      inputs: [offZero(2, 3), offZero(3, 4), offZero(4, 2)],
      attributes: { equation: "ij,jk,kl->il" },
      symbolic: [0, null, null],
    },
    {
      label: "own axis of one operand",
      inputs: [offZero(2, 3, 4), offZero(3)],
      attributes: { equation: "bij,i->b" },
      symbolic: [0, null],
    },
    { label: "scalar", inputs: [offZero(3), offZero(3)], attributes: { equation: "i,i->" } },
  ],
  LSTM: [
    {
      label: "all inputs",
      inputs: [offZero(3, 2, 2), ...recurrent(2, 3), offZero(1, 24), null, offZero(1, 2, 3), offZero(1, 2, 3)],
      attributes: { hidden_size: 3 },
      symbolic: [1, null, null, null, null, 1, 1],
    },
    {
      label: "from zeros, no bias",
      inputs: [offZero(2, 3, 1), ...recurrent(1, 2)],
      attributes: { hidden_size: 2 },
      symbolic: [1, null, null],
    },
    {
      label: "one step, one example",
      inputs: [offZero(1, 1, 2), ...recurrent(2, 1), offZero(1, 8)],
      attributes: { hidden_size: 1 },
    },
  ],
  LSTMGrad: [
    {
      label: "all inputs",
      inputs: [
        ...[offZero(3, 2, 2), ...recurrent(2, 3), offZero(1, 24), null, offZero(1, 2, 3), offZero(1, 2, 3)],
        ...[offZero(3, 1, 2, 3), offZero(1, 2, 3), offZero(1, 2, 3)],
      ],
      symbolic: [1, null, null, null, null, 1, 1, 2, 1, 1],
    },
    {
      label: "from the last state",
      inputs: [offZero(2, 3, 1), ...recurrent(1, 2), null, null, null, null, null, offZero(1, 3, 2)],
      symbolic: [1, null, null, null, null, null, null, null, 1],
    },
  ],
} satisfies Partial<Record<OpName, readonly Sample[]>>;
