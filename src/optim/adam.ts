import { float } from "../core/index.ts";
import { add, addScalar, div, mul, scale, sqrt, square, sub } from "../ops/index.ts";
import { defineOptimizer, type StepContext, type Stepped } from "./optimizer.ts";
import { withDecay } from "./sgd.ts";

const options = {
  beta1: float({ default: 0.9, min: 0, max: 0.999999, help: "share of the mean gradient that is kept" }),
  beta2: float({ default: 0.999, min: 0, max: 0.99999999, help: "share of the mean squared gradient that is kept" }),
  epsilon: float({ default: 1e-8, min: 0, help: "added to the root of the mean squared gradient" }),
};
interface Betas {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Means start at zero; `rate` and `correction` undo that bias. In float32 1 - 0.999 would lose five digits. */
const corrections = (lr: number, step: number, { beta1, beta2 }: Betas): Readonly<Record<string, number>> => ({
  rate: lr / (1 - beta1 ** step),
  correction: 1 / Math.sqrt(1 - beta2 ** step),
});

/** m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², p ← p - rate · m / (correction · √v + ε). */
const move = ({ param, gradient, state, scalars, options: { beta1, beta2, epsilon } }: StepContext<Betas>): Stepped => {
  const mean = add(scale(state["mean"]!, beta1), scale(gradient, 1 - beta1));
  const meanSquare = add(scale(state["meanSquare"]!, beta2), scale(square(gradient), 1 - beta2));
  const root = addScalar(mul(sqrt(meanSquare), scalars["correction"]!), epsilon);
  return { param: sub(param, mul(div(mean, root), scalars["rate"]!)), state: { mean, meanSquare } };
};

export const adam = defineOptimizer({
  name: "adam",
  summary: "Steps scaled by running means of the gradient and its square.",
  source: "Kingma and Ba 2015, Adam",
  options: {
    ...options,
    weightDecay: float({ default: 0, min: 0, help: "weight of the squared length, halved; part of the gradient" }),
  },
  slots: () => ["mean", "meanSquare"],
  scalars: corrections,
  step: (context) => {
    const { param, gradient, decay, options } = context;
    return move({ ...context, gradient: withDecay(gradient, param, decay ? options.weightDecay : 0) });
  },
});

export const adamw = defineOptimizer({
  name: "adamw",
  summary: "Adam whose weight decay shrinks the parameters directly.",
  source: "Loshchilov and Hutter 2019, Decoupled Weight Decay Regularization",
  options: {
    ...options,
    weightDecay: float({ default: 0.01, min: 0, help: "share of the parameters removed a step, times the rate" }),
  },
  slots: () => ["mean", "meanSquare"],
  scalars: (lr, step, o) => ({ ...corrections(lr, step, o), keep: 1 - lr * o.weightDecay }),
  step: (context) =>
    move({ ...context, param: context.decay ? mul(context.param, context.scalars["keep"]!) : context.param }),
});
