import { formatShape, sameShape, TemperError } from "../core/index.ts";
import {
  type Array64,
  attr,
  Constant,
  createGraph,
  defineOp,
  emitAll,
  type Graph,
  input,
  nodesOf,
  rewriteValues,
  type Value,
} from "../graph/index.ts";
import { evaluateGraph } from "./evaluate.ts";

interface LoopAttributes {
  readonly body: Graph | undefined;
}

/** The iteration's number and whether to go on: in a body before the states, in the node the count and a condition. */
const BEFORE = 2;
const statesOf = (body: Graph): readonly Value[] => Object.values(body.outputs).slice(1);

/**
 * Runs a graph as often as input 0 says, passing states from one time to the next. Inputs: the count, a condition (always
 * absent), states, then values that every time reads. Outputs: the last states. It has no gradient rule, and no results
 * of single times. Source: ONNX Loop.
 */
export const Loop = defineOp({
  name: "Loop",
  arity: [1, Infinity],
  attributes: { body: attr.graph() },
  captured: ({ body }: LoopAttributes) => body!.inputs.length - BEFORE - statesOf(body!).length,
  infer: (given, { body }: LoopAttributes) => {
    const states = statesOf(body!);
    body!.inputs.slice(BEFORE).forEach((wanted, i) => {
      check(wanted, given[BEFORE + i]);
      if (i < states.length) check(wanted, states[i]);
    });
    return states.map(({ dtype, shape }) => ({ dtype, shape }));
  },
  reference: ([count, , ...given], { body }: LoopAttributes) => {
    const names = body!.inputs.map((v) => v.node.name),
      read = given.slice(statesOf(body!).length);
    let states: readonly Array64[] = given.slice(0, statesOf(body!).length);
    for (let time = 0; time < count.data[0]!; time++) {
      const values = [integer(time), TRUE, ...states, ...read];
      const fed = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      states = Object.values(evaluateGraph(body!, fed)).slice(1);
    }
    return states;
  },
});

const check = ({ node: { name }, dtype, shape }: Value, given: Value | undefined): void => {
  if (given?.dtype === dtype && sameShape(given.shape, shape)) return;
  const got = given ? `${given.dtype}${formatShape(given.shape)}` : "none";
  throw new TemperError("bad-shape", `the body's input "${name}" wants ${dtype}${formatShape(shape)}, got ${got}.`);
};

const integer = (value: number): Array64 => ({ dtype: "int64", shape: [], data: Float64Array.of(value) });
const TRUE: Array64 = { dtype: "bool", shape: [], data: Float64Array.of(1) };

/**
 * @param count  int64 scalar
 * @param body  takes states, then what it only reads, and gives the next states in the same order
 * @returns the last states. @throws TemperError `bad-shape`, naming the body's input
 */
export const repeat = (
  count: Value,
  body: Graph,
  states: readonly Value[],
  read: readonly Value[] = [],
): readonly Value[] => {
  const time = input("time", "int64", []),
    goesOn = input("goes_on", "bool", []);
  const inside = createGraph(body.name, [time, goesOn, ...body.inputs], { still_on: goesOn, ...body.outputs });
  return emitAll(Loop, [count, undefined, ...states, ...read], { body: inside });
};

/**
 * {@link repeat} of a function: its values may follow from any others of the graph around, which are computed once.
 *
 * @param step  from states to the next ones, of their types and in their order
 * @returns the last states. @throws TemperError `bad-shape`, naming the state (`state.1`)
 */
export const iterate = (
  name: string,
  count: Value,
  starts: readonly Value[],
  step: (states: readonly Value[]) => readonly Value[],
): readonly Value[] => {
  const states = starts.map(({ dtype, shape }, i) => input(`state.${i}`, dtype, shape)),
    after = step(states);
  const outside = readFrom(after, states),
    inside = outside.map(({ dtype, shape }, i) => input(`outside.${i}`, dtype, shape));
  const written = rewriteValues(after, () => undefined, new Map(outside.map((v, i) => [v, inside[i]!])));
  const outputs = Object.fromEntries(written.map((v, i) => [`after.${i}`, v]));
  return repeat(count, createGraph(name, [...states, ...inside], outputs), starts, outside);
};

/** Values that `results` read and that do not follow from `own`; constants belong to whoever reads them. */
const readFrom = (results: readonly Value[], own: readonly Value[]): readonly Value[] => {
  const following = new Set(own),
    found = new Set<Value>();
  const outside = (v: Value | undefined): v is Value => v !== undefined && !following.has(v) && v.node.op !== Constant;
  for (const { inputs, outputs } of nodesOf(results)) {
    if (!inputs.some((v) => v && following.has(v))) continue;
    outputs.forEach((v) => following.add(v));
    for (const v of inputs) if (outside(v)) found.add(v);
  }
  for (const v of results) if (outside(v)) found.add(v);
  return [...found];
};
