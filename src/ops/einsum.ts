import { sizeOf, TemperError } from "../core/index.ts";
import { type Array64, attr, defineOp, emit, type Shape, type Value } from "../graph/index.ts";
import { expandTo } from "./broadcast.ts";
import { stridesOf, zeros64 } from "./reference.ts";
import { reshape } from "./reshape.ts";
import { constantLike } from "./spread.ts";

/** An equation over given ranks: one label an axis, ellipses written out, output always there. */
interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly output: readonly string[];
}

const bad = (equation: string, why: string): TemperError =>
  new TemperError("bad-shape", `equation "${equation}" ${why}.`);

/** Labels of one term; an ellipsis becomes as many numbered labels as there are axes left, counted from the last. */
const labelsOf = (term: string, rank: number | undefined, equation: string): string[] => {
  const [head, tail, ...more] = term.split("...") as [string, ...string[]];
  if (more.length > 0 || !/^[A-Za-z]*$/.test(head + (tail ?? "")))
    throw bad(equation, `has a malformed term "${term}"`);
  if (tail === undefined) return [...head];
  const hidden = (rank ?? head.length + tail.length) - head.length - tail.length;
  return [...head, ...Array.from({ length: hidden }, (_, i) => `.${hidden - i}`), ...tail];
};

const parseEquation = (equation: string, ranks: readonly number[]): Equation => {
  const [left, right, ...more] = equation.replaceAll(/\s/g, "").split("->") as [string, ...string[]];
  const written = left.split(",");
  if (more.length > 0 || written.length !== ranks.length) throw bad(equation, `does not fit ${ranks.length} operands`);
  const terms = written.map((term, i) => labelsOf(term, ranks[i], equation));
  if (terms.some((labels, i) => labels.length !== ranks[i]))
    throw bad(equation, `does not fit operands of ranks ${ranks.join(", ")}`);
  const all = terms.flat(),
    hidden = Math.max(0, ...all.filter((l) => l.startsWith(".")).map((l) => Number(l.slice(1))));
  const dots = Array.from({ length: hidden }, (_, i) => `.${hidden - i}`);
  if (right !== undefined) {
    const [head, tail] = right.split("...") as [string, ...string[]];
    const output = [
      ...labelsOf(head, undefined, equation),
      ...(tail === undefined ? [] : [...dots, ...labelsOf(tail, undefined, equation)]),
    ];
    if (new Set(output).size !== output.length || output.some((l) => !l.startsWith(".") && !all.includes(l)))
      throw bad(equation, "has an output that does not follow from its terms");
    return { terms, output };
  }
  const once = [...new Set(all)].filter((l) => !l.startsWith(".") && all.filter((m) => m === l).length === 1);
  return { terms, output: [...dots, ...once.sort()] };
};

/** Size of every label; 1 broadcasts. */
const sizesOf = (equation: string, { terms }: Equation, shapes: readonly Shape[]): Map<string, number> => {
  const sizes = new Map<string, number>();
  terms.forEach((labels, i) =>
    labels.forEach((label, axis) => {
      const d = shapes[i]![axis]!,
        before = sizes.get(label) ?? 1;
      if (d !== 1 && before !== 1 && d !== before)
        throw bad(equation, `gives label ${label} the sizes ${before} and ${d}`);
      sizes.set(label, before === 1 ? d : before);
    }),
  );
  return sizes;
};

const solved = (equation: string, shapes: readonly Shape[]): Equation & { sizes: Map<string, number> } => {
  const parsed = parseEquation(
    equation,
    shapes.map((s) => s.length),
  );
  return { ...parsed, sizes: sizesOf(equation, parsed, shapes) };
};

/** Sum over products of the operands, axes named by the equation. Source: ONNX Einsum (NumPy einsum). */
export const Einsum = defineOp({
  name: "Einsum",
  arity: [1, Infinity],
  attributes: { equation: attr.string() },
  infer: (inputs, { equation = "" }) => {
    const { output, sizes } = solved(
      equation,
      inputs.map((v) => v.shape),
    );
    return [{ dtype: inputs[0].dtype, shape: output.map((l) => sizes.get(l) ?? 1) }];
  },
  vjp: ({ g, inputs, needs, attributes: { equation = "" } }) => {
    const all = solved(
      equation,
      inputs.map((v) => v.shape),
    );
    return inputs.map((x, i) => (needs[i] ? pull(g, inputs, x, i, all) : undefined));
  },
  reference: (inputs, { equation = "" }) => [
    contract(
      inputs as readonly Array64[],
      solved(
        equation,
        inputs.map((v) => v.shape),
      ),
    ),
  ],
});

/**
 * Cotangent of operand i: the einsum of g with the other operands. An axis that operand i broadcasts is summed; one
 * that only operand i has is spread; an axis named twice is a diagonal, put back by an identity matrix.
 */
const pull = (
  g: Value,
  inputs: readonly Value[],
  x: Value,
  i: number,
  { terms, output, sizes }: Equation & { sizes: Map<string, number> },
): Value => {
  const others = inputs.flatMap((v, k) => (k === i ? [] : [{ v, labels: terms[k]! }]));
  const operands = [{ v: g, labels: output }, ...others];
  const wanted: string[] = [];
  terms[i]!.forEach((label, axis) => {
    if (!wanted.includes(label)) return void wanted.push(label);
    const fresh = `'${axis}`,
      size = sizes.get(label)!;
    if (size < 0) throw new TemperError("unsupported", "the diagonal over the batch axis has no gradient rule.");
    operands.push({ v: constantLike(x, identity(size), [size, size]), labels: [label, fresh] });
    wanted.push(fresh);
  });
  const present = new Set(operands.flatMap(({ labels }) => labels));
  const kept = wanted.map((label, axis) => present.has(label) && x.shape[axis] !== 1);
  const y = emit(
    Einsum,
    operands.map(({ v }) => v),
    {
      equation: written(
        operands.map(({ labels }) => labels),
        wanted.filter((_, axis) => kept[axis]),
      ),
    },
  );
  let next = 0;
  return expandTo(
    reshape(
      y,
      kept.map((keep) => (keep ? y.shape[next++]! : 1)),
    ),
    x,
  );
};

const identity = (size: number): Float64Array =>
  Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** An equation in letters, for labels of any form. */
const written = (terms: readonly (readonly string[])[], output: readonly string[]): string => {
  const names = [...new Set(terms.flat())];
  if (names.length > LETTERS.length) throw new TemperError("unsupported", `${names.length} labels are too many.`);
  const text = (labels: readonly string[]): string => labels.map((l) => LETTERS[names.indexOf(l)]).join("");
  return `${terms.map(text).join(",")}->${text(output)}`;
};

/** Loops over all labels, the output's first, so that the innermost one sums where anything is summed. */
const contract = (
  inputs: readonly Array64[],
  { terms, output, sizes }: Equation & { sizes: Map<string, number> },
): Array64 => {
  const order = [...output, ...[...sizes.keys()].filter((l) => !output.includes(l))],
    counts = order.map((l) => sizes.get(l) ?? 1);
  const out = zeros64(
    output.map((l) => sizes.get(l) ?? 1),
    inputs[0]!.dtype,
  );
  const steps = inputs.map((x, i) => labelSteps(order, terms[i]!, x.shape));
  const outSteps = labelSteps(order, output, out.shape);
  if (sizeOf(counts) === 0) return out;
  const visit = (level: number, to: number, at: readonly number[]): void => {
    if (level === order.length) {
      out.data[to]! += inputs.reduce((p, x, i) => p * x.data[at[i]!]!, 1);
      return;
    }
    if (level === order.length - 1 && inputs.length === 2)
      return addLine(
        out.data,
        to,
        outSteps[level]!,
        inputs,
        at,
        steps.map((s) => s[level]!),
        counts[level]!,
      );
    for (let k = 0; k < counts[level]!; k++)
      visit(
        level + 1,
        to + k * outSteps[level]!,
        at.map((p, i) => p + k * steps[i]![level]!),
      );
  };
  visit(
    0,
    0,
    inputs.map(() => 0),
  );
  return out;
};

/** The innermost loop of two operands. */
const addLine = (
  out: Float64Array,
  to: number,
  step: number,
  [a, b]: readonly Array64[],
  [p, q]: readonly number[],
  [da, db]: readonly number[],
  count: number,
): void => {
  const x = a!.data,
    y = b!.data;
  for (let k = 0; k < count; k++) out[to + k * step]! += x[p! + k * da!]! * y[q! + k * db!]!;
};

/** How far one step of each label moves within an operand; labels named twice add up, broadcast axes stay. */
const labelSteps = (order: readonly string[], labels: readonly string[], shape: readonly number[]): number[] => {
  const strides = stridesOf(shape);
  return order.map((l) =>
    labels.reduce((sum, m, axis) => sum + (m === l && shape[axis] !== 1 ? strides[axis]! : 0), 0),
  );
};

/** Einstein summation, for example `einsum("bhid,bhjd->bhij", q, k)`. */
export const einsum = (equation: string, ...operands: Value[]): Value => emit(Einsum, operands, { equation });
