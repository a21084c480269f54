import { filledLike, stopGradient, vjp } from "../autodiff/index.ts";
import { type OptionSpec, type OptionValues, TemperError } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import type { Weights } from "../nn/index.ts";
import { add, reduceSum, scalarLike, scale } from "../ops/index.ts";
import type { Values } from "../optim/index.ts";
import { around, type Composing, rowsOf, type StepSource } from "./composing.ts";
import { viewsOf } from "./inner.ts";
import { pass, type Passed } from "./pass.ts";
import { perturbed } from "./perturb.ts";
import type { Network } from "./network.ts";
import type { TrainOptions } from "./options.ts";
import type { AnyRecipe, RecipeType, Term } from "./recipe.ts";

/** What a step computes before the optimizer. */
export interface Composed {
  /** Scalars: `loss`, `right` (examples that the first branch has right), `evaluations` (gradients), `term.<name>`. */
  readonly reports: Values;
  /** Values of the parameters that the gradients were taken at, and those gradients. */
  readonly parameters: Values;
  readonly gradients: Values;
  /** What was added to parameters before the gradient, and is to be taken off after the step. */
  readonly perturbation: Values;
  /** New values of buffers. */
  readonly buffers: Values;
  /** What branches hand on to the next batch. */
  readonly carried: Values;
}

/**
 * A training step's loss and its gradients, as nodes: branches, the inner attack, terms, batch statistics, weight
 * perturbation.
 *
 * @throws TemperError `bad-option`: terms that read branches which are not there; an attack that nothing is raised by
 */
export const compose = <S extends OptionSpec>(
  network: Network,
  recipe: RecipeType<S>,
  options: OptionValues<S>,
  settings: TrainOptions,
  source: StepSource,
  weights: Weights,
): Composed => {
  const branches = recipe.branches(options),
    terms = recipe.terms(options);
  checkReads(recipe, branches, terms);
  const counted: Value[] = [];
  const context = { network, recipe, branches, terms, options, settings, source, weights, counted };
  const views = viewsOf(context as Composing);
  const update = (at: Weights): Passed => pass(context as Composing, views, at);
  const shifted = perturbed(context as Composing, update);
  const { loss, reports, buffers } = update({ ...weights, ...shifted.parameters });
  const parameters = Object.fromEntries(
    Object.keys(network.parameters).map((name) => [name, shifted.parameters[name] ?? weights[name]!]),
  );
  const carrying = Object.entries(branches).filter(([, { carry }]) => carry),
    names = Object.keys(parameters);
  const gradients = vjp(
    [loss],
    [scalarLike(loss, 1)],
    [...Object.values(parameters), ...carrying.map(([name]) => views[name]!.x)],
  );
  const rows = counted.reduce<Value | undefined>((sum, v) => (sum ? add(sum, v) : v), undefined);
  const passes = scalarLike(loss, rowsOf(source) * (settings.awp > 0 ? 2 : 1));
  return {
    reports: {
      loss,
      ...reports,
      ...Object.assign({}, ...Object.values(views).map((view) => view.reports)),
      evaluations: rows ? add(reduceSum(rows, [0]), passes) : passes,
    },
    parameters,
    gradients: Object.fromEntries(names.map((name, i) => [name, gradients[i] ?? filledLike(parameters[name]!, 0)])),
    perturbation: shifted.perturbation,
    buffers,
    carried: Object.fromEntries(
      carrying.map(([name, { carry }], i) => {
        const point = views[name]!.x,
          mean = gradients[names.length + i] ?? filledLike(point, 0);
        const gradient = stopGradient(scale(mean, rowsOf(source))); // of the example's own loss
        return [
          name,
          carry!({
            ...around(context as Composing),
            point,
            gradient,
            time: scalarLike(loss, 0),
            before: source.carried(name),
          }),
        ];
      }),
    ),
  };
};

const checkReads = (
  { name }: AnyRecipe,
  branches: Readonly<Record<string, unknown>>,
  terms: readonly Pick<Term<unknown>, "name" | "reads">[],
): void => {
  for (const term of terms)
    for (const read of term.reads)
      if (!Object.hasOwn(branches, read))
        throw new TemperError(
          "bad-option",
          `${name}: term ${term.name} reads branch "${read}". Known: ${Object.keys(branches).join(", ")}.`,
        );
};
