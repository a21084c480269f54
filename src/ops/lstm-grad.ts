import { TemperError } from "../core/index.ts";
import { createGraph, defineOp, emit, input, type Inputs, ints, type Value } from "../graph/index.ts";
import { add, mul, scalarLike, sub } from "./arithmetic.ts";
import { Expand, reduceSum, Shape_ } from "./broadcast.ts";
import { concat, split } from "./concat.ts";
import { lstmSizes } from "./lstm.ts";
import { gemm } from "./matmul.ts";
import { reshape } from "./reshape.ts";
import { scan } from "./scan.ts";
import { sigmoid, tanh } from "./unary.ts";

/** States after a step, and what else it gives. */
interface Stepped {
  readonly states: readonly Value[];
  readonly results: readonly Value[];
}
/** A computation step by step: states go from one to the next, stacks [steps, ...] give each a slice. */
interface Course {
  readonly step: (states: readonly Value[], slices: readonly Value[], shared: readonly Value[]) => Stepped;
  readonly states: readonly Value[];
  readonly stacks: readonly Value[];
  readonly shared: readonly Value[];
  /** From the last slice to the first. */
  readonly reverse?: boolean;
}
/** Gives the last states, and the results of all steps, stacked. */
export type Recurrence = (course: Course) => Stepped;

/** The steps one after another in the graph. */
const written: Recurrence = ({ step, states, stacks, shared, reverse }) => {
  const steps = stacks[0]!.shape[0]!;
  const slices = stacks.map((v) => {
    const parts = steps === 1 ? [v] : split(v, new Array<number>(steps).fill(1), 0);
    return parts.map((part) => reshape(part, v.shape.slice(1)));
  });
  const results: (readonly Value[])[] = [],
    order = Array.from({ length: steps }, (_, t) => (reverse ? steps - 1 - t : t));
  let current = states;
  for (const t of order) {
    const { states: next, results: found } = step(current, slices.map((parts) => parts[t]!), shared); // prettier-ignore
    current = next;
    results[t] = found;
  }
  const stacked = (i: number): Value => concat(results.map((found) => reshape(found[i]!, [1, ...found[i]!.shape])), 0); // prettier-ignore
  return { states: current, results: results[0]!.map((_, i) => stacked(i)) };
};

/** The steps as the body of a Scan. */
export const scanned: Recurrence = ({ step, states, stacks, shared, reverse = false }) => {
  const inputs = (name: string, values: readonly Value[], drop = 0): readonly Value[] =>
    values.map((v, i) => input(`${name}${i}`, v.dtype, v.shape.slice(drop)));
  const given = [inputs("state", states), inputs("slice", stacks, 1), inputs("shared", shared)] as const,
    found = step(...given);
  const outputs = [...found.states, ...found.results].map((v, i) => [`output${i}`, v] as const);
  const body = createGraph("step", given.flat(), Object.fromEntries(outputs));
  const all = scan(body, states, stacks, { shared, reverse });
  return { states: all.slice(0, states.length), results: all.slice(states.length) };
};

/** Inputs of an LSTM: x, w, r, b, no lengths, h, c. */
type Given = readonly (Value | undefined)[];

/** All outputs of an LSTM, and what its gradient reads: of every step, what the way back multiplies by. */
export interface LstmForward {
  readonly outputs: readonly [all: Value, h: Value, c: Value];
  readonly slopes: readonly Value[];
  /** Rows [h, x] that the weights met. */
  readonly rows: Value;
}

/**
 * The way forward. What belongs to one step is computed together while it lies in the processor's caches: with the gates
 * i, o, f, the candidates m and t = tanh c, the slopes are dc/dh: o - h t; of the sums: those of i m, h and f c' times 1
 * minus the gate, and i - (i m) m of the candidates.
 */
export const lstmForward = (loop: Recurrence, [x, w, r, b, , h, c]: Given): LstmForward => {
  const { units, inputs, batch, steps } = lstmSizes([x, w, r]);
  if (steps < 1) throw new TemperError("unsupported", "LSTM: a gradient wants a known number of steps.");
  const state = (v: Value | undefined): Value => (v ? reshape(v, [batch, units]) : zeros(x!, units));
  const weights = concat([reshape(r!, [4 * units, units]), reshape(w!, [4 * units, inputs])], 1),
    bias = b && add(...(split(reshape(b, [8 * units]), [4 * units, 4 * units], 0) as [Value, Value]));
  const { states, results } = loop({
    states: [state(h), state(c)],
    stacks: [x!],
    shared: bias ? [weights, bias] : [weights],
    step: ([before, cells], [now], [k, shift]) => {
      const row = concat([before!, now!], 1);
      const sums = split(gemm(row, k!, shift, { transB: 1 }), [units, units, units, units], 1);
      const [enter, leave, keep] = sums.slice(0, 3).map(sigmoid) as [Value, Value, Value],
        candidates = tanh(sums[3]!);
      const entering = mul(enter, candidates),
        kept = mul(keep, cells!),
        next = add(kept, entering),
        shown = tanh(next),
        y = mul(leave, shown);
      const slopes = [
        [entering, entering, enter],
        [y, y, leave],
        [kept, kept, keep],
        [enter, entering, candidates],
        [leave, y, shown],
      ].map(([v, factor, gate]) => sub(v!, mul(factor!, gate!)));
      return { states: [y, next], results: [y, row, keep, ...slopes] };
    },
  });
  const [all, rows, ...slopes] = results as [Value, Value, ...Value[]],
    [last, cells] = states.map((v) => reshape(v, [1, batch, units])) as [Value, Value];
  return { outputs: [reshape(all, [steps, 1, batch, units]), last, cells], slopes, rows };
};

/**
 * The way back, from the cotangents of all h, of the last h and of the last c: only what one step passes to the one
 * before it is done step by step; what belongs to weights and inputs is one product over all steps.
 * @returns cotangents of x, w, r, b, h and c
 */
export const lstmBackward = (
  loop: Recurrence,
  [x, w, r]: Given,
  { slopes, rows }: LstmForward,
  [all, last, cells]: Given,
): readonly Value[] => {
  const { units, inputs, batch, steps } = lstmSizes([x, w, r]);
  const state = (v: Value | undefined): Value => (v ? reshape(v, [batch, units]) : zeros(x!, units));
  const { states, results } = loop({
    states: [state(last), state(cells)],
    stacks: [...slopes, ...(all ? [reshape(all, [steps, batch, units])] : [])],
    shared: [reshape(r!, [4 * units, units])],
    step: ([fromLater, kept], [keep, enter, leave, keeping, candidates, shown, own], [k]) => {
      const dh = own ? add(fromLater!, own) : fromLater!,
        dc = add(kept!, mul(dh, shown!));
      const sums = concat([mul(dc, enter!), mul(dh, leave!), mul(dc, keeping!), mul(dc, candidates!)], 1);
      return { states: [gemm(sums, k!), mul(dc, keep!)], results: [sums] };
    },
    reverse: true,
  });
  const flat = (v: Value): Value => reshape(v, [steps * batch, v.shape[2]!]);
  const sums = flat(results[0]!);
  const [dr, dw] = split(gemm(sums, flat(rows), undefined, { transA: 1 }), [units, inputs], 1) as [Value, Value],
    db = reduceSum(sums, [0]);
  return [
    reshape(gemm(sums, reshape(w!, [4 * units, inputs])), x!.shape),
    reshape(dw, w!.shape),
    reshape(dr, r!.shape),
    reshape(concat([db, db], 0), [1, 8 * units]),
    ...states.map((v) => reshape(v, [1, batch, units])),
  ];
};

/** Zeros [N, units] for x [steps, N, inputs]. */
const zeros = (x: Value, units: number): Value => {
  const batch = x.shape[1]!;
  const shape = batch < 0 ? concat([emit(Shape_, [x], { start: 1, end: 2 }), ints([units])], 0) : ints([batch, units]);
  return emit(Expand, [scalarLike(x, 0), shape]);
};

/**
 * Cotangents of x, w, r, b, h and c of an LSTM, from these (absent: as there), and those of its three outputs (absent:
 * none). Internal: a runtime that has Scan gets it so, and shares the way forward with the LSTM.
 */
export const LSTMGrad = defineOp({
  name: "LSTMGrad",
  domain: "temper",
  arity: [3, 10],
  infer: (inputs) => {
    const { units, batch } = lstmSizes(inputs),
      [x, w, r] = inputs,
      state = { dtype: x.dtype, shape: [1, batch, units] };
    return [x, w, r, { dtype: x.dtype, shape: [1, 8 * units] }, state, state];
  },
  vjp: ({ through }) => through(writtenOut),
  decompose: (_, inputs) => writtenOut(inputs),
});
const writtenOut = (inputs: Inputs): readonly Value[] =>
  lstmBackward(written, inputs, lstmForward(written, inputs), inputs.slice(7));
