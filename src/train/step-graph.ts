import { filledLike, grad } from "../autodiff/index.ts";
import { createGraph, BATCH, type Graph, input, named, type Value } from "../graph/index.ts";
import { add, reduceMean, reshape, scale, scan } from "../ops/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import { type Optimizer, stateName, type Values } from "../optim/index.ts";
import type { OptionSpec, OptionValues } from "../core/index.ts";
import type { ObjectiveType, View } from "./objective.ts";

/** Name of the input that feeds a view. */
export const viewInput = (view: View): string => `x.${view}`;

/** Output with the new value of a weight, buffer or state tensor. */
export const nextName = (name: string): string => `next.${name}`;

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>;
const inputsOf = (specs: Shapes, called = (name: string): string => name): Record<string, Value> =>
  Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, input(called(name), "float32", shape)]));

/**
 * One training step as a graph: forward in training mode, backward, optimizer, batch statistics.
 *
 * Inputs: `x.<view>` [N, C, H, W], `labels` [N], the optimizer's scalars, then parameters, buffers and optimizer state
 * by name. Outputs: `loss`, `logits` of the first view, and `next.<name>` for everything that changes.
 */
export const trainStepGraph = <S extends OptionSpec>(
  model: ModelDefinition,
  objective: ObjectiveType<S>,
  optimizer: Optimizer,
  options: OptionValues<S>,
): Graph => {
  const examples = exampleInputs(model, objective),
    parameters = inputsOf(model.parameters),
    buffers = inputsOf(model.buffers);
  const further = optimizerInputs(model, optimizer);
  const { gradients, updates, ...found } = backward(model, objective, options, examples, { ...parameters, ...buffers });
  const inputs = [
    ...examples.inputs,
    ...Object.values(further.scalars),
    ...Object.values(parameters),
    ...Object.values(buffers),
    ...Object.values(further.state),
  ];
  return createGraph(`${model.name}.${objective.name}`, inputs, {
    ...found,
    ...optimized(model, optimizer, parameters, gradients, further),
    ...updates,
  });
};

/**
 * {@link trainStepGraph} for one batch size, in equal parts one after the other: the gradients of each are added up, and
 * the optimizer sees their mean. The same step, to rounding, with the activations of one part at a time. For models
 * without batch statistics: those of parts are not those of the whole.
 */
export const stepGraphInParts = <S extends OptionSpec>(
  model: ModelDefinition,
  objective: ObjectiveType<S>,
  optimizer: Optimizer,
  options: OptionValues<S>,
  { batchSize, parts }: { readonly batchSize: number; readonly parts: number },
): Graph => {
  const examples = exampleInputs(model, objective, batchSize),
    parameters = inputsOf(model.parameters),
    further = optimizerInputs(model, optimizer);
  const rows = batchSize / parts,
    body = partGraph(model, objective, options, rows);
  const weights = Object.values(parameters),
    zeros = weights.map((w) => filledLike(w, 0)),
    stacks = examples.inputs.map((v) => reshape(v, [parts, rows, ...v.shape.slice(1)]));
  const results = scan(body, [...weights, ...zeros], stacks),
    [losses, logits] = results.slice(2 * weights.length) as [Value, Value];
  const gradients = Object.keys(parameters).map((name, i) => [name, scale(results[weights.length + i]!, 1 / parts)]);
  return createGraph(
    `${model.name}.${objective.name}`,
    [...examples.inputs, ...[further.scalars, parameters, further.state].flatMap((v) => Object.values(v))],
    {
      loss: reduceMean(losses, [0]),
      logits: reshape(logits, [batchSize, ...logits.shape.slice(2)]),
      ...optimized(model, optimizer, parameters, Object.fromEntries(gradients) as Values, further),
    },
  );
};

/** A part: weights and sums of gradients go in and out, with the sums grown; then its loss and its logits. */
const partGraph = <S extends OptionSpec>(
  model: ModelDefinition,
  objective: ObjectiveType<S>,
  options: OptionValues<S>,
  rows: number,
): Graph => {
  const examples = exampleInputs(model, objective, rows),
    parameters = inputsOf(model.parameters),
    sums = inputsOf(model.parameters, (name) => `sum.${name}`);
  const { loss, logits, gradients } = backward(model, objective, options, examples, parameters);
  const grown = Object.entries(sums).map(([name, sum]) => [`grown.${name}`, add(sum, gradients[name]!)] as const);
  return createGraph("part", [...Object.values(parameters), ...Object.values(sums), ...examples.inputs], {
    ...parameters,
    ...Object.fromEntries(grown),
    loss,
    logits,
  });
};

interface Examples {
  readonly xs: readonly (readonly [View, Value])[];
  readonly labels: Value;
  readonly inputs: readonly Value[];
}
const exampleInputs = (
  { inputShape }: ModelDefinition,
  { views }: Pick<ObjectiveType, "views">,
  count: number = BATCH,
): Examples => {
  const xs = views.map((view) => [view, input(viewInput(view), "float32", [count, ...inputShape])] as const);
  const labels = input("labels", "int64", [count]);
  return { xs, labels, inputs: [...xs.map(([, x]) => x), labels] };
};

interface OptimizerInputs {
  readonly scalars: Values;
  readonly state: Values;
}
const optimizerInputs = ({ parameters }: ModelDefinition, { scalarNames, slots }: Optimizer): OptimizerInputs => ({
  scalars: inputsOf(Object.fromEntries(scalarNames.map((name) => [name, { shape: [] }]))),
  state: inputsOf(
    Object.fromEntries(
      Object.entries(parameters).flatMap(([name, spec]) => slots.map((slot) => [stateName(name, slot), spec])),
    ),
  ),
});

/** Forward in training mode, and back: gradients by parameter, and `next.<buffer>` of the batch statistics. */
const backward = <S extends OptionSpec>(
  model: ModelDefinition,
  objective: ObjectiveType<S>,
  options: OptionValues<S>,
  { xs, labels }: Examples,
  weights: Values,
): { readonly loss: Value; readonly logits: Value; readonly gradients: Values; readonly updates: Values } => {
  const applied = xs.map(([view, x]) => [view, model.apply(weights, x, { training: true })] as const);
  const logits = Object.fromEntries(applied.map(([view, { y }]) => [view, y])) as Record<View, Value>;
  const loss = named("loss", () => objective.loss({ logits, labels, options }));
  const names = Object.keys(model.parameters);
  const gradients = grad(
    loss,
    names.map((name) => weights[name]!),
  );
  const updates = applied.flatMap(([, { updates: next }]) => Object.entries(next));
  return {
    loss,
    logits: applied[0]![1].y,
    gradients: Object.fromEntries(names.map((name, i) => [name, gradients[i]!])),
    updates: Object.fromEntries(updates.map(([name, value]) => [nextName(name), value])),
  };
};

/** `next.<name>` of parameters and optimizer state. */
const optimized = (
  model: ModelDefinition,
  optimizer: Optimizer,
  parameters: Values,
  gradients: Values,
  { scalars, state }: OptimizerInputs,
): Values => {
  const outputs: Record<string, Value> = {};
  for (const [name, { role }] of Object.entries(model.parameters)) {
    const stepped = named(`${name}.step`, () =>
      optimizer.step({
        param: parameters[name]!,
        gradient: gradients[name]!,
        state: Object.fromEntries(optimizer.slots.map((slot) => [slot, state[stateName(name, slot)]!])),
        scalars,
        decay: role === "weight",
      }),
    );
    outputs[nextName(name)] = stepped.param;
    for (const [slot, value] of Object.entries(stepped.state)) outputs[nextName(stateName(name, slot))] = value;
  }
  return outputs;
};
