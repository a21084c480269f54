import type { AnyOp } from "../graph/index.ts";
import { Add, Div, Mul, Neg, Sub } from "./arithmetic.ts";
import { Expand, ReduceSum, Shape_ } from "./broadcast.ts";
import { Reshape } from "./reshape.ts";
import {
  Acos,
  Acosh,
  Asin,
  Asinh,
  Atan,
  Atanh,
  Cos,
  Cosh,
  Erf,
  Exp,
  Gelu,
  Log,
  Mish,
  Reciprocal,
  Sigmoid,
  Sin,
  Sinh,
  Softplus,
  Softsign,
  Sqrt,
  Tan,
  Tanh,
} from "./unary.ts";
import {
  Abs,
  Celu,
  Elu,
  HardSigmoid,
  HardSwish,
  LeakyRelu,
  PRelu,
  Relu,
  Selu,
  Step,
  ThresholdedRelu,
} from "./activation.ts";
import { Ceil, Dropout, Floor, Identity, IsInf, IsNaN, Round, Sign } from "./discrete.ts";
import { Cast } from "./cast.ts";
import { And, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Not, Or, Where, Xor } from "./compare.ts";
import { Clip, Max, Mean, Min, Sum } from "./extremes.ts";
import { Mod, Pow } from "./power.ts";
import {
  ReduceL1,
  ReduceL2,
  ReduceLogSum,
  ReduceLogSumExp,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceProd,
  ReduceSumSquare,
} from "./reduce.ts";
import { Hardmax, LogSoftmax, Softmax } from "./softmax.ts";
import { ArgMax, ArgMin, OneHot, TopK } from "./select.ts";
import { ConstantOfShape, EyeLike, Range, Size } from "./fill.ts";
import { Transpose } from "./transpose.ts";
import { Flatten, Squeeze, Unsqueeze } from "./squeeze.ts";
import { Concat, Split } from "./concat.ts";
import { Slice } from "./slice.ts";
import { Pad } from "./pad.ts";
import { Gather, GatherElements, GatherND } from "./gather.ts";
import { ScatterElements, ScatterND } from "./scatter.ts";
import { DepthToSpace, SpaceToDepth, Tile } from "./tile.ts";
import { CumSum, Trilu } from "./triangle.ts";
import { Gemm, MatMul } from "./matmul.ts";
import { Conv } from "./conv.ts";
import { ConvTranspose } from "./conv-transpose.ts";
import { ConvWeightGrad } from "./conv-weight-grad.ts";
import { AveragePool } from "./average-pool.ts";
import { GlobalAveragePool } from "./global-average-pool.ts";
import { LpPool } from "./lp-pool.ts";
import { BatchNormalization } from "./batch-norm.ts";
import { LayerNormalization } from "./layer-norm.ts";
import { GroupNormalization, InstanceNormalization } from "./instance-norm.ts";
import { MeanVarianceNormalization } from "./mean-variance-norm.ts";
import { LpNormalization } from "./lp-norm.ts";
import { LRN } from "./lrn.ts";
import { LSTM } from "./lstm.ts";
import { LSTMGrad } from "./lstm-grad.ts";
import { Resize, ResizeGrad } from "./resize.ts";
import { Einsum } from "./einsum.ts";
import { GlobalMaxPool, MaxPool } from "./max-pool.ts";
import { MaxUnpool } from "./max-unpool.ts";

/** Every operator by its ONNX name. Import, documentation and tests read this object. */
export const ops = {
  Abs,
  Acos,
  Acosh,
  Add,
  And,
  ArgMax,
  ArgMin,
  Asin,
  Asinh,
  Atan,
  Atanh,
  AveragePool,
  BatchNormalization,
  Cast,
  Ceil,
  Celu,
  Clip,
  Concat,
  ConstantOfShape,
  Conv,
  ConvTranspose,
  ConvWeightGrad,
  Cos,
  Cosh,
  CumSum,
  DepthToSpace,
  Div,
  Dropout,
  Einsum,
  Elu,
  Equal,
  Erf,
  Exp,
  Expand,
  EyeLike,
  Flatten,
  Floor,
  Gather,
  GatherElements,
  GatherND,
  Gelu,
  Gemm,
  GlobalAveragePool,
  GlobalMaxPool,
  Greater,
  GreaterOrEqual,
  GroupNormalization,
  HardSigmoid,
  HardSwish,
  Hardmax,
  Identity,
  InstanceNormalization,
  IsInf,
  IsNaN,
  LRN,
  LSTM,
  LSTMGrad,
  LayerNormalization,
  LeakyRelu,
  Less,
  LessOrEqual,
  Log,
  LogSoftmax,
  LpNormalization,
  LpPool,
  MatMul,
  Max,
  MaxPool,
  MaxUnpool,
  Mean,
  MeanVarianceNormalization,
  Min,
  Mish,
  Mod,
  Mul,
  Neg,
  Not,
  OneHot,
  Or,
  PRelu,
  Pad,
  Pow,
  Range,
  Reciprocal,
  ReduceL1,
  ReduceL2,
  ReduceLogSum,
  ReduceLogSumExp,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceProd,
  ReduceSum,
  ReduceSumSquare,
  Relu,
  Reshape,
  Resize,
  ResizeGrad,
  Round,
  ScatterElements,
  ScatterND,
  Selu,
  Shape: Shape_,
  Sigmoid,
  Sign,
  Sin,
  Sinh,
  Size,
  Slice,
  Softmax,
  Softplus,
  Softsign,
  SpaceToDepth,
  Split,
  Sqrt,
  Squeeze,
  Step,
  Sub,
  Sum,
  Tan,
  Tanh,
  ThresholdedRelu,
  Tile,
  TopK,
  Transpose,
  Trilu,
  Unsqueeze,
  Where,
  Xor,
} satisfies Record<string, AnyOp>;
export type OpName = keyof typeof ops;
