import { formatShape, sameShape, sizeOf, TemperError } from "../core/index.ts";
import { type Array64, attr, defineOp, type Dim, emitAll, type Graph, type Value } from "../graph/index.ts";
import { evaluateGraph } from "./evaluate.ts";

interface ScanAttributes {
  readonly body: Graph | undefined;
  readonly num_scan_inputs: number | undefined;
}

/**
 * Runs a graph once for every slice of some inputs, passing states from one time to the next. Inputs: states, then
 * stacks [k, ...]. Outputs: the last states, then what every time gave, stacked. The body takes states and slices, and
 * gives new states and results, in this order. It has no gradient rule. Source: ONNX Scan.
 */
export const Scan = defineOp({
  name: "Scan",
  arity: [1, Infinity],
  attributes: { body: attr.graph(), num_scan_inputs: attr.int() },
  infer: (given, { body, num_scan_inputs }: ScanAttributes) => {
    const inputs = given as readonly { readonly shape: readonly Dim[] }[],
      states = inputs.length - num_scan_inputs!,
      times = inputs.at(-1)!.shape[0]!;
    body!.inputs.forEach(({ node: { name }, shape }, i) => {
      const wanted = i < states ? shape : [times, ...shape];
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
  reference: (given, { body, num_scan_inputs }: ScanAttributes) => {
    const inputs = given as readonly Array64[],
      count = inputs.length - num_scan_inputs!,
      stacks = inputs.slice(count),
      names = body!.inputs.map((v) => v.node.name);
    let states = inputs.slice(0, count);
    const results: Array64[][] = [];
    for (let time = 0; time < stacks[0]!.shape[0]!; time++) {
      const values = [...states, ...stacks.map((stack) => slice(stack, time))];
      const outputs = Object.values(evaluateGraph(body!, Object.fromEntries(values.map((v, i) => [names[i]!, v]))));
      states = outputs.slice(0, count);
      results.push(outputs.slice(count));
    }
    return [...states, ...(results[0] ?? []).map((_, i) => stack(results.map((time) => time[i]!)))];
  },
});

/** @returns the last states, then the stacked results. @throws TemperError `bad-shape`, naming the body's input */
export const scan = (body: Graph, states: readonly Value[], stacks: readonly Value[]): readonly Value[] =>
  emitAll(Scan, [...states, ...stacks], { body, num_scan_inputs: stacks.length });

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
