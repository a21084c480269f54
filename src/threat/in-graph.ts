import { i64, sizeOf } from "../core/index.ts";
import { constant, type Value } from "../graph/index.ts";
import {
  abs,
  add,
  and,
  cast,
  clip,
  div,
  equal,
  greater,
  iterate,
  less,
  maximum,
  minimum,
  mul,
  or,
  greaterOrEqual,
  not,
  reduceMax,
  reduceMin,
  reduceSum,
  reshape,
  scalarLike,
  scale,
  sign,
  sqrt,
  square,
  sub,
  topK,
  where,
} from "../ops/index.ts";
import type { NormName } from "./threat.ts";

/** The set that examples may move in, in a graph: the radius may change from run to run. */
export interface GraphRegion {
  /** Scalars: the radius, and the least and greatest pixel. */
  readonly epsilon: Value;
  readonly low: Value;
  readonly high: Value;
}

/** What {@link GraphNorm.steepest} may ask for beside the gradient: l1 passes over elements that the box stops. */
export interface GraphPoint extends GraphRegion {
  readonly adv: Value;
}

/**
 * A norm as graph functions on examples [N, ...], for programs that attack within a training step. The same sets as the
 * {@link Norm} of that name has, to rounding: points are not pulled inside by half a unit in the last place.
 */
export interface GraphNorm {
  /** Nearest point of ball and box to `adv`; x lies in the box. */
  readonly project: (x: Value, adv: Value, region: GraphRegion) => Value;
  /** The direction of unit length along which the loss rises fastest; zero where the gradient is. */
  readonly steepest: (gradient: Value, at: GraphPoint) => Value;
  /** The point of the unit ball (no box) with the largest product with the gradient. */
  readonly vertex: (gradient: Value) => Value;
  /** That product: the dual norm of the gradient, [N]. */
  readonly dual: (gradient: Value) => Value;
}

const axesOf = ({ shape }: Value): number[] => shape.slice(1).map((_, i) => i + 1);
/** Sum over all elements of each example, [N, 1, ...]. */
const sumRows = (x: Value): Value => reduceSum(x, axesOf(x), true);
const rowsOf = (x: Value): Value => reduceSum(x, axesOf(x));

/** Divided by its l2 length; zero stays zero. The largest entry comes first: squares of small gradients underflow. */
const unit = (x: Value): Value => {
  const scaled = div(x, maximum(reduceMax(abs(x), axesOf(x), true), scalarLike(x, 1e-38)));
  return div(scaled, sqrt(maximum(sumRows(square(scaled)), scalarLike(x, 1e-12))));
};

const linf: GraphNorm = {
  project: (x, adv, { epsilon, low, high }) => {
    const least = maximum(sub(x, epsilon), low),
      most = minimum(add(x, epsilon), high);
    return minimum(maximum(adv, least), most);
  },
  steepest: sign,
  vertex: sign,
  dual: (g) => rowsOf(abs(g)),
};

/** Passes of Newton's method: three are usual, seven were the most in thousands of random cases (from 20 pixels up). */
const PASSES = 8;

const l2: GraphNorm = {
  /**
   * x + clip(s v), as src/threat/l2.ts finds it: rho = s² grows from below, pass by pass, to where |clip(s v)| = epsilon.
   * Stopped early it would lie inside of the ball, never outside.
   */
  project: (x, adv, { epsilon, low, high }) => {
    const v = sub(adv, x),
      least = sub(low, x),
      most = sub(high, x);
    const one = scalarLike(v, 1),
      tiny = scalarLike(v, 1e-30),
      squares = square(v),
      radius = square(epsilon);
    let rho = minimum(one, div(radius, maximum(sumRows(squares), tiny)));
    for (let pass = 0; pass < PASSES; pass++) {
      const scaled = mul(sqrt(rho), v),
        cut = minimum(maximum(scaled, least), most);
      const free = cast(equal(scaled, cut), "float32");
      const clipped = sumRows(mul(square(cut), sub(one, free)));
      const next = div(sub(radius, clipped), maximum(sumRows(mul(squares, free)), tiny));
      rho = minimum(one, maximum(rho, next));
    }
    return clip(add(x, minimum(maximum(mul(sqrt(rho), v), least), most)), low, high);
  },
  steepest: unit,
  vertex: unit,
  dual: (g) => sqrt(rowsOf(square(g))),
};

/** Halvings of the range of the threshold: what float32 can tell apart. */
const HALVINGS = 30;
/** Share of the elements that a step moves. */
const MOVED = 0.01;

const l1: GraphNorm = {
  /** x + u as src/threat/l1.ts has it; the threshold by halving, from above: the sum fits. */
  project: (x, adv, { epsilon, low, high }) => {
    const v = sub(adv, x),
      size = abs(v);
    const cap = where(greater(v, scalarLike(v, 0)), sub(high, x), sub(x, low));
    const cut = (lambda: Value): Value => minimum(maximum(sub(size, lambda), scalarLike(size, 0)), cap);
    const largest = reduceMax(size, axesOf(size), true),
      zero = scale(largest, 0);
    const [, most] = iterate("threshold", constant(i64([HALVINGS], [])), [zero, largest], ([least, most]) => {
      const middle = scale(add(least!, most!), 0.5),
        fits = less(sumRows(cut(middle)), epsilon);
      return [where(fits, least!, middle), where(fits, middle, most!)];
    });
    const lambda = where(greater(sumRows(cut(zero)), epsilon), most!, zero);
    return add(x, mul(sign(v), cut(lambda)));
  },
  steepest: (gradient, { adv, low, high }) => {
    const flat = (v: Value): Value => reshape(v, [v.shape[0]!, sizeOf(v.shape.slice(1))]);
    const g = flat(gradient),
      at = flat(adv),
      zero = scalarLike(g, 0);
    const up = greater(g, zero);
    const stopped = or(and(up, greaterOrEqual(at, high)), and(not(up), not(greater(at, low))));
    const size = where(stopped, zero, abs(g)),
      count = Math.max(1, Math.round(MOVED * sizeOf(gradient.shape.slice(1))));
    const largest = topK(size, count, 1)[0],
      bound = maximum(reduceMin(largest, [1], true), scalarLike(g, 1e-38));
    const moved = cast(greaterOrEqual(size, bound), "float32"),
      share = div(moved, maximum(sumRows(moved), scalarLike(g, 1)));
    return reshape(mul(sign(g), share), [...gradient.shape]);
  },
  vertex: (gradient) => {
    const top = reduceMax(abs(gradient), axesOf(gradient), true);
    const chosen = cast(greaterOrEqual(abs(gradient), maximum(top, scalarLike(gradient, 1e-38))), "float32");
    return div(mul(sign(gradient), chosen), maximum(sumRows(chosen), scalarLike(gradient, 1)));
  },
  dual: (g) => reduceMax(abs(g), axesOf(g)),
};

/** Norms in graphs, by name. */
export const graphNorms: Readonly<Record<NormName, GraphNorm>> = { linf, l2, l1 };
