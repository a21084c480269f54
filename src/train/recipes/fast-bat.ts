import type { InnerStep } from "../../attack/index.ts";
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
  reduceMean,
  reduceSum,
  scalarLike,
  scale,
  sub,
  where,
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
    const { x, attack, epsilon, slope, options } = context;
    const rate = options.attackRate > 0 ? scalarLike(x, options.attackRate) : rateFor(epsilon, slope);
    const { points: around, first } = attack({ steps: 1, rule: RAW, step: rate, watch: sizeOf }),
      { points } = attack({ from: around, steps: 1, rule: RAW, step: rate });
    return { x: points, also: { around }, reports: { gradientSize: reduceMean(first!, [0]) } };
  },
};

/** A rate at which both steps together move half of the pixels by epsilon or more, where gradients have that size. */
const rateFor = (epsilon: Value, slope: Value): Value =>
  where(greater(slope, scalarLike(slope, 0)), div(epsilon, scale(slope, 2)), scalarLike(slope, 0));

/** Median of the sizes of an example's gradients that are not zero, were they normally distributed: [N]. */
const sizeOf = ({ gradient }: InnerStep): Value => {
  const size = abs(gradient),
    axes = size.shape.slice(1).map((_, i) => i + 1),
    count = reduceSum(cast(greater(size, scalarLike(size, 0)), "float32"), axes);
  return scale(div(reduceSum(size, axes), maximum(count, scalarLike(count, 1))), MEDIAN);
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
      help: "step of the lower level; 0: as gradients on the first batch ask for",
    }),
    lambda: float({ default: 10, min: 1e-6, help: "weight of the lower level's quadratic term" }),
    cross: bool({ default: true, help: "the gradient of the solution by the weights" }),
  },
  settings: { steps: 1, start: "uniform", attackMode: "train", control: "slope" },
  branches: () => ({ adversarial: solved }),
  terms: (options: Options) => [crossEntropyOf("adversarial", "both"), ...(options.cross ? [implicit(options)] : [])],
});
