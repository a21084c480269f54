import { attacks, classifierOf } from "../attack/index.ts";
import { lookup, resolveOptions, TemperError } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import type { Classifier } from "../models/index.ts";
import type { NormName } from "../threat/index.ts";
import type { AttackSpec } from "./protocol.ts";

/** The attack with its options filled in. @throws TemperError `not-found`, `bad-option` */
export const checkAttack = ({ name, options }: AttackSpec, norm: NormName): Required<AttackSpec> => {
  const attack = lookup(attacks, name, "attack");
  if (!attack.norms.includes(norm))
    throw new TemperError("bad-option", `${name} attacks in ${attack.norms.join(", ")}, not in ${norm}.`);
  return { name, options: resolveOptions(name, attack.options, options) };
};

/** @throws TemperError `bad-option`: naming the number that cannot be used */
export const checkNumbers = (given: {
  readonly epsilon: number;
  readonly seed: number;
  readonly batch: number;
  readonly threads: number;
  readonly lanes: number;
  readonly sweepCount?: number;
}): void => {
  const refuse = (name: string, expected: string, value: number): never => {
    throw new TemperError("bad-option", `evaluate: ${name} must be ${expected}, got ${value}.`);
  };
  const { epsilon, seed, lanes, ...counts } = given;
  if (!(Number.isFinite(epsilon) && epsilon >= 0)) refuse("epsilon", "a finite number from 0", epsilon);
  if (!Number.isSafeInteger(seed)) refuse("seed", "an integer", seed);
  if (!Number.isSafeInteger(lanes) || lanes < 0) refuse("lanes", "a whole number from 0", lanes);
  for (const [name, value] of Object.entries(counts))
    if (!Number.isSafeInteger(value) || value < 1) refuse(name, "a whole number from 1", value);
};

/** @returns the number of classes. @throws TemperError `bad-data` where a label is none of the model's classes */
export const checkLabels = (model: Classifier, dataset: Dataset): number => {
  const { classes } = classifierOf(model.graph);
  const beyond = dataset.labels.findIndex((label) => label >= classes);
  if (beyond >= 0)
    throw new TemperError(
      "bad-data",
      `${dataset.name}: example ${beyond} has label ${dataset.labels[beyond]}, but ${model.path} knows ${classes} classes.`,
    );
  return classes;
};
