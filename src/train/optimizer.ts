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
  return groupParameters(
    type,
    flatOptimizer.given(options.optimizer, options),
    parameters,
    options.parameters.map(parseRule),
  );
};
