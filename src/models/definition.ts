import {
  formatShape,
  type OptionInput,
  type OptionSpec,
  type OptionValues,
  resolveOptions,
  TemperError,
} from "../core/index.ts";
import { BATCH, createGraph, type Graph, input, type Value } from "../graph/index.ts";
import { type Layer, type Random, standardize } from "../nn/index.ts";

/** What a network must fit. */
export interface Task {
  /** [channels, height, width]. */
  readonly inputShape: readonly [channels: number, height: number, width: number];
  readonly classes: number;
}
/** Numbers that the model takes from pixels before anything else: (x - mean) / std, one a channel or one for all. */
export interface Standardization {
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
}

/** An architecture as a record. */
export interface ModelType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  /** The network on standardized input; its output is logits [n, classes]. */
  readonly build: (task: Task, options: OptionValues<S>) => Layer;
  /**
   * Options that the rest of a longer name stands for: `28-10` of `wide-resnet-28-10`. Undefined where it stands for
   * none.
   */
  readonly variant?: (rest: string) => Readonly<Record<string, unknown>> | undefined;
  /** What the rest of a name may look like, for messages. */
  readonly variants?: string;
}
/** The `any` is the variance escape of a registry: architectures have options of different types. */
// oxlint-disable-next-line no-explicit-any
export type AnyModel = ModelType<any>;

export const defineModel = <const S extends OptionSpec>(type: ModelType<S>): ModelType<S> => type;

/** A network for a task: pixels [n, channels, height, width] to logits [n, classes]. */
export interface ModelDefinition extends Layer, Task {
  readonly name: string;
}

/**
 * @param task  input shape and classes; mean and std become part of the model
 * @throws TemperError `bad-option`: impossible sizes; options that the architecture does not have
 */
export const createModel = <S extends OptionSpec>(
  type: ModelType<S>,
  { inputShape, classes, mean = [0], std = [1] }: Task & Standardization,
  given: OptionInput<S> = {},
): ModelDefinition => {
  if (inputShape.length !== 3 || !inputShape.every((d) => Number.isSafeInteger(d) && d >= 1 && d <= 65_536))
    throw new TemperError(
      "bad-option",
      `${type.name}: inputShape must be [channels, height, width], got ${formatShape(inputShape)}.`,
    );
  if (!Number.isSafeInteger(classes) || classes < 2 || classes > 1_000_000)
    throw new TemperError("bad-option", `${type.name}: classes must be a whole number from 2, got ${classes}.`);
  const network = type.build({ inputShape, classes }, resolveOptions(type.name, type.options, given));
  const identity = mean.every((m) => m === 0) && std.every((s) => s === 1);
  const pixels = identity ? undefined : standardize(inputShape[0], mean, std);
  return {
    name: type.name,
    inputShape,
    classes,
    parameters: network.parameters,
    buffers: network.buffers,
    apply: (weights, x, mode) => network.apply(weights, pixels ? pixels.apply({}, x, mode).y : x, mode),
  };
};

/**
 * The network as a graph: input `input` [N, C, H, W], then one a parameter and one a buffer by dotted name; output
 * `logits` [N, classes]. In training mode batch statistics are used, every buffer has an output `next.<name>` with its
 * new value, and the random numbers that layers ask for are inputs `uniform.0`, `normal.1` and so on, in their order.
 */
export const toGraph = (definition: ModelDefinition, { training = false }: { training?: boolean } = {}): Graph => {
  const x = input("input", "float32", [BATCH, ...definition.inputShape]);
  const specs = Object.entries({ ...definition.parameters, ...definition.buffers });
  const weights = Object.fromEntries(specs.map(([name, { shape }]) => [name, input(name, "float32", shape)]));
  const drawn: Value[] = [];
  const random: Random = (shape, kind) => {
    const value = input(`${kind}.${drawn.length}`, "float32", shape);
    drawn.push(value);
    return value;
  };
  const { y, updates } = definition.apply(weights, x, { training, random });
  const next = Object.entries(updates).map(([name, value]) => [`next.${name}`, value] as const);
  return createGraph(definition.name, [x, ...Object.values(weights), ...drawn], {
    logits: y,
    ...Object.fromEntries(next),
  });
};

/**
 * Refuses images that shrink to nothing on the way.
 * @throws TemperError `bad-option`
 */
export const atLeast = (name: string, { inputShape: [, height, width] }: Task, size: number): void => {
  if (height < size || width < size)
    throw new TemperError(
      "bad-option",
      `${name}: images must be at least ${size} x ${size}, got ${height} x ${width}.`,
    );
};
