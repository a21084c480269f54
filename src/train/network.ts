import type { Value } from "../graph/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import type { Weights } from "../nn/index.ts";

/** A model whose batch norms have further sets of scales, shifts and statistics: copies named `<set>/<name>`. */
export interface Network extends ModelDefinition {
  /** The weights that a branch uses, under the model's own names. */
  readonly using: (weights: Weights, set: string | undefined) => Weights;
  /** Names that updates of a branch go to. */
  readonly nameIn: (name: string, set: string | undefined) => string;
}

/** Source: Xie et al. 2020, Adversarial Examples Improve Image Recognition (auxiliary batch norms). */
export const withStatistics = (model: ModelDefinition, sets: readonly string[]): Network => {
  const own = (name: string): boolean =>
    Object.hasOwn(model.buffers, name) || model.parameters[name]?.ofBatchNorm === true;
  const nameIn = (name: string, set: string | undefined): string =>
    set !== undefined && own(name) ? `${set}/${name}` : name;
  const copies = <T>(specs: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      [undefined, ...sets].flatMap((set) => Object.entries(specs).map(([name, spec]) => [nameIn(name, set), spec])),
    );
  return {
    ...model,
    parameters: copies(model.parameters),
    buffers: copies(model.buffers),
    using: (weights, set) =>
      set === undefined
        ? weights
        : Object.fromEntries(
            Object.keys({ ...model.parameters, ...model.buffers }).map((name): [string, Value] => [
              name,
              weights[nameIn(name, set)]!,
            ]),
          ),
    nameIn,
  };
};
