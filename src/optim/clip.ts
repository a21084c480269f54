import { TemperError } from "../core/index.ts";
import { add, div, maximum, mul, reduceSumSquare, scalarLike, sqrt } from "../ops/index.ts";
import type { Value } from "../graph/index.ts";
import type { Values } from "./optimizer.ts";

/**
 * Shortens all gradients by one factor where their common Euclidean length exceeds the limit. Gradients within it keep
 * their bits. A gradient that is no number makes all of them so, and the norm says it.
 *
 * @returns the gradients under their names, and the length before, a scalar
 * @throws TemperError `bad-option`
 * Source: Pascanu et al. 2013, On the difficulty of training recurrent neural networks
 */
export const clipByGlobalNorm = (
  gradients: Values,
  limit: number,
): { readonly gradients: Values; readonly norm: Value } => {
  const entries = Object.entries(gradients);
  if (!(limit > 0) || entries.length === 0)
    throw new TemperError(
      "bad-option",
      `clip: wants a limit above 0 and a gradient, got ${limit} and ${entries.length}.`,
    );
  const squares = entries.map(([, g]) =>
    reduceSumSquare(
      g,
      g.shape.map((_, axis) => axis),
    ),
  );
  const norm = sqrt(squares.reduce((sum, square) => add(sum, square))),
    bound = scalarLike(norm, limit);
  const factor = div(bound, maximum(norm, bound)); // exactly 1 within the limit
  return { gradients: Object.fromEntries(entries.map(([name, g]) => [name, mul(g, factor)])), norm };
};
