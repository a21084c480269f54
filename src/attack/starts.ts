import { filledLike, stopGradient, vjp } from "../autodiff/index.ts";
import { bool, float } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import { kl } from "../loss/index.ts";
import { add, mul, scale, sign, sqrt, square, reduceSum, maximum, scalarLike, div, sub } from "../ops/index.ts";
import { randomSign } from "./random-sign.ts";
import { type AnyStart, defineStart } from "./start.ts";

const lengthOf = (v: Value): Value =>
  sqrt(
    reduceSum(
      square(v),
      v.shape.slice(1).map((_, i) => i + 1),
      true,
    ),
  );

const zero = defineStart({
  name: "zero",
  summary: "At the example itself.",
  source: "Goodfellow, Shlens, Szegedy 2015, Explaining and Harnessing Adversarial Examples",
  options: {},
  build: ({ x }) => x,
});

const uniform = defineStart({
  name: "uniform",
  summary: "At a random point: l-inf uniform in the ball, l2 in a random direction, l1 Gaussian noise.",
  source: "Madry et al. 2018; with scale 2 and no projection de Jorge et al. 2022 (N-FGSM)",
  options: {
    scale: float({ default: 1, min: 0, help: "radius of the noise, in radii of the set" }),
    cut: bool({ default: true, help: "cut to the set and the pixel box; else the first gradient is taken outside" }),
  },
  unprojected: ({ cut }) => !cut,
  build: ({ x, norm, epsilon, draw, options }) => {
    if (norm === "l1") return add(x, draw("normal", x));
    if (norm === "linf") return add(x, mul(draw("uniform", x), scale(epsilon, options.scale)));
    const direction = draw("normal", x),
      share = draw("uniform", x, [x.shape[0]!, ...x.shape.slice(1).map(() => 1)]);
    const unit = div(direction, maximum(lengthOf(direction), scalarLike(x, 1e-12)));
    return add(x, mul(unit, mul(share, scale(epsilon, options.scale)))); // both signs of a direction are alike
  },
});

const gaussian = defineStart({
  name: "gaussian",
  summary: "Beside the example: where the loss compares with the example itself, its gradient there is zero.",
  source: "Zhang et al. 2019, Theoretically Principled Trade-off between Robustness and Accuracy",
  options: { deviation: float({ default: 0.001, min: 0, help: "standard deviation, in units of the input" }) },
  build: ({ x, draw, options }) => add(x, scale(draw("normal", x), options.deviation)),
});

const previous = defineStart({
  name: "previous",
  summary: "With the change that the batch's example at this place had in the step before.",
  source: "Shafahi et al. 2019, Adversarial Training for Free!",
  options: {},
  build: ({ x, previous: before }) => add(x, before()),
});

const backwardSmoothing = defineStart({
  name: "backward-smoothing",
  summary: "One step towards a random prediction near the network's own: noise in the output, mapped back.",
  source: "Chen et al. 2022, Efficient Robust Training via Backward Smoothing",
  options: { gamma: float({ default: 1, min: 0, help: "half the width of the noise on every logit" }) },
  gradients: 1,
  build: ({ x, epsilon, draw, forward, project, options }) => {
    const logits = forward(x),
      target = stopGradient(add(logits, scale(draw("uniform", logits, logits.shape), options.gamma)));
    const rows = kl(target, logits),
      [gradient] = vjp([rows], [filledLike(rows, 1)], [x]);
    return project(sub(x, mul(epsilon, sign(gradient!))));
  },
});

/** Every start by name. Command line, documentation and tests read this object. */
export const starts = {
  zero,
  uniform,
  gaussian,
  previous,
  "backward-smoothing": backwardSmoothing,
  "random-sign": randomSign,
} satisfies Record<string, AnyStart>;
