import type { Node, Value } from "../../graph/index.ts";
import { Step } from "../../ops/index.ts";

const NAMES =
  "Add Sub Mul Div Sum Max Min Relu LeakyRelu HardSigmoid HardSwish Sigmoid Tanh Softplus Elu Selu Gelu Clip Neg Abs Sign Exp Sqrt Erf";
const names = new Set(NAMES.split(" "));

/** Whether an operator computes element by element, whatever the order in memory. */
export const isElementwise = ({ op, outputs }: Node): boolean =>
  op === Step || (op.domain === "" && names.has(op.name) && outputs.length === 1);

/** One number, which goes with every order. */
export const isScalar = ({ shape }: Value): boolean => shape.every((d) => d === 1) && shape.length < 4;
