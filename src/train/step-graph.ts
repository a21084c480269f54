import { grad } from "../autodiff/index.ts";
import { createGraph, BATCH, type Graph, input, named, type Value } from "../graph/index.ts";
import type { ModelDefinition } from "../models/index.ts";
import { type Optimizer, stateName } from "../optim/index.ts";
import type { OptionSpec, OptionValues } from "../core/index.ts";
import type { ObjectiveType, View } from "./objective.ts";

/** Name of the input that feeds a view. */
export const viewInput = (view: View): string => `x.${view}`;

/** Output with the new value of a weight, buffer or state tensor. */
export const nextName = (name: string): string => `next.${name}`;

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
  const { inputShape } = model;
  const xs = objective.views.map((view) => [view, input(viewInput(view), "float32", [BATCH, ...inputShape])] as const);
  const labels = input("labels", "int64", [BATCH]);
  const scalars = Object.fromEntries(optimizer.scalarNames.map((name) => [name, input(name, "float32", [])]));
  const inputsOf = (specs: Readonly<Record<string, { readonly shape: readonly number[] }>>): Record<string, Value> =>
    Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, input(name, "float32", shape)]));
  const parameters = inputsOf(model.parameters),
    buffers = inputsOf(model.buffers);
  const state = Object.fromEntries(
    Object.entries(model.parameters).flatMap(([name, { shape }]) =>
      optimizer.slots.map((slot) => [stateName(name, slot), input(stateName(name, slot), "float32", shape)]),
    ),
  );
  const weights = { ...parameters, ...buffers };
  const applied = xs.map(([view, x]) => [view, model.apply(weights, x, { training: true })] as const);
  const logits = Object.fromEntries(applied.map(([view, { y }]) => [view, y])) as Record<View, Value>;
  const loss = named("loss", () => objective.loss({ logits, labels, options }));
  const names = Object.keys(parameters);
  const gradients = grad(loss, Object.values(parameters));
  const outputs: Record<string, Value> = { loss, logits: applied[0]![1].y };
  names.forEach((name, i) => {
    const stepped = named(`${name}.step`, () =>
      optimizer.step({
        param: parameters[name]!,
        gradient: gradients[i]!,
        state: Object.fromEntries(optimizer.slots.map((slot) => [slot, state[stateName(name, slot)]!])),
        scalars,
        decay: model.parameters[name]!.role === "weight",
      }),
    );
    outputs[nextName(name)] = stepped.param;
    for (const [slot, value] of Object.entries(stepped.state)) outputs[nextName(stateName(name, slot))] = value;
  });
  for (const [, { updates }] of applied)
    for (const [name, value] of Object.entries(updates)) outputs[nextName(name)] = value;
  const inputs = [
    ...xs.map(([, x]) => x),
    labels,
    ...Object.values(scalars),
    ...Object.values(weights),
    ...Object.values(state),
  ];
  return createGraph(`${model.name}.${objective.name}`, inputs, outputs);
};
