import { type DType, TemperError } from "../core/index.ts";
import type { Value } from "../graph/index.ts";

/** Element type that two operands share. @throws TemperError `bad-shape` where they differ */
export const commonType = (a: Value, b: Value): DType => {
  if (a.dtype === b.dtype) return a.dtype;
  throw new TemperError("bad-shape", `operands must have one element type, got ${a.dtype} and ${b.dtype}.`);
};
