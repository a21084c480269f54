import type { OpName } from "temper/ops";
import type { Sample } from "./sample.ts";

/** Samples of group B: convolution, pooling, normalization, products, resizing. */
export const samplesB = {} satisfies Partial<Record<OpName, readonly Sample[]>>;
