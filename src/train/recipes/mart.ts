import { float } from "../../core/index.ts";
import type { Value } from "../../graph/index.ts";
import { crossEntropy, kl } from "../../loss/index.ts";
import {
  equal,
  exp,
  log,
  maximum,
  mul,
  neg,
  oneHot,
  reduceMax,
  scalarLike,
  softmax,
  sub,
  where,
} from "../../ops/index.ts";
import { adversarial, clean, defineRecipe } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

/** -ln p(label) - ln(1 - p(strongest other class)). */
const boosted = (logits: Value, labels: Value): Value => {
  const p = softmax(logits, 1),
    own = oneHot(labels, logits.shape[1]!);
  const others = where(equal(own, scalarLike(own, 1)), scalarLike(p, 0), p);
  const room = sub(scalarLike(p, 1), reduceMax(others, [1], false));
  return sub(crossEntropy(logits, labels), log(maximum(room, scalarLike(room, 1e-12))));
};

export const mart = defineRecipe({
  name: "mart",
  summary:
    "A boosted cross-entropy on adversarial examples, and divergence that counts most where the network is wrong.",
  source: "Wang et al. 2020, Improving Adversarial Robustness Requires Revisiting Misclassified Examples",
  options: { beta: float({ default: 5, min: 0, help: "weight of the divergence" }) },
  branches: () => ({ clean, adversarial }),
  terms: ({ beta }) => [
    crossEntropyOf("adversarial", "attack"),
    {
      name: "boosted",
      enters: "update",
      reads: ["adversarial"],
      reduction: "mean",
      of: ({ logits, byLabel }) => byLabel((labels) => boosted(logits["adversarial"]!, labels)),
    },
    {
      name: "kl",
      enters: "update",
      reads: ["clean", "adversarial"],
      weight: beta,
      reduction: "mean",
      of: ({ logits, byLabel }) => {
        const wrong = sub(
          scalarLike(logits["clean"]!, 1),
          exp(neg(byLabel((labels) => crossEntropy(logits["clean"]!, labels)))),
        );
        return mul(kl(logits["clean"]!, logits["adversarial"]!), wrong);
      },
    },
  ],
});
