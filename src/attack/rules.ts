import { filledLike } from "../autodiff/index.ts";
import { float, type OptionSpec, type OptionValues } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import {
  add,
  addScalar,
  div,
  equal,
  argMax,
  greaterOrEqual,
  lessOrEqual,
  and,
  maximum,
  minimum,
  mul,
  not,
  reduceSum,
  scalarLike,
  sub,
} from "../ops/index.ts";
import { graphNorms, type GraphRegion, type NormName } from "../threat/index.ts";
import type { InnerStep, Raised } from "./inner.ts";

/** The set around the examples that a step is taken in. */
export interface Around extends GraphRegion {
  readonly x: Value;
  readonly norm: NormName;
}

/** How a step follows from the gradient; the caller projects. */
export interface RuleType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  readonly move: (context: InnerStep & Around & { readonly step: Value; readonly options: OptionValues<S> }) => Value;
}
// oxlint-disable-next-line no-explicit-any
export type AnyRule = RuleType<any>;
const define = <const S extends OptionSpec>(rule: RuleType<S>): RuleType<S> => rule;

const steepest = define({
  name: "steepest",
  summary: "A step of fixed length along the steepest direction of the norm; l-inf: the sign of the gradient.",
  source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks",
  options: {},
  move: ({ point, gradient, step, norm, epsilon, low, high }) =>
    add(point, mul(step, graphNorms[norm].steepest(gradient, { adv: point, epsilon, low, high }))),
});

const raw = define({
  name: "raw",
  summary: "The step length times the gradient of the example's own loss.",
  source:
    "Zhang et al. 2022, Revisiting and Advancing Fast Adversarial Training Through the Lens of Bi-Level Optimization",
  options: {},
  move: ({ point, gradient, step }) => add(point, mul(step, gradient)),
});

const frankWolfe = define({
  name: "frank-wolfe",
  summary: "Part of the way to the point of the ball that the gradient favours most: c / (c + k) at step k.",
  source: "Tsiligkaridis and Roberts 2022, Understanding and Increasing Efficiency of Frank-Wolfe Adversarial Training",
  options: { c: float({ default: 2, min: 1e-6, help: "steps after which a step goes half of the way" }) },
  move: ({ point, gradient, time, x, norm, epsilon, options: { c } }) => {
    const share = div(scalarLike(time, c), addScalar(time, c)),
      vertex = mul(epsilon, graphNorms[norm].vertex(gradient)),
      change = sub(point, x);
    return add(x, add(change, mul(share, sub(vertex, change))));
  },
});

/** Every step rule by name. */
export const rules = { steepest, raw, "frank-wolfe": frankWolfe } satisfies Record<string, AnyRule>;

/** When an example moves no more. `undefined`: never. */
export interface StopType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  readonly stays?: (
    context: InnerStep & Raised & Around & { readonly labels: Value; readonly threshold: Value },
  ) => Value;
}
const stop = <const S extends OptionSpec>(type: StopType<S>): StopType<S> => type;

/**
 * First-order stationarity of every example in its set, [N]: the most that a linear loss could still gain,
 * ε‖g‖* - <point - x, g>. From 0 (at the solution) for points of the ball; g is of the example's own loss.
 *
 * @param box  also counts what the pixel box forbids (l-inf): smaller, and exact for a linear loss
 * Source: Wang et al. 2019, On the Convergence and Robustness of Adversarial Training, equation of its section 3.2
 */
export const fosc = (
  { point, gradient }: Pick<InnerStep, "point" | "gradient">,
  { x, norm, epsilon, low, high }: Around,
  box = false,
): Value => {
  const axes = x.shape.slice(1).map((_, i) => i + 1),
    sum = (v: Value): Value => reduceSum(v, axes);
  if (!box || norm !== "linf")
    return sub(mul(epsilon, graphNorms[norm].dual(gradient)), sum(mul(sub(point, x), gradient)));
  const least = maximum(sub(x, epsilon), low),
    most = minimum(add(x, epsilon), high);
  return sum(maximum(mul(sub(most, point), gradient), mul(sub(least, point), gradient)));
};

/** Every stop rule by name. */
export const stops = {
  never: stop({ name: "never", summary: "All examples take all steps.", source: "classical", options: {} }),
  misclassified: stop({
    name: "misclassified",
    summary: "An example that is misclassified moves no more.",
    source: "Zhang et al. 2020, Attacks Which Do Not Kill Training Make Adversarial Learning Stronger (with no slack)",
    options: {},
    stays: ({ logits, labels }) => not(equal(argMax(logits, 1, false), labels)),
  }),
  fosc: stop({
    name: "fosc",
    summary: "An example whose first-order stationarity has come down to the threshold moves no more.",
    source: "Wang et al. 2019, On the Convergence and Robustness of Adversarial Training",
    options: {},
    stays: (context) =>
      and(
        lessOrEqual(fosc(context, context), context.threshold),
        greaterOrEqual(add(filledLike(context.rows, 0), context.time), scalarLike(context.time, 1)), // the first step is always taken
      ),
  }),
} satisfies Record<string, StopType>;
