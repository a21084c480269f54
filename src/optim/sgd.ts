import { bool, float, TemperError } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import { add, mul, scale, sub } from "../ops/index.ts";
import { defineOptimizer } from "./optimizer.ts";

/** g + weightDecay · p, or g where it does not apply. */
export const withDecay = (gradient: Value, param: Value, weightDecay: number): Value =>
  weightDecay === 0 ? gradient : add(gradient, scale(param, weightDecay));

/**
 * v ← momentum v + g, p ← p - lr v; Nesterov: p ← p - lr (g + momentum v). The rate multiplies the velocity when it is
 * used, not when it is stored, so a change of rate acts at once. Weight decay is part of g.
 */
export const sgd = defineOptimizer({
  name: "sgd",
  summary: "Stochastic gradient descent with momentum.",
  source: "Sutskever et al. 2013, On the importance of initialization and momentum; the form PyTorch uses",
  options: {
    momentum: float({ default: 0.9, min: 0, max: 1, help: "share of the velocity that is kept" }),
    nesterov: bool({ default: false, help: "look ahead along the velocity" }),
    weightDecay: float({ default: 0, min: 0, help: "weight of the squared length of the parameters, halved" }),
  },
  slots: ({ momentum }) => (momentum > 0 ? ["velocity"] : []),
  scalars: (lr) => ({ lr }),
  step: ({ param, gradient, state, scalars: { lr }, decay, options: { momentum, nesterov, weightDecay } }) => {
    if (nesterov && momentum === 0)
      throw new TemperError("bad-option", "sgd: nesterov needs momentum above 0. Set momentum, or turn nesterov off.");
    const g = withDecay(gradient, param, decay ? weightDecay : 0);
    if (momentum === 0) return { param: sub(param, mul(g, lr!)), state: {} };
    const velocity = add(scale(state["velocity"]!, momentum), g);
    const direction = nesterov ? add(g, scale(velocity, momentum)) : velocity;
    return { param: sub(param, mul(direction, lr!)), state: { velocity } };
  },
});
