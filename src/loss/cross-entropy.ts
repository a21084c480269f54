import { customVjp } from "../autodiff/index.ts";
import type { Value } from "../graph/index.ts";
import { exp, logSoftmax, mul, neg, reduceSum, reshape, scalarLike, sub } from "../ops/index.ts";
import { classesOf, type LossType, oneHotLike, weigh } from "./loss.ts";

/**
 * -ln p(label), [N].
 *
 * Its gradient at the label's logit, p(label) - 1, is summed from the other probabilities: where the model is sure, the
 * difference would be rounding noise in float32, then exactly 0, and point attacks in a wrong direction.
 */
export const crossEntropy = (logits: Value, labels: Value): Value => {
  classesOf("cross-entropy", logits, 2);
  const chosen = oneHotLike("cross-entropy", logits, labels);
  const loss = customVjp(
    (z) => neg(weigh(chosen, logSoftmax(z!, 1))),
    ({ inputs: [z], g }) => {
      const others = mul(exp(logSoftmax(z!, 1)), sub(scalarLike(chosen, 1), chosen));
      const slope = sub(others, mul(chosen, reduceSum(others, [1], true)));
      return [mul(reshape(g, [g.shape[0]!, 1]), slope)];
    },
  );
  return loss(logits);
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
