import type { OpName } from "temper/ops";
import { integers, ints, offZero, type Sample, uniform } from "./sample.ts";

/** Samples of group A: elementwise operators, reductions, data movement. */
export const samplesA = {
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
  ReduceSum: [
    { label: "all axes", inputs: [offZero(2, 3)] },
    { label: "kept", inputs: [offZero(2, 3, 4), ints(1)], attributes: { keepdims: 1 }, symbolic: true },
    { label: "batch axis", inputs: [offZero(2, 3, 4), ints(0, -1)], attributes: { keepdims: 0 }, symbolic: true },
    { label: "no axes", inputs: [offZero(2, 3)], attributes: { noop_with_empty_axes: 1 }, symbolic: true },
  ],
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
} satisfies Partial<Record<OpName, readonly Sample[]>>;
