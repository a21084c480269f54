import { type Graph, Input, type Node, type Value } from "../../graph/index.ts";
import { bytesOf, constantNodes, executionOrder, isView } from "../memory.ts";

/** A value that an early node makes, and its views. */
export interface Made {
  readonly bytes: number;
  /** Steps of its making and of its last reading by an early node. */
  readonly first: number;
  readonly last: number;
  /** What late nodes read of it. */
  readonly late: readonly Value[];
}

/** A graph at the step after which it gives back what it has: where forward ends and the way back begins. */
export interface Turn {
  readonly early: ReadonlySet<Node>;
  /** What early nodes make, in the order of its making. */
  readonly made: readonly Made[];
  /** Which of them a value belongs to; undefined: fed, constant, or made late. */
  readonly madeOf: (v: Value) => Made | undefined;
}

/** Share of all steps that a value must be held for to count. */
const LONG = 0.05;

/** The turn of a graph of known shapes. */
export const turnOf = (graph: Graph): Turn => {
  const order = executionOrder(graph),
    fixed = constantNodes(order),
    steps = new Map(order.map((node, step) => [node, step]));
  const reads = new Map<Value, [Value, number][]>(), // by the value that they are views of
    note = (v: Value, step: number): void => void reads.set(root(v), [...(reads.get(root(v)) ?? []), [v, step]]);
  for (const node of order) for (const v of node.inputs) if (v) note(v, steps.get(node)!);
  for (const v of Object.values(graph.outputs)) note(v, order.length);
  const own = [...reads].filter(([{ node }]) => node.op !== Input && !fixed.has(node)),
    spans = own.map(([v, found]) => [steps.get(v.node)!, Math.max(...found.map(([, step]) => step)), bytesOf(v, 1)]);
  const at = largestStep(order.length, spans.filter(([first, last]) => last! - first! > LONG * order.length)); // prettier-ignore
  const made = new Map(
    own
      .filter(([{ node }]) => steps.get(node)! <= at)
      .map(([v, found]): [Value, Made] => [
        v,
        {
          bytes: bytesOf(v, 1),
          first: steps.get(v.node)!,
          last: Math.max(...found.map(([, step]) => (step <= at ? step : 0))),
          late: [...new Set(found.flatMap(([u, step]) => (step > at ? [u] : [])))],
        },
      ]),
  );
  return {
    early: new Set(order.slice(0, at + 1)),
    made: [...made.values()].toSorted((a, b) => a.first - b.first),
    madeOf: (v) => made.get(root(v)),
  };
};

/** What a value is a view of. */
const root = (v: Value): Value => (isView(v.node) ? root(v.node.inputs[0]!) : v);

/** The step during which most bytes are held, of spans `[first, last, bytes]`. */
const largestStep = (steps: number, spans: readonly (readonly number[])[]): number => {
  const change = new Float64Array(steps + 2);
  for (const [first, last, bytes] of spans) {
    change[first!]! += bytes!;
    change[last! + 1]! -= bytes!;
  }
  let [held, most, at] = [0, 0, 0];
  for (let step = 0; step < steps; step++) {
    held += change[step]!;
    if (held > most) [most, at] = [held, step];
  }
  return at;
};
