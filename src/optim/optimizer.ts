import {
  type OptionInput,
  type OptionSpec,
  type OptionValues,
  resolveOptions,
  type Tensor,
  TemperError,
  zeros,
} from "../core/index.ts";
import type { Value } from "../graph/index.ts";

export type Values = Readonly<Record<string, Value>>;

/** One parameter at one step, as values of a graph. */
export interface StepContext<O> {
  readonly param: Value;
  /** Gradient of the loss, of the parameter's shape. */
  readonly gradient: Value;
  /** State of this parameter by slot name, of its shape. */
  readonly state: Values;
  /** Scalar values by the names that `scalars` gives: the learning rate and what follows from the step count. */
  readonly scalars: Values;
  /** Whether weight decay applies to this parameter. */
  readonly decay: boolean;
  readonly options: O;
}
export interface Stepped {
  readonly param: Value;
  /** The same slots as in the context. */
  readonly state: Values;
}

/** An optimizer as a record: how one parameter and its state change in one step, written once as graph nodes. */
export interface OptimizerType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  /** Names of the tensors that every parameter carries along; all start at zero. */
  readonly slots: (options: OptionValues<S>) => readonly string[];
  /**
   * Numbers that are the same for all parameters, computed outside of the graph in float64 and fed as scalars.
   * @param step  steps done, this one included: 1, 2, ...
   */
  readonly scalars: (lr: number, step: number, options: OptionValues<S>) => Readonly<Record<string, number>>;
  readonly step: (context: StepContext<OptionValues<S>>) => Stepped;
}

/** The `any` is the variance escape of a registry: optimizers have options of different types. */
// oxlint-disable-next-line no-explicit-any
export type AnyOptimizer = OptimizerType<any>;

export const defineOptimizer = <const S extends OptionSpec>(type: OptimizerType<S>): OptimizerType<S> => type;

/** An optimizer with its options filled in. */
export interface Optimizer {
  readonly name: string;
  readonly slots: readonly string[];
  /** Names of the scalar inputs of a step. */
  readonly scalarNames: readonly string[];
  /** Their values at step 1, 2, ... */
  readonly scalars: (lr: number, step: number) => Readonly<Record<string, number>>;
  /** State tensors of zeros by `parameter/slot`. @param shapes  parameter shapes by name */
  readonly init: (shapes: Readonly<Record<string, readonly number[]>>) => Record<string, Tensor<"float32">>;
  /**
   * One step of one parameter as graph nodes.
   * @throws TemperError `not-found`: a slot or scalar is missing
   */
  readonly step: (context: {
    readonly param: Value;
    readonly gradient: Value;
    readonly state: Values;
    readonly scalars: Values;
    /** Default: true. */
    readonly decay?: boolean;
  }) => Stepped;
}

/** @throws TemperError `bad-option` */
export const createOptimizer = <S extends OptionSpec>(
  type: OptimizerType<S>,
  given: OptionInput<S> = {},
): Optimizer => {
  const options = resolveOptions(type.name, type.options, given);
  const slots = type.slots(options),
    scalarNames = Object.keys(type.scalars(1, 1, options));
  return {
    name: type.name,
    slots,
    scalarNames,
    scalars: (lr, step) => type.scalars(lr, step, options),
    init: (shapes) =>
      Object.fromEntries(
        Object.entries(shapes).flatMap(([name, shape]) =>
          slots.map((slot) => [stateName(name, slot), zeros("float32", shape)] as const),
        ),
      ),
    step: ({ decay = true, ...context }) => {
      require(type.name, "state slot", slots, context.state);
      require(type.name, "scalar", scalarNames, context.scalars);
      return type.step({ ...context, decay, options });
    },
  };
};

/** Name of a state tensor: `conv1.weight/momentum`. */
export const stateName = (parameter: string, slot: string): string => `${parameter}/${slot}`;

const require = (owner: string, what: string, names: readonly string[], given: Values): void => {
  const missing = names.find((name) => !given[name]);
  if (missing) throw new TemperError("not-found", `${owner}: a step needs the ${what} ${missing}.`);
};
