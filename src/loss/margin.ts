import { TemperError } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import { add, addScalar, div, scale, sub } from "../ops/index.ts";
import { classesOf, largestMasks, type LossType, oneHotLike, weigh, without } from "./loss.ts";

/** Keeps the denominators of dlr from 0 where the largest logits are equal, as in the reference code. */
const TINY = 1e-12;

/** Largest wrong logit minus the label's, [N]: above 0 means misclassified. */
export const margin = (logits: Value, labels: Value): Value => {
  classesOf("margin", logits, 2);
  return weigh(wrongMinusRight("margin", logits, labels), logits);
};
const wrongMinusRight = (loss: string, logits: Value, labels: Value): Value => {
  const right = oneHotLike(loss, logits, labels);
  return sub(largestMasks(without(logits, right), 1)[0]!, right);
};

/** The target's logit minus the label's, [N]. */
export const targetedMargin = (logits: Value, labels: Value, targets: Value): Value => {
  classesOf("targeted-margin", logits, 2);
  return weigh(targetMinusRight("targeted-margin", logits, labels, targets), logits);
};
const targetMinusRight = (loss: string, logits: Value, labels: Value, targets: Value): Value =>
  sub(oneHotLike(loss, logits, targets), oneHotLike(loss, logits, labels));

/**
 * Margin over the gap between the largest and the third largest logit, [N]; does not change when logits are scaled
 * or shifted. Equal logits count one by one: where the three largest are equal the gap is 1e-12, and the value is 0
 * if the label is among them.
 */
export const dlr = (logits: Value, labels: Value): Value => {
  classesOf("dlr", logits, 3);
  const [first, , third] = largestMasks(logits, 3);
  return ratio(wrongMinusRight("dlr", logits, labels), sub(first!, third!), logits);
};

/** Targeted margin over the gap between the largest logit and the mean of the third and fourth, [N]. */
export const targetedDlr = (logits: Value, labels: Value, targets: Value): Value => {
  classesOf("targeted-dlr", logits, 4);
  const [first, , third, fourth] = largestMasks(logits, 4);
  const gap = sub(first!, scale(add(third!, fourth!), 0.5));
  return ratio(targetMinusRight("targeted-dlr", logits, labels, targets), gap, logits);
};
const ratio = (top: Value, bottom: Value, logits: Value): Value =>
  div(weigh(top, logits), addScalar(weigh(bottom, logits), TINY));

const targeted =
  (name: string, build: (logits: Value, labels: Value, targets: Value) => Value): LossType["build"] =>
  (logits, labels, targets) => {
    if (!targets)
      throw new TemperError("bad-option", `${name}: needs target classes. Give them, or take the untargeted form.`);
    return build(logits, labels, targets);
  };

export const marginLoss: LossType = {
  name: "margin",
  summary: "Largest wrong logit minus the label's.",
  source: "Carlini and Wagner 2017, Towards Evaluating the Robustness of Neural Networks",
  minClasses: 2,
  needs: "labels",
  build: margin,
};
export const targetedMarginLoss: LossType = {
  name: "targeted-margin",
  summary: "Logit of a target class minus the label's.",
  source: "Carlini and Wagner 2017",
  minClasses: 2,
  needs: "labels+targets",
  build: targeted("targeted-margin", targetedMargin),
};
export const dlrLoss: LossType = {
  name: "dlr",
  summary: "Margin relative to the spread of the largest logits; blind to their scale.",
  source: "Croce and Hein 2020, Reliable evaluation of adversarial robustness",
  minClasses: 3,
  needs: "labels",
  build: dlr,
};
export const targetedDlrLoss: LossType = {
  name: "targeted-dlr",
  summary: "Targeted margin relative to the spread of the largest logits.",
  source: "Croce and Hein 2020",
  minClasses: 4,
  needs: "labels+targets",
  build: targeted("targeted-dlr", targetedDlr),
};
