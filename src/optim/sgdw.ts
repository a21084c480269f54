import { mul } from "../ops/index.ts";
import { defineOptimizer } from "./optimizer.ts";
import { sgd } from "./sgd.ts";

/** p ← (1 - lr λ) p, then a step of sgd: the decay does not pass through the velocity. */
export const sgdw = defineOptimizer({
  name: "sgdw",
  summary: "Stochastic gradient descent whose weight decay shrinks the parameters directly.",
  source:
    "Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization; as in adamw, the decay scales with the rate",
  options: sgd.options,
  slots: sgd.slots,
  scalars: (lr, step, options) => ({ ...sgd.scalars(lr, step, options), keep: 1 - lr * options.weightDecay }),
  step: ({ decay, ...context }) => {
    const { param, scalars } = context;
    return sgd.step({ ...context, decay: false, param: decay ? mul(param, scalars["keep"]!) : param });
  },
});
