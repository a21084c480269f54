import { customVjp, filledLike } from "../../autodiff/index.ts";
import { float, int } from "../../core/index.ts";
import type { Value } from "../../graph/index.ts";
import { crossEntropy } from "../../loss/index.ts";
import { linear, pure, sequential } from "../../nn/index.ts";
import { add, cast, mul, neg, relu, scale, tanh } from "../../ops/index.ts";
import { adversarial, clean, defineRecipe, type Term } from "../recipe.ts";
import { crossEntropyOf, divergence } from "./terms.ts";

/** The identity, whose gradient is multiplied by -a. Source: Ganin et al. 2016, Domain-Adversarial Training. */
const reversed = (features: Value, a: Value): Value =>
  customVjp(
    (x) => x!,
    ({ inputs: [, factor], g }) => [neg(mul(g, factor!)), undefined],
  )(features, a);

/** Cross-entropy of telling clean features (0) from attacked ones (1), which the features are trained against. */
const domain = (weight: number): Term<unknown> => ({
  name: "domain",
  enters: "update",
  reads: ["clean", "adversarial"],
  weight,
  reduction: "mean",
  of: ({ features, head, labels, progress }) => {
    const a = tanh(scale(progress, 5)); // 2 / (1 + exp(-10 p)) - 1
    const rows = (branch: string, side: number): Value =>
      crossEntropy(
        head("domain", reversed(features(branch), a)),
        cast(filledLike(cast(labels, "float32"), side), "int64"),
      );
    return add(rows("clean", 0), rows("adversarial", 1));
  },
});

export const dial = defineRecipe({
  name: "dial",
  summary: "TRADES, with features from which a further head cannot tell clean images from attacked ones.",
  source:
    "Levi, Attias, Kontorovich 2022, Domain Invariant Adversarial Learning (DIAL-KL). Differs: its head has no batch norm, and progress counts steps",
  options: {
    beta: float({ default: 6, min: 0, help: "weight of the divergence: more robust, less accurate" }),
    domain: float({ default: 1, min: 0, help: "weight of telling the domains apart; 6 in the source on CIFAR-10" }),
    hidden: int({ default: 100, min: 1, max: 65_536, help: "units of the head" }),
  },
  settings: { start: "gaussian" },
  heads: ({ hidden }) => ({
    domain: (width) => sequential({ fc1: linear(width, hidden), relu: pure(relu), fc2: linear(hidden, 2) }),
  }),
  branches: () => ({ clean, adversarial }),
  terms: ({ beta, domain: weight }) => [
    crossEntropyOf("clean", "update"),
    divergence("clean", "adversarial", beta, "both"),
    domain(weight),
  ],
});
