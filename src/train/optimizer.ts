import type { OptionSpec } from "../core/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import {
  type AnyOptimizer,
  flatOptimizer,
  type GroupedOptimizer,
  groupParameters,
  optimizers,
  parseRule,
} from "../optim/index.ts";
import type { TrainOptions } from "./options.ts";

/** @throws TemperError `bad-option`, `not-found`: rules of parameters */
export const optimizerOf = (options: TrainOptions, parameters: ModelDefinition["parameters"]): GroupedOptimizer => {
  const type: AnyOptimizer = optimizers[options.optimizer];
  return groupParameters(type, own(type, flatOptimizer.given(options)), parameters, options.parameters.map(parseRule));
};

/** Of all that a run may be told, what a member has. */
export const own = ({ options }: { readonly options: OptionSpec }, given: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(options, name)));
