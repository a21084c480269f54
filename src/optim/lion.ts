import { float } from "../core/index.ts";
import { add, mul, scale, sign, sub } from "../ops/index.ts";
import { defineOptimizer } from "./optimizer.ts";

/** u = sign(β₁ m + (1 - β₁) g), p ← (1 - lr λ) p - lr u, m ← β₂ m + (1 - β₂) g. Every number moves by the rate. */
export const lion = defineOptimizer({
  name: "lion",
  summary: "Steps of the rate's length along the sign of a running mean; rates a third to a tenth of adam's.",
  source: "Chen et al. 2023, Symbolic Discovery of Optimization Algorithms",
  options: {
    beta1: float({ default: 0.9, min: 0, max: 0.999999, help: "share of the mean gradient in the direction" }),
    beta2: float({ default: 0.99, min: 0, max: 0.999999, help: "share of the mean gradient that is kept" }),
    weightDecay: float({ default: 0, min: 0, help: "share of the parameters removed a step, times the rate" }),
  },
  slots: () => ["mean"],
  scalars: (lr, _, { weightDecay }) => ({ lr, keep: 1 - lr * weightDecay }),
  step: ({ param, gradient, state, scalars: { lr, keep }, decay, options: { beta1, beta2 } }) => {
    const blend = (beta: number) => add(scale(state["mean"]!, beta), scale(gradient, 1 - beta));
    const kept = decay ? mul(param, keep!) : param;
    return { param: sub(kept, mul(sign(blend(beta1)), lr!)), state: { mean: blend(beta2) } };
  },
});
