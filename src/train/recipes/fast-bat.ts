import { bool, float } from "../../core/index.ts";
import { stopGradient } from "../../autodiff/index.ts";
import type { Value } from "../../graph/index.ts";
import { crossEntropy } from "../../loss/index.ts";
import {
  abs,
  add,
  addScalar,
  and,
  cast,
  div,
  greater,
  less,
  maximum,
  minimum,
  mul,
  reduceSum,
  scalarLike,
  scale,
  sub,
} from "../../ops/index.ts";
import { type Branch, defineRecipe, type Term, type TermContext } from "../recipe.ts";
import { crossEntropyOf } from "./terms.ts";

interface Options {
  readonly attackRate: number;
  readonly lambda: number;
  readonly cross: boolean;
}

const RAW = { name: "raw", options: {} } as const;
/** Of a half normal distribution: its median over its mean. */
const MEDIAN = 0.845;
/** What counts as on the constraint. */
const MARGIN = 1e-7;

/** Two raw-gradient steps, projected: the second is the solution of the lower level, linear around where the first ends. */
const solved: Branch<Options> = {
  view: (context) => {
    const { x, attack, gradient, forward, labels, epsilon, options } = context;
    const begin = attack({ steps: 0 }).points;
    const rate =
      options.attackRate > 0
        ? scalarLike(x, options.attackRate)
        : rateFor(epsilon, gradient(crossEntropy(forward(begin), labels), [begin])[0]!);
    const around = attack({ from: begin, steps: 1, rule: RAW, step: rate }).points,
      { points } = attack({ from: around, steps: 1, rule: RAW, step: rate });
    return { x: points, also: { around } };
  },
};

/** A rate with which half of the gradient's entries that are not zero move a pixel by epsilon or more. */
const rateFor = (epsilon: Value, gradient: Value): Value => {
  const axes = gradient.shape.map((_, i) => i),
    size = abs(gradient);
  const count = reduceSum(cast(greater(size, scalarLike(size, 0)), "float32"), axes),
    mean = div(reduceSum(size, axes), maximum(count, scalarLike(count, 1)));
  return div(epsilon, maximum(scale(mean, MEDIAN), scalarLike(mean, 1e-12)));
};

/**
 * The gradient of the lower level's solution: <q, u> with q the gradient at the point of linearization, as a function of
 * the weights, and u = H v / lambda constant: v the gradient at the solution, H 1 off the constraints, else 0.
 */
const implicit = ({ lambda }: Options): Term<Options> => ({
  name: "implicit",
  enters: "update",
  reads: ["adversarial"],
  reduction: "mean",
  of: (context) => {
    const { x, also } = context.views["adversarial"]!;
    const v = stopGradient(slopeAt(context, x)),
      u = scale(mul(interior(context, x), v), 1 / lambda);
    const product = mul(slopeAt(context, also!["around"]!), stopGradient(u));
    return reduceSum(
      product,
      product.shape.slice(1).map((_, i) => i + 1),
    );
  },
});

const slopeAt = ({ forward, labels, gradient }: TermContext<Options>, x: Value): Value =>
  gradient(crossEntropy(forward(x), labels), [x])[0]!;

/** 1 where a pixel may move both ways. */
const interior = ({ region: { x, epsilon, low, high } }: TermContext<Options>, point: Value): Value => {
  const least = maximum(sub(x, epsilon), low),
    most = minimum(add(x, epsilon), high);
  return cast(and(greater(point, addScalar(least, MARGIN)), less(point, addScalar(most, -MARGIN))), "float32");
};

export const fastBat = defineRecipe({
  name: "fast-bat",
  summary: "A linear lower level solved in closed form, and the gradient of its solution: no sign, no collapse.",
  source:
    "Zhang et al. 2022, Revisiting and Advancing Fast Adversarial Training Through the Lens of Bi-Level Optimization",
  options: {
    attackRate: float({
      default: 0,
      min: 0,
      help: "step of the lower level; 0: so that half of the pixels reach epsilon",
    }),
    lambda: float({ default: 10, min: 1e-6, help: "weight of the lower level's quadratic term" }),
    cross: bool({ default: true, help: "the gradient of the solution by the weights" }),
  },
  settings: { steps: 1, start: "uniform", attackMode: "train" },
  branches: () => ({ adversarial: solved }),
  terms: (options: Options) => [crossEntropyOf("adversarial", "both"), ...(options.cross ? [implicit(options)] : [])],
});
