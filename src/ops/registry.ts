import type { AnyOp } from "../graph/index.ts";
import { Add, Div, Mul, Neg, Sub } from "./arithmetic.ts";
import { Expand, ReduceSum, Shape_ } from "./broadcast.ts";
import { Reshape } from "./reshape.ts";

/** Every operator by its ONNX name. Import, documentation and tests read this object. */
export const ops = {
  Add,
  Div,
  Expand,
  Mul,
  Neg,
  ReduceSum,
  Reshape,
  Shape: Shape_,
  Sub,
} satisfies Record<string, AnyOp>;
export type OpName = keyof typeof ops;
