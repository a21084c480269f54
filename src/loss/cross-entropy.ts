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

/**
 * Kullback-Leibler divergence of distributions given by logits: sum of p (ln p - ln q), [N].
 *
 * Its gradients are written as differences, q - p and p (ln p - ln q - KL): of equal logits they are 0 in float32 too.
 * Sums of the rules of its parts leave rounding noise there, which steps along signs would make steps of full length.
 */
export const kl = (pLogits: Value, qLogits: Value): Value => {
  classesOf("kl", pLogits, 2);
  const differences = (p: Value, q: Value): readonly [p: Value, ratio: Value] => {
    const logP = logSoftmax(p, 1);
    return [exp(logP), sub(logP, logSoftmax(q, 1))];
  };
  const divergence = customVjp(
    (p, q) => {
      const [weights, ratio] = differences(p!, q!);
      return reduceSum(mul(weights, ratio), [1]);
    },
    ({ inputs: [p, q], g }) => {
      const [weights, ratio] = differences(p!, q!),
        rows = reshape(g, [g.shape[0]!, 1]),
        mean = reduceSum(mul(weights, ratio), [1], true);
      return [mul(rows, mul(weights, sub(ratio, mean))), mul(rows, sub(exp(logSoftmax(q!, 1)), weights))];
    },
  );
  return divergence(pLogits, qLogits);
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
