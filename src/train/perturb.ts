import { ascendWithin } from "../attack/index.ts";
import { named, type Value } from "../graph/index.ts";
import type { Weights } from "../nn/index.ts";
import { add, div, maximum, mul, reduceSum, reshape, scalarLike, sqrt, square, sub } from "../ops/index.ts";
import type { Values } from "../optim/index.ts";
import type { Composing } from "./composing.ts";
import type { Passed } from "./pass.ts";

interface Perturbed {
  readonly parameters: Values;
  readonly perturbation: Values;
}

/**
 * Matrices and kernels moved up the loss by a share of their own lengths, layer by layer. Source: Wu et al. 2020,
 * Adversarial Weight Perturbation Helps Robust Generalization.
 */
export const perturbed = (
  { network, settings, source, weights }: Composing,
  update: (at: Weights) => Passed,
): Perturbed => {
  if (settings.awp === 0) return { parameters: {}, perturbation: {} };
  const names = Object.entries(network.parameters).flatMap(([name, { role }]) => (role === "weight" ? [name] : [])),
    share = source.scalar("awp");
  const { points } = named("awp", () =>
    ascendWithin({
      examples: source.labels,
      starts: names.map((name) => weights[name]!),
      perExample: false,
      steps: 1,
      raise: (at) => {
        const { loss } = update({ ...weights, ...Object.fromEntries(names.map((name, i) => [name, at[i]!])) });
        return { rows: reshape(loss, [1]), logits: loss };
      },
      move: ({ point, gradient }) =>
        add(
          point,
          mul(gradient, div(mul(share, length(point)), maximum(length(gradient), scalarLike(gradient, 1e-20)))),
        ),
    }),
  );
  const moved = names.map((name, i) => [name, points[i]!] as const);
  return {
    parameters: Object.fromEntries(moved),
    perturbation: Object.fromEntries(moved.map(([name, point]) => [name, sub(point, weights[name]!)])),
  };
};

/** Frobenius norm. */
const length = (v: Value): Value => {
  const axes = v.shape.map((_, i) => i);
  return sqrt(reduceSum(square(v), axes));
};
