import { f32, i64 } from "temper/core";
import type { OpName } from "temper/ops";
import {
  type ArraySpec,
  bools,
  distinct,
  fixed,
  floats,
  integers,
  ints,
  offZero,
  type Sample,
  uniform,
} from "./sample.ts";

/** Int64 constant scalar. */
const scalarInt = (value: number): ArraySpec => fixed(integers([value], []));

/** A function of one number on an interval where it is smooth, plain and with a symbolic batch. */
const unary = (low: number, high: number, attributes: Sample["attributes"] = {}, label = "plain"): Sample => ({
  label,
  inputs: [uniform(low, high, 2, 3)],
  attributes,
  symbolic: true,
});
/** A function with a kink at zero. */
const kinked = (attributes: Sample["attributes"] = {}, label = "plain"): Sample => ({
  label,
  inputs: [offZero(2, 5)],
  attributes,
  symbolic: true,
});
/** Values around every kink of functions with kinks at several places. */
const around = (values: readonly number[], attributes: Sample["attributes"] = {}, label = "plain"): Sample => ({
  label,
  inputs: [floats(values)],
  attributes,
  symbolic: true,
});
const ROUNDING = [-2.4, -1.6, -0.7, 0.2, 0.9, 1.4, 3.3];

const comparison: readonly Sample[] = [
  { label: "floats", inputs: [floats([1, 2, 3, 4], [2, 2]), floats([2, 2])], symbolic: [0, null] },
  { label: "integers", inputs: [integers([1, 2, 3]), integers([2])] },
];
const logic: readonly Sample[] = [
  { label: "broadcast", inputs: [bools([1, 0, 1, 0], [2, 2]), bools([1, 0])], symbolic: [0, null] },
];
const reduction = (draw: (...shape: number[]) => ArraySpec): readonly Sample[] => [
  { label: "all axes", inputs: [draw(2, 3)] },
  { label: "one axis kept", inputs: [draw(2, 3, 4), ints(1)], symbolic: true },
  { label: "batch axis", inputs: [draw(2, 3, 2), ints(0, -1)], attributes: { keepdims: 0 }, symbolic: true },
  { label: "all axes, batch", inputs: [draw(2, 3)], attributes: { keepdims: 0 }, symbolic: true },
  { label: "no axes", inputs: [draw(2, 3)], attributes: { noop_with_empty_axes: 1 }, symbolic: true },
];
const argument: readonly Sample[] = [
  { label: "axis 0", inputs: [distinct(3, 4)] },
  { label: "last axis", inputs: [distinct(3, 4)], attributes: { axis: -1, keepdims: 0 }, symbolic: true },
  { label: "ties, first", inputs: [floats([1, 1, 0, 0], [1, 4])], attributes: { axis: 1 } },
  { label: "ties, last", inputs: [floats([1, 1, 0, 0], [1, 4])], attributes: { axis: 1, select_last_index: 1 } },
];
const logits: readonly Sample[] = [
  { label: "last axis", inputs: [uniform(-2, 2, 2, 4)], symbolic: true },
  { label: "middle axis", inputs: [uniform(-2, 2, 2, 3, 2)], attributes: { axis: 1 }, symbolic: true },
  { label: "batch axis", inputs: [uniform(-2, 2, 2, 3)], attributes: { axis: 0 }, symbolic: true },
];
const extremes: readonly Sample[] = [
  { label: "one", inputs: [distinct(2, 3)], symbolic: true },
  { label: "two, broadcast", inputs: [distinct(2, 3), floats([0.23, -0.04, 0.31])], symbolic: [0, null] },
  {
    label: "three",
    inputs: [floats([1, -1, 0.3, -0.5, 0.9, 0.1], [2, 3]), floats([0, 0.4, 0.5]), floats([0.2])],
    symbolic: [0, null, null],
  },
  { label: "integers", inputs: [integers([1, 5]), integers([3])] },
];
const sums: readonly Sample[] = [
  { label: "one", inputs: [offZero(2, 3)], symbolic: true },
  { label: "three, broadcast", inputs: [offZero(2, 3), offZero(3), offZero(2, 1)], symbolic: [0, null, 0] },
];

/** Samples of group A: elementwise operators, reductions, data movement. */
export const samplesA = {
  // arithmetic
  Add: [
    { label: "same shape", inputs: [uniform(-1, 1, 2, 3), uniform(-1, 1, 2, 3)], symbolic: true },
    { label: "broadcast", inputs: [uniform(-1, 1, 2, 1, 3), uniform(-1, 1, 4, 1)], symbolic: [0, null] },
    { label: "integers", inputs: [integers([1, -2]), integers([5])] },
  ],
  Sub: [{ label: "broadcast", inputs: [uniform(-1, 1, 3), uniform(-1, 1, 2, 3)], symbolic: [null, 0] }],
  Mul: [
    { label: "broadcast", inputs: [uniform(-1, 1, 2, 3), uniform(-1, 1, 2, 1)], symbolic: true },
    { label: "integers", inputs: [integers([3, -2]), integers([5, 7])] },
  ],
  Div: [
    { label: "broadcast", inputs: [uniform(-1, 1, 2, 3), uniform(1, 2, 3)], symbolic: [0, null] },
    { label: "integers truncate", inputs: [integers([7, -7, 9]), integers([2, 2, -4])] },
  ],
  Neg: [{ label: "plain", inputs: [offZero(2, 3)], symbolic: true }],
  Pow: [
    { label: "both", inputs: [uniform(0.5, 2, 2, 3), uniform(-2, 2, 3)], symbolic: [0, null] },
    { label: "square", inputs: [offZero(2, 3), fixed(floats([2]))], symbolic: true },
    { label: "to the power 1", inputs: [offZero(2, 3), fixed(floats([1], []))], symbolic: true },
    { label: "to the power 0", inputs: [offZero(2, 3), fixed(floats([0], []))], symbolic: true },
    { label: "cube of negative numbers", inputs: [offZero(2, 3), fixed(integers([3], []))], symbolic: true },
  ],
  Mod: [
    {
      label: "fmod",
      inputs: [floats([5.3, -5.3, 7.1, 2.2]), floats([2, 2.1, -3, 3])],
      attributes: { fmod: 1 },
    },
    { label: "integers", inputs: [integers([7, -7, 7, -7]), integers([3, 3, -3, -3])] },
  ],
  Sum: sums,
  Mean: sums,
  Max: extremes,
  Min: extremes,
  Clip: [
    {
      label: "both ends",
      inputs: [offZero(3, 4), fixed(floats([-0.55], [])), fixed(floats([0.71], []))],
      symbolic: true,
    },
    { label: "ends differentiated", inputs: [floats([-2, -1, 0.3, 1, 2]), floats([-0.5], []), floats([0.7], [])] },
    { label: "lower end", inputs: [offZero(3, 4), fixed(floats([0], []))], symbolic: true },
    { label: "upper end", inputs: [offZero(3, 4), null, fixed(floats([0], []))], symbolic: true },
    { label: "none", inputs: [offZero(3, 4)], symbolic: true },
  ],
  // functions of one number
  Exp: [unary(-2, 2)],
  Log: [unary(0.3, 3)],
  Sqrt: [unary(0.3, 3)],
  Reciprocal: [unary(0.5, 3)],
  Sin: [unary(-3, 3)],
  Cos: [unary(-3, 3)],
  Tan: [unary(-1, 1)],
  Asin: [unary(-0.8, 0.8)],
  Acos: [unary(-0.8, 0.8)],
  Atan: [unary(-2, 2)],
  Sinh: [unary(-2, 2)],
  Cosh: [unary(-2, 2)],
  Tanh: [unary(-2, 2)],
  Asinh: [unary(-2, 2)],
  Acosh: [unary(1.3, 3)],
  Atanh: [unary(-0.7, 0.7)],
  Erf: [unary(-2, 2), unary(2.4, 3.5, {}, "tail")],
  Sigmoid: [unary(-3, 3)],
  Softplus: [unary(-3, 3)],
  Softsign: [kinked()],
  Mish: [unary(-3, 3)],
  Gelu: [unary(-3, 3), unary(-3, 3, { approximate: "tanh" }, "tanh")],
  // kinks
  Step: [kinked()],
  Relu: [kinked()],
  LeakyRelu: [kinked({ alpha: 0.25 }), kinked({ alpha: -0.5 }, "negative slope")],
  ThresholdedRelu: [around([-1, 0.3, 0.65, 0.8, 2], { alpha: 0.7 })],
  Elu: [kinked({ alpha: 1.5 })],
  Selu: [kinked()],
  Celu: [kinked({ alpha: 0.5 })],
  HardSigmoid: [around([-4, -2, -0.5, 0.4, 1.9, 4]), around([-4, -1, 0.4, 4], { alpha: 0.25, beta: 0.375 }, "other")],
  HardSwish: [around([-4, -2.5, -0.5, 0.4, 2.7, 4])],
  Abs: [kinked()],
  PRelu: [{ label: "slope a channel", inputs: [offZero(2, 3, 2), uniform(0.1, 0.9, 3, 1)], symbolic: [0, null] }],
  // pieces
  Sign: [kinked()],
  Floor: [around(ROUNDING)],
  Ceil: [around(ROUNDING)],
  Round: [around(ROUNDING)],
  Identity: [kinked()],
  Dropout: [kinked(), { label: "with ratio", inputs: [offZero(3), fixed(floats([0.5], []))] }],
  IsNaN: [around([1, NaN, Infinity])],
  IsInf: [around([1, NaN, Infinity, -Infinity]), around([Infinity, -Infinity], { detect_negative: 0 }, "positive")],
  Cast: [
    { label: "to double", inputs: [offZero(2, 3)], attributes: { to: 11 }, symbolic: true },
    { label: "to integers", inputs: [floats([1.7, -1.7, 0.2])], attributes: { to: 7 } },
    { label: "to bool", inputs: [floats([0, -1.7, 0.2])], attributes: { to: 9 } },
    { label: "from bool", inputs: [bools([0, 1])], attributes: { to: 1 } },
    { label: "wraps", inputs: [integers([300, -1])], attributes: { to: 2 } },
  ],
  // truth
  Equal: [...comparison, { label: "bool", inputs: [bools([0, 1]), bools([1, 1])] }],
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  And: logic,
  Or: logic,
  Xor: logic,
  Not: [{ label: "plain", inputs: [bools([0, 1], [2, 1])], symbolic: true }],
  Where: [
    { label: "broadcast", inputs: [bools([0, 1, 1], [3, 1]), offZero(3, 2), offZero(2)], symbolic: [0, 0, null] },
    { label: "integers", inputs: [bools([0, 1]), integers([1, 2]), integers([3])] },
  ],
  // reductions
  ReduceSum: reduction(offZero),
  ReduceMean: reduction(offZero),
  ReduceMax: reduction(distinct),
  ReduceMin: reduction(distinct),
  ReduceProd: reduction(offZero),
  ReduceL1: reduction(offZero),
  ReduceL2: reduction(offZero),
  ReduceLogSum: reduction((...shape) => uniform(0.3, 2, ...shape)),
  ReduceLogSumExp: reduction(offZero),
  ReduceSumSquare: reduction(offZero),
  ArgMax: argument,
  ArgMin: argument,
  Softmax: logits,
  LogSoftmax: logits,
  Hardmax: [
    { label: "last axis", inputs: [distinct(2, 4)], symbolic: true },
    { label: "ties", inputs: [floats([1, 2, 2, 0], [4, 1])], attributes: { axis: 0 }, differentiate: [] },
  ],
  TopK: [
    { label: "largest", inputs: [distinct(2, 5), ints(3)], symbolic: true },
    {
      label: "smallest, axis 1",
      inputs: [distinct(2, 5, 2), ints(2)],
      attributes: { axis: 1, largest: 0 },
      symbolic: true,
    },
  ],
  CumSum: [
    { label: "plain", inputs: [offZero(2, 4), scalarInt(1)], symbolic: true },
    { label: "exclusive", inputs: [offZero(2, 4), scalarInt(-1)], attributes: { exclusive: 1 }, symbolic: true },
    { label: "reverse", inputs: [offZero(2, 4), scalarInt(0)], attributes: { reverse: 1 }, symbolic: true },
    { label: "both", inputs: [offZero(2, 4), scalarInt(1)], attributes: { reverse: 1, exclusive: 1 } },
  ],
  // shapes
  Expand: [
    { label: "new axes", inputs: [offZero(3, 1), ints(2, 1, 4)] },
    { label: "batch kept", inputs: [offZero(2, 1, 3), ints(4, 1)], symbolic: true },
  ],
  Reshape: [
    { label: "inferred", inputs: [offZero(2, 6), ints(0, 3, -1)], symbolic: true },
    { label: "batch joined", inputs: [offZero(2, 6), ints(-1, 3)], symbolic: true },
  ],
  Shape: [
    { label: "all", inputs: [offZero(2, 6)], symbolic: true },
    { label: "part", inputs: [offZero(2, 6, 3)], attributes: { start: -2, end: 3 }, symbolic: true },
  ],
  Size: [{ label: "plain", inputs: [offZero(2, 6)], symbolic: true }],
  Transpose: [
    { label: "reversed", inputs: [offZero(2, 3, 4)], symbolic: true },
    { label: "permuted", inputs: [offZero(2, 3, 4, 2)], attributes: { perm: [0, 2, 3, 1] }, symbolic: true },
    { label: "batch last", inputs: [offZero(3, 2)], attributes: { perm: [1, 0] }, symbolic: [1] },
  ],
  Squeeze: [
    { label: "axes", inputs: [offZero(2, 1, 3, 1), ints(1, -1)], symbolic: true },
    { label: "all", inputs: [offZero(2, 1, 3, 1)], symbolic: true },
  ],
  Unsqueeze: [{ label: "axes", inputs: [offZero(2, 3), ints(0, -1)], symbolic: true }],
  Flatten: [
    { label: "axis 1", inputs: [offZero(2, 3, 2)], symbolic: true },
    { label: "axis 0", inputs: [offZero(2, 3)], attributes: { axis: 0 }, symbolic: true },
    { label: "axis -1", inputs: [offZero(2, 3, 4)], attributes: { axis: -1 }, symbolic: true },
  ],
  Concat: [
    { label: "channels", inputs: [offZero(2, 1, 3), offZero(2, 2, 3)], attributes: { axis: 1 }, symbolic: true },
    { label: "batch axis", inputs: [offZero(2, 3), offZero(4, 3)], attributes: { axis: 0 }, symbolic: true },
    { label: "one", inputs: [offZero(2, 3)], attributes: { axis: -1 }, symbolic: true },
  ],
  Split: [
    { label: "sizes", inputs: [offZero(2, 6), ints(1, 3, 2)], attributes: { axis: 1 }, symbolic: true },
    { label: "count", inputs: [offZero(2, 5)], attributes: { axis: -1, num_outputs: 2 }, symbolic: true },
  ],
  Slice: [
    { label: "unit steps", inputs: [offZero(2, 5, 4), ints(1, 0), ints(-1, 2), ints(1, 2)], symbolic: true },
    { label: "steps", inputs: [offZero(2, 7), ints(1), ints(2 ** 31), ints(1), ints(2)], symbolic: true },
    { label: "backwards", inputs: [offZero(2, 5), ints(-1), ints(-(2 ** 40)), ints(1), ints(-1)], symbolic: true },
    { label: "backwards steps", inputs: [offZero(2, 7), ints(5), ints(0), ints(-1), ints(-3)], symbolic: true },
    { label: "first axes", inputs: [offZero(3, 4), ints(0, 1), ints(2 ** 31, 3)], symbolic: true },
    { label: "nothing left", inputs: [offZero(3, 4), ints(2), ints(1), ints(1)], symbolic: true },
    { label: "first example", inputs: [offZero(3, 4), ints(0), ints(1), ints(0)], symbolic: true },
    { label: "last example", inputs: [offZero(3, 4), ints(-1), ints(2 ** 62), ints(0)], symbolic: true },
    {
      label: "batch reversed",
      inputs: [offZero(3, 4), ints(-1), ints(-(2 ** 62)), ints(0), ints(-1)],
      symbolic: true,
    },
  ],
  Pad: [
    { label: "constant", inputs: [offZero(2, 3, 2), ints(0, 1, 0, 0, 2, 1)], symbolic: true },
    { label: "value", inputs: [offZero(2, 3), ints(0, 1, 0, 2), floats([0.5], [])], symbolic: [0, null, null] },
    { label: "negative", inputs: [offZero(2, 5), ints(0, -1, 0, -2)], symbolic: true },
    { label: "mixed", inputs: [offZero(2, 5), ints(0, 1, 0, -2), floats([0.5], [])], symbolic: [0, null, null] },
    { label: "axes", inputs: [offZero(2, 3), ints(1, 2), null, ints(-1)], symbolic: true },
    { label: "edge", inputs: [offZero(2, 3), ints(0, 1, 0, 2)], attributes: { mode: "edge" }, symbolic: true },
    { label: "wide edge", inputs: [offZero(2, 3), ints(0, 5, 0, 6)], attributes: { mode: "edge" }, symbolic: true },
    {
      label: "reflect",
      inputs: [offZero(2, 4, 3), ints(0, 1, 2, 0, 3, 1)],
      attributes: { mode: "reflect" },
      symbolic: true,
    },
    { label: "wrap, cut", inputs: [offZero(2, 5), ints(0, 1, 0, -1)], attributes: { mode: "wrap" }, symbolic: true },
    { label: "wrap", inputs: [offZero(2, 3), ints(0, 1, 0, 2)], attributes: { mode: "wrap" }, symbolic: true },
  ],
  Gather: [
    { label: "constant rows", inputs: [offZero(2, 4), ints(3, 0, -4)], attributes: { axis: 1 }, symbolic: true },
    { label: "one row", inputs: [offZero(2, 4), scalarInt(-1)], attributes: { axis: 1 }, symbolic: true },
    { label: "many repeats", inputs: [offZero(3, 3), ints(0, 0, 0, 0, 0, 0)], attributes: { axis: 1 }, symbolic: true },
    { label: "matrix", inputs: [offZero(3, 2), fixed(integers([0, 2, 1, 2], [2, 2]))] },
    { label: "run-time rows", inputs: [offZero(4, 3), integers([2, -1, 2, 0], [2, 2])], symbolic: [null, 0] },
    {
      label: "run-time rows, axis 1",
      inputs: [offZero(2, 4, 3), integers([2, 0])],
      attributes: { axis: 1 },
      symbolic: [0, null],
    },
  ],
  GatherElements: [
    {
      label: "axis 1",
      inputs: [offZero(2, 3), integers([2, 2, 0, -1], [2, 2])],
      attributes: { axis: 1 },
      symbolic: true,
    },
    { label: "axis 0", inputs: [offZero(3, 3), integers([2, 1, 0, 1], [2, 2])] },
  ],
  GatherND: [
    { label: "points", inputs: [offZero(3, 3), integers([0, 1, 2, -1], [2, 2])] },
    { label: "rows", inputs: [offZero(3, 2), integers([0, 2, 0], [3, 1])], symbolic: [null, 0] },
    {
      label: "one a batch entry",
      inputs: [offZero(2, 4), integers([3, 1], [2, 1])],
      attributes: { batch_dims: 1 },
      symbolic: true,
    },
    {
      label: "two a batch entry",
      inputs: [offZero(2, 3, 2), integers([2, 1, 0, 0], [2, 2, 1])],
      attributes: { batch_dims: 1 },
      symbolic: true,
    },
  ],
  ScatterElements: [
    {
      label: "replace",
      inputs: [offZero(2, 4), integers([2, 0, 1, 3], [2, 2]), offZero(2, 2)],
      attributes: { axis: 1 },
      symbolic: true,
    },
    {
      label: "add",
      inputs: [offZero(2, 4), integers([2, 2, 1, -1], [2, 2]), offZero(2, 2)],
      attributes: { axis: 1, reduction: "add" },
      symbolic: true,
    },
  ],
  ScatterND: [
    { label: "replace", inputs: [offZero(4, 2), integers([2, 0], [2, 1]), offZero(2, 2)] },
    {
      label: "add",
      inputs: [offZero(4, 2), integers([2, 2], [2, 1]), offZero(2, 2)],
      attributes: { reduction: "add" },
      symbolic: [null, 0, 0],
    },
    {
      label: "points",
      inputs: [offZero(3, 2), integers([2, 0, 1, 1], [2, 2]), offZero(2)],
      attributes: { reduction: "add" },
    },
  ],
  Tile: [
    { label: "axes", inputs: [offZero(2, 3, 1), ints(1, 2, 3)], symbolic: true },
    { label: "batch axis", inputs: [offZero(2, 3), ints(2, 1)], symbolic: true },
  ],
  DepthToSpace: [
    { label: "DCR", inputs: [offZero(2, 8, 1, 2)], attributes: { blocksize: 2 }, symbolic: true },
    { label: "CRD", inputs: [offZero(2, 8, 1, 2)], attributes: { blocksize: 2, mode: "CRD" }, symbolic: true },
  ],
  SpaceToDepth: [{ label: "plain", inputs: [offZero(2, 2, 2, 4)], attributes: { blocksize: 2 }, symbolic: true }],
  ConstantOfShape: [
    { label: "default", inputs: [ints(2, 3)] },
    { label: "integer", inputs: [ints(2)], attributes: { value: i64([7]) } },
    { label: "float", inputs: [ints()], attributes: { value: f32([0.5]) } },
  ],
  Range: [
    { label: "integers", inputs: [scalarInt(1), scalarInt(8), scalarInt(3)] },
    { label: "down", inputs: [scalarInt(5), scalarInt(-1), scalarInt(-2)] },
    {
      label: "floats",
      inputs: [fixed(floats([0.5], [])), fixed(floats([2], [])), fixed(floats([0.25], []))],
    },
  ],
  OneHot: [
    { label: "last axis", inputs: [integers([1, 0, -1]), ints(3), floats([0.1, 0.9])], symbolic: [0, null, null] },
    {
      label: "axis 0, out of range",
      inputs: [integers([1, 7]), scalarInt(3), floats([0, 1])],
      attributes: { axis: 0 },
    },
  ],
  EyeLike: [
    { label: "plain", inputs: [offZero(3, 4)], attributes: { k: 1 }, symbolic: true },
    { label: "integers", inputs: [offZero(3, 3)], attributes: { k: -1, dtype: 7 } },
  ],
  Trilu: [
    { label: "upper", inputs: [offZero(2, 3, 4)], symbolic: true },
    { label: "lower", inputs: [offZero(2, 3, 3), scalarInt(-1)], attributes: { upper: 0 }, symbolic: true },
  ],
} satisfies Partial<Record<OpName, readonly Sample[]>>;
