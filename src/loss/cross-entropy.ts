import type { Value } from "../graph/index.ts";
import { exp, logSoftmax, mul, neg, reduceSum, sub } from "../ops/index.ts";
import { classesOf, type LossType, oneHotLike, weigh } from "./loss.ts";

/** -ln p(label), [N]. */
export const crossEntropy = (logits: Value, labels: Value): Value => {
  classesOf("cross-entropy", logits, 2);
  return neg(weigh(oneHotLike("cross-entropy", logits, labels), logSoftmax(logits, 1)));
};

/** Kullback-Leibler divergence of distributions given by logits: sum of p (ln p - ln q), [N]. */
export const kl = (pLogits: Value, qLogits: Value): Value => {
  classesOf("kl", pLogits, 2);
  const logP = logSoftmax(pLogits, 1);
  return reduceSum(mul(exp(logP), sub(logP, logSoftmax(qLogits, 1))), [1]);
};

export const crossEntropyLoss: LossType = {
  name: "cross-entropy",
  summary: "Negative logarithm of the label's probability.",
  source: "classical",
  minClasses: 2,
  needs: "labels",
  build: crossEntropy,
};
export const klLoss: LossType = {
  name: "kl",
  summary: "Divergence of the predicted distribution from a reference one, usually that of the clean example.",
  source: "Zhang et al. 2019, Theoretically Principled Trade-off between Robustness and Accuracy",
  minClasses: 2,
  needs: "reference logits",
  build: (logits, reference) => kl(reference, logits),
};
