import { filledLike } from "../autodiff/index.ts";
import { type DType, type OptionSpec, resolveOptions, sizeOf, TemperError } from "../core/index.ts";
import { createGraph, type Graph, input, named, nodesOf, type Value } from "../graph/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import { add, reduceMean, reduceSum, reshape, scale, scan, sub } from "../ops/index.ts";
import {
  averaged,
  averageName,
  clipByGlobalNorm,
  type GroupedOptimizer,
  stateName,
  type Values,
} from "../optim/index.ts";
import { averagedIn } from "./averages.ts";
import { type AnyController, controllers } from "./controllers.ts";
import { compose, type Composed } from "./compose.ts";
import type { StepSource } from "./composing.ts";
import { withHeads } from "./heads.ts";
import { type Network, withStatistics } from "./network.ts";
import type { TrainOptions } from "./options.ts";
import { optimizerOf } from "./optimizer.ts";
import type { AnyRecipe } from "./recipe.ts";

/** Output with the new value of a weight, buffer or state tensor. */
export const nextName = (name: string): string => `next.${name}`;
/** State that a branch hands from batch to batch. */
export const carriedName = (branch: string): string => `carried/${branch}`;

/** Random numbers that a step is fed: an input of this name, uniform in [-1, 1) or standard normal. */
export interface Drawn {
  readonly name: string;
  readonly kind: "uniform" | "normal";
  readonly shape: readonly number[];
}

/** A training step as a program, and what it is to be fed. */
export interface StepProgram {
  /**
   * Inputs: `x` [N, C, H, W], `labels` int64 [N] (`partners` and `share` [N] where labels are mixed, `weights` [N] where
   * examples are weighted), draws, scalars, then parameters, buffers, optimizer state and what branches carry by name.
   * Outputs: the reports, scalars, and `next.<name>` for everything that changes.
   */
  readonly graph: Graph;
  readonly network: Network;
  readonly optimizer: GroupedOptimizer;
  readonly draws: readonly Drawn[];
  readonly scalars: readonly string[];
  /** Tensors that steps replace and that are neither weights nor of the optimizer, by name. */
  readonly carried: Readonly<Record<string, readonly number[]>>;
}

/** What a step is built for. */
export interface StepSpec {
  readonly model: ModelDefinition;
  readonly recipe: AnyRecipe;
  /** The recipe's own. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Of the run ({@link settingsOf}): batch size, inner problem, optimizer. */
  readonly settings: TrainOptions;
  /** Least and greatest pixel. */
  readonly range?: readonly [number, number];
  /** Whether labels are mixed, and whether examples have weights. */
  readonly mixed?: boolean;
  readonly weighted?: boolean;
  /** Equal parts of the batch that are looked at one after the other; the optimizer sees the mean of their gradients. */
  readonly parts?: number;
}

/**
 * One training step: inner attack, forward in training mode, backward, optimizer, batch statistics.
 * @throws TemperError `bad-option`, `not-found`
 */
export const trainStep = (spec: StepSpec): StepProgram => {
  const { model, recipe, settings, parts = 1 } = spec,
    options = resolveOptions(recipe.name, recipe.options as OptionSpec, spec.options);
  const sets = Object.values(recipe.branches(options)).flatMap(({ statistics }) => statistics ?? []),
    network = withStatistics(withHeads(model, recipe.heads?.(options) ?? {}), [...new Set(sets)]),
    optimizer = optimizerOf(settings, network.parameters);
  const whole = inputsOf(spec, network, settings.batchSize);
  const { parameters, buffers } = whole;
  const composed =
    parts === 1
      ? compose(network, recipe, options, settings, whole.source, { ...parameters, ...buffers })
      : inParts({ ...spec, options }, network, whole, parts);
  const further = optimizerInputs(network, optimizer);
  const clipped = settings.clip > 0 ? clipByGlobalNorm(composed.gradients, settings.clip) : undefined;
  const after = optimized(optimizer, { ...composed, ...(clipped && { gradients: clipped.gradients }) }, further);
  const carried = Object.entries(composed.carried).map(([branch, v]) => [carriedName(branch), v] as const);
  const moved = { ...after, ...nexts(Object.entries(composed.buffers)) },
    averages = valuesOf(averagedIn(settings.average, model), averageName);
  const news = averaged(averages, newest(moved, { ...parameters, ...buffers }), whole.source.scalar("averageRate"));
  const outputs = {
    ...composed.reports,
    ...(clipped && { gradientNorm: clipped.norm }),
    ...moved,
    ...nexts(Object.entries(news).map(([name, value]) => [averageName(name), value])),
    ...nexts(carried),
  };
  const { draws, scalars: asked, carried: kept } = reached(whole, Object.values(outputs)),
    scalars = [...asked, ...Object.values(further.scalars)];
  checkControlled(settings.control.name, asked);
  const inputs = [
    ...whole.examples,
    ...draws.map(({ value }) => value),
    ...scalars,
    ...Object.values(parameters),
    ...Object.values(buffers),
    ...Object.values(further.state),
    ...Object.values(averages),
    ...kept.map(([, v]) => v),
  ];
  return {
    graph: createGraph(`${model.name}.${recipe.name}`, inputs, outputs),
    network,
    optimizer,
    draws: draws.map(({ drawn }) => drawn),
    scalars: scalars.map((v) => v.node.name),
    carried: Object.fromEntries(kept.map(([name, { shape }]) => [name, shape])),
  };
};

/** A scalar that controllers set is set by the one that is chosen. */
const checkControlled = (chosen: string, asked: readonly Value[]): void => {
  const all = Object.values<AnyController>(controllers);
  for (const { node } of asked) {
    const setters = all.filter(({ sets }) => sets.some((name) => name === node.name));
    if (setters.length === 0 || setters.some(({ name }) => name === chosen)) continue;
    const known = setters.map(({ name }) => name).join(", ");
    throw new TemperError("bad-option", `The inner problem's ${node.name} is set by a controller: --control ${known}.`);
  }
};

/** What was asked for while the step was built, and is needed. */
const reached = (
  { draws, scalars, carried }: StepInputs,
  outputs: readonly Value[],
): {
  readonly draws: StepInputs["draws"];
  readonly scalars: readonly Value[];
  readonly carried: readonly (readonly [string, Value])[];
} => {
  const read = new Set(nodesOf(outputs)),
    used = (v: Value): boolean => read.has(v.node);
  return {
    draws: draws.filter(({ value }) => used(value)),
    scalars: [...scalars.values()].filter(used),
    carried: [...carried].filter(([, v]) => used(v)),
  };
};

/** Weights after the step. */
const newest = (moved: Values, before: Values): Values =>
  Object.fromEntries(Object.entries(before).map(([name, value]) => [name, moved[nextName(name)] ?? value]));

const nexts = (entries: readonly (readonly [string, Value])[]): Values =>
  Object.fromEntries(entries.map(([name, value]) => [nextName(name), value]));

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>;
const valuesOf = (specs: Shapes, called = (name: string): string => name): Record<string, Value> =>
  Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, input(called(name), "float32", shape)]));

interface StepInputs {
  readonly source: StepSource;
  /** In their order: examples, then what is asked for while the step is built. */
  readonly examples: readonly Value[];
  readonly draws: { readonly drawn: Drawn; readonly value: Value }[];
  readonly scalars: Map<string, Value>;
  readonly carried: Map<string, Value>;
  readonly parameters: Record<string, Value>;
  readonly buffers: Record<string, Value>;
}

const inputsOf = (
  { model, settings, range = [0, 1], mixed = false, weighted = false }: StepSpec,
  network: Network,
  rows: number,
): StepInputs => {
  const x = input("x", "float32", [rows, ...model.inputShape]),
    labels = input("labels", "int64", [rows]);
  const partners = mixed ? input("partners", "int64", [rows]) : undefined,
    share = mixed ? input("share", "float32", [rows]) : undefined,
    exampleWeights = weighted ? input("weights", "float32", [rows]) : undefined;
  const draws: { drawn: Drawn; value: Value }[] = [],
    scalars = new Map<string, Value>(),
    carried = new Map<string, Value>(),
    stepsFed = controllers[settings.control.name as keyof typeof controllers].sets.some((name) => name === "steps");
  const once = (held: Map<string, Value>, name: string, dtype: DType, shape: readonly number[]): Value => {
    const value = held.get(name) ?? input(name, dtype, shape);
    held.set(name, value);
    return value;
  };
  return {
    source: {
      x,
      labels,
      partners,
      share,
      exampleWeights,
      draw: (kind, like, shape = like.shape) => {
        const drawn = { name: `draw.${draws.length}`, kind, shape },
          value = input(drawn.name, "float32", shape);
        draws.push({ drawn, value });
        return value;
      },
      scalar: (name) => once(scalars, name, "float32", []),
      steps: stepsFed ? once(scalars, "steps", "int64", []) : undefined,
      carried: (branch) => once(carried, carriedName(branch), "float32", x.shape),
      range,
    },
    examples: [x, labels, partners, share, exampleWeights].filter((v) => v !== undefined),
    draws,
    scalars,
    carried,
    parameters: valuesOf(network.parameters),
    buffers: valuesOf(network.buffers),
  };
};

/**
 * The same step, to rounding, with the activations of one part at a time: gradients are added up in a loop over parts.
 * For models without batch statistics (those of parts are not those of the whole) and weights that are not perturbed.
 */
const inParts = (spec: StepSpec, network: Network, whole: StepInputs, parts: number): Composed => {
  const { recipe, options = {}, settings } = spec,
    rows = settings.batchSize / parts;
  if (settings.awp > 0)
    throw new TemperError("bad-option", "train: weights cannot be perturbed (--awp) by a step in parts (--memory).");
  const inner = inputsOf(spec, network, rows),
    { parameters } = inner;
  const part = compose(network, recipe, options, settings, inner.source, { ...parameters });
  const sums = valuesOf(network.parameters, (name) => `sum.${name}`),
    names = Object.keys(parameters),
    carried = Object.keys(part.carried);
  const results = {
    ...parameters,
    ...Object.fromEntries(names.map((name) => [`grown.${name}`, add(sums[name]!, part.gradients[name]!)])),
    ...part.reports,
    ...nexts(carried.map((branch) => [carriedName(branch), part.carried[branch]!])),
  };
  const asked = reached(inner, Object.values(results)),
    stacks = [...inner.examples, ...asked.draws.map(({ value }) => value), ...asked.carried.map(([, v]) => v)];
  const body = createGraph(
    "part",
    [...Object.values(parameters), ...Object.values(sums), ...stacks, ...asked.scalars],
    results,
  );
  const { source } = whole,
    outer = [
      ...whole.examples,
      ...asked.draws.map(({ drawn: { kind, shape } }) =>
        source.draw(kind, source.x, [shape[0]! * parts, ...shape.slice(1)]),
      ),
      ...asked.carried.map(([name]) => source.carried(name.slice(carriedName("").length))),
    ];
  const weights = Object.values(whole.parameters);
  const [, grown, reports, handed] = cut(
    scan(
      body,
      [...weights, ...weights.map((w) => filledLike(w, 0))],
      outer.map((v, i) => reshape(v, [parts, ...stacks[i]!.shape])),
      { shared: asked.scalars.map(({ node }) => (node.name === "steps" ? source.steps! : source.scalar(node.name))) },
    ),
    [names.length, names.length, Object.keys(part.reports).length, carried.length],
  );
  return {
    reports: Object.fromEntries(
      Object.keys(part.reports).map((name, i) => [
        name,
        (SUMMED.has(name) ? reduceSum : reduceMean)(reports![i]!, [0]),
      ]),
    ),
    parameters: whole.parameters,
    gradients: Object.fromEntries(names.map((name, i) => [name, scale(grown![i]!, 1 / parts)])),
    perturbation: {},
    buffers: {},
    carried: Object.fromEntries(carried.map((branch, i) => [branch, reshape(handed![i]!, whole.source.x.shape)])),
  };
};
/** Consecutive pieces of these lengths. */
const cut = (values: readonly Value[], lengths: readonly number[]): (readonly Value[])[] => {
  let at = 0;
  return lengths.map((length) => values.slice(at, (at += length)));
};
/** Reports that count examples; the others are means. */
const SUMMED = new Set(["right", "evaluations"]);

interface OptimizerInputs {
  readonly scalars: Values;
  readonly state: Values;
}
const optimizerInputs = ({ parameters }: Network, { scalarNames, slots }: GroupedOptimizer): OptimizerInputs => ({
  scalars: valuesOf(Object.fromEntries(scalarNames.map((name) => [name, { shape: [] }]))),
  state: valuesOf(
    Object.fromEntries(
      Object.entries(parameters).flatMap(([name, spec]) => slots.map((slot) => [stateName(name, slot), spec])),
    ),
  ),
});

/** `next.<name>` of parameters and optimizer state. */
const optimized = (
  optimizer: GroupedOptimizer,
  { parameters, gradients, perturbation }: Pick<Composed, "parameters" | "gradients" | "perturbation">,
  { scalars, state }: OptimizerInputs,
): Values => {
  const outputs: Record<string, Value> = {};
  for (const [name, param] of Object.entries(parameters)) {
    const stepped = named(`${name}.step`, () =>
      optimizer.step(name, {
        param,
        gradient: gradients[name]!,
        state: Object.fromEntries(optimizer.slots.map((slot) => [slot, state[stateName(name, slot)]!])),
        scalars,
      }),
    );
    const off = perturbation[name];
    outputs[nextName(name)] = off ? sub(stepped.param, off) : stepped.param;
    for (const [slot, value] of Object.entries(stepped.state)) outputs[nextName(stateName(name, slot))] = value;
  }
  return outputs;
};

/** Numbers that the draws of a step hold, for plans of memory. */
export const drawnSize = ({ draws }: Pick<StepProgram, "draws">): number =>
  draws.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
