import { formatShape, i64, TemperError } from "../core/index.ts";
import { constant, emit, type Value } from "../graph/index.ts";
import { cast, equal, Hardmax, mul, reduceSum, reshape, scale, sub } from "../ops/index.ts";

/** What a loss compares the logits with. */
export type LossNeeds = "labels" | "labels+targets" | "reference logits";

/** A loss of single examples, as a graph function. Larger is worse for the model: attacks raise it, training lowers it. */
export interface LossType {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly minClasses: number;
  readonly needs: LossNeeds;
  /**
   * @param logits   [N, K]
   * @param given    labels (int64 [N]), or reference logits [N, K], as `needs` says
   * @param targets  classes to reach (int64 [N]), where needed
   * @returns one number an example, [N]
   * @throws TemperError `bad-shape`; `bad-option` where targets are needed and missing
   */
  readonly build: (logits: Value, given: Value, targets?: Value) => Value;
}

/** Number of classes K of logits [N, K]. @throws TemperError `bad-shape` below `least` */
export const classesOf = (loss: string, logits: Value, least: number): number => {
  const classes = logits.shape[1];
  if (logits.shape.length !== 2 || classes === undefined || classes < least)
    throw new TemperError(
      "bad-shape",
      `${loss}: wants logits [N, K] with K of at least ${least}, got ${formatShape(logits.shape)}.`,
    );
  return classes;
};

/** 1 in the column that the label names, else 0; [N, K] in the logits' element type. */
export const oneHotLike = (loss: string, logits: Value, labels: Value): Value => {
  if (labels.dtype !== "int64" || labels.shape.length !== 1 || labels.shape[0] !== logits.shape[0])
    throw new TemperError(
      "bad-shape",
      `${loss}: wants int64 labels [N] for logits ${formatShape(logits.shape)}, got ${labels.dtype} ${formatShape(labels.shape)}.`,
    );
  const columns = constant(
    i64(
      Array.from({ length: logits.shape[1]! }, (_, k) => k),
      [1, logits.shape[1]!],
    ),
  );
  return cast(equal(reshape(labels, [labels.shape[0]!, 1]), columns), logits.dtype);
};

/** Added to logits that must not be chosen; far below any logit, far above the least float32. */
const BARRED = -1e30;

/** z where `mask` is 0, far below it where `mask` is 1. */
export const without = (z: Value, mask: Value): Value => sub(z, scale(mask, -BARRED));

/**
 * Masks of the `count` largest logits of every row, largest first, each with a single 1: equal logits take one place
 * each, the first column first. Gradients do not pass through masks, so that of a masked sum is the mask itself.
 */
export const largestMasks = (z: Value, count: number): Value[] => {
  const masks: Value[] = [];
  let rest = z;
  for (let i = 0; i < count; i++) {
    const mask = emit(Hardmax, [rest], { axis: 1 });
    masks.push(mask);
    rest = without(rest, mask);
  }
  return masks;
};

/** Sum over classes of weights times logits, [N]. */
export const weigh = (weights: Value, z: Value): Value => reduceSum(mul(weights, z), [1]);
