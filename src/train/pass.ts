import { stopGradient } from "../autodiff/index.ts";
import { TemperError } from "../core/index.ts";
import { named, type Value } from "../graph/index.ts";
import type { Weights } from "../nn/index.ts";
import { add, argMax, cast, equal, mul, reduceMean, reduceSum, scale } from "../ops/index.ts";
import type { Values } from "../optim/index.ts";
import { type Composing, randomOf, type StepSource, termContext } from "./composing.ts";
import type { Branch, Term, View } from "./recipe.ts";

export interface Passed {
  readonly loss: Value;
  /** Scalars: `right`, `term.<name>`. */
  readonly reports: Values;
  /** Those that moved. */
  readonly buffers: Values;
}

/** Forward through all branches that the update reads, and the terms of its loss. */
export const pass = (context: Composing, views: Readonly<Record<string, View>>, weights: Weights): Passed => {
  const { network, branches, terms, source } = context;
  const entering = terms.filter(({ enters }) => enters !== "attack");
  const logits: Record<string, Value> = {};
  let now: Weights = weights; // running statistics move from branch to branch
  const apply = (branch: Branch<unknown>, { x, tap }: Pick<View, "x" | "tap">): { y: Value; updates: Values } =>
    network.apply(network.using(now, branch.statistics), x, {
      training: branch.batchNorm !== "running",
      random: randomOf(source),
      tap,
    });
  for (const [name, branch] of Object.entries(branches)) {
    if (!entering.some(({ reads }) => reads.includes(name))) continue;
    const { y, updates } = apply(branch, views[name]!);
    logits[name] = branch.detach ? stopGradient(y) : y;
    const moved = Object.entries(updates).map(([key, value]) => [network.nameIn(key, branch.statistics), value]);
    now = { ...now, ...(Object.fromEntries(moved) as Values) };
  }
  const first = Object.values(branches)[0]!;
  const at = { ...context, weights };
  const parts = entering.map((term): [string, Value] =>
    named(term.name, () => {
      const value = term.of(termContext(at, logits, views, (x) => apply(first, { x }).y));
      return [`term.${term.name}`, reduced(term, value, source)];
    }),
  );
  const total = parts.map(([, value], i) => scale(value, entering[i]!.weight ?? 1)).reduce((sum, v) => add(sum, v));
  return {
    loss: total,
    reports: { right: rightIn(Object.values(logits)[0]!, source.labels), ...Object.fromEntries(parts) },
    buffers: Object.fromEntries(
      Object.keys(network.buffers).flatMap((name) => (now[name] === weights[name] ? [] : [[name, now[name]!]])),
    ),
  };
};

const reduced = ({ name, reduction }: Term<unknown>, value: Value, { exampleWeights }: StepSource): Value => {
  if (reduction === "none") {
    if (value.shape.length === 0) return value;
    throw new TemperError("bad-shape", `term ${name}: a term of no reduction gives a number, not one an example.`);
  }
  const rows = exampleWeights ? mul(value, exampleWeights) : value;
  return reduction === "mean" ? reduceMean(rows, [0]) : reduceSum(rows, [0]);
};

const rightIn = (logits: Value, labels: Value): Value =>
  reduceSum(cast(equal(argMax(logits, 1, false), labels), "float32"), [0]);
