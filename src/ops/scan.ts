import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import { type Array64, attr, defineOp, type Dim, emitAll, type Graph, type Value } from "../graph/index.ts";
import { evaluateGraph } from "./evaluate.ts";

interface ScanAttributes {
  readonly body: Graph | undefined;
  readonly num_scan_inputs: number | undefined;
  readonly num_shared: number;
  readonly scan_input_directions: readonly number[] | undefined;
}

/** Last inputs that every time sees alike. ONNX has no such inputs: the body reads them from the graph around it. */
export const SHARED = "num_shared";

/**
 * Runs a graph once for every slice of some inputs, passing states from one time to the next. Inputs: states, then
 * stacks [k, ...], then what all times share. Outputs: the last states, then what every time gave, stacked. The body
 * takes states, slices and the shared, and gives new states and results, in this order. From the last slice to the first
 * where the directions are 1: all of them, and those of the results. It has no gradient rule. Source: ONNX Scan.
 */
export const Scan = defineOp({
  name: "Scan",
  arity: [1, Infinity],
  attributes: {
    body: attr.graph(),
    num_scan_inputs: attr.int(),
    [SHARED]: attr.int(0),
    scan_input_directions: attr.ints(),
    scan_output_directions: attr.ints(),
  },
  captured: ({ num_shared }) => num_shared,
  infer: (given, { body, num_scan_inputs, num_shared }: ScanAttributes) => {
    const inputs = given as readonly { readonly shape: readonly Dim[] }[],
      stacked = inputs.length - num_shared,
      states = stacked - num_scan_inputs!,
      times = inputs[stacked - 1]!.shape[0]!;
    body!.inputs.forEach(({ node: { name }, shape }, i) => {
      const wanted = i < states || i >= stacked ? shape : [times, ...shape];
      if (!inputs[i] || !sameShape(inputs[i].shape, wanted))
        throw new TemperError(
          "bad-shape",
          `the body's input "${name}" wants ${formatShape(wanted)}, got ${formatShape(inputs[i]?.shape ?? [])}.`,
        );
    });
    return Object.values(body!.outputs).map(({ dtype, shape }, i) => ({
      dtype,
      shape: i < states ? shape : [times, ...shape],
    }));
  },
  reference: (given, { body, num_scan_inputs, num_shared, scan_input_directions }: ScanAttributes) => {
    const inputs = given as readonly Array64[],
      stacked = inputs.length - num_shared,
      count = stacked - num_scan_inputs!,
      stacks = inputs.slice(count, stacked),
      names = body!.inputs.map((v) => v.node.name);
    let states = inputs.slice(0, count);
    const results: Array64[][] = [],
      order = Array.from({ length: stacks[0]!.shape[0]! }, (_, i) => i);
    if (scan_input_directions?.includes(1)) order.reverse();
    for (const time of order) {
      const values = [...states, ...stacks.map((stack) => slice(stack, time)), ...inputs.slice(stacked)];
      const outputs = Object.values(evaluateGraph(body!, Object.fromEntries(values.map((v, i) => [names[i]!, v]))));
      states = outputs.slice(0, count);
      results[time] = outputs.slice(count);
    }
    return [...states, ...(results[0] ?? []).map((_, i) => stack(results.map((time) => time[i]!)))];
  },
});

/** @returns the last states, then the stacked results. @throws TemperError `bad-shape`, naming the body's input */
export const scan = (
  body: Graph,
  states: readonly Value[],
  stacks: readonly Value[],
  { shared = [], reverse = false }: { readonly shared?: readonly Value[]; readonly reverse?: boolean } = {},
): readonly Value[] =>
  emitAll(Scan, [...states, ...stacks, ...shared], {
    body,
    num_scan_inputs: stacks.length,
    [SHARED]: shared.length,
    ...(reverse && backwards(stacks.length, Object.keys(body.outputs).length - states.length)),
  });
const backwards = (stacks: number, results: number): Record<string, readonly number[]> => ({
  scan_input_directions: new Array<number>(stacks).fill(1),
  scan_output_directions: new Array<number>(results).fill(1),
});

const slice = ({ dtype, shape, data }: Array64, time: number): Array64 => {
  const size = sizeOf(shape.slice(1));
  return { dtype, shape: shape.slice(1), data: data.slice(time * size, (time + 1) * size) };
};
const stack = (slices: readonly Array64[]): Array64 => {
  const { dtype, shape } = slices[0]!,
    size = sizeOf(shape),
    data = new Float64Array(slices.length * size);
  slices.forEach((part, i) => data.set(part.data, i * size));
  return { dtype, shape: [slices.length, ...shape], data };
};
