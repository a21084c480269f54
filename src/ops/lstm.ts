import { formatShape, sameShape, TemperError } from "../core/index.ts";
import { attr, defineOp, type Dim, emitAll, type Shape, type Value, type ValueType } from "../graph/index.ts";
import { addProduct } from "./kernels.ts";
import { LSTMGrad } from "./lstm-grad.ts";
import { zeros64 } from "./reference.ts";

/** Sizes of a network of one direction. */
export interface LstmSizes {
  readonly steps: Dim;
  readonly batch: Dim;
  readonly inputs: number;
  readonly units: number;
}

type Shapes = readonly ({ readonly shape: Shape } | undefined)[];

/** @throws TemperError `bad-shape` where the shapes of x, w, r, b, h and c do not belong together */
export const lstmSizes = ([x, w, r, b, , h, c]: Shapes): LstmSizes => {
  const [steps, batch, inputs] = x!.shape as [Dim, Dim, number],
    units = r!.shape[2]!;
  const wanted = { W: [1, 4 * units, inputs], R: [1, 4 * units, units], B: [1, 8 * units], initial_h: [1, batch, units], initial_c: [1, batch, units] }; // prettier-ignore
  for (const [i, [name, shape]] of Object.entries(wanted).entries()) {
    const given = [w, r, b, h, c][i];
    if (given && !sameShape(given.shape, shape))
      throw new TemperError("bad-shape", `${name} must be ${formatShape(shape)}, got ${formatShape(given.shape)}.`);
  }
  return { steps, batch, inputs, units };
};

/**
 * Long short-term memory in one direction: X [steps, N, inputs], W [1, 4 units, inputs], R [1, 4 units, units], B
 * [1, 8 units] (of W, then of R), no lengths, first states h and c [1, N, units]. Outputs: all h [steps, 1, N, units], last
 * h and c [1, N, units]. Gates in the order input, output, forget, cell. Forms with further parts (other directions and
 * activations, lengths, peepholes) have no record: files with them run as they are. Source: ONNX LSTM, opset 14.
 */
export const LSTM = defineOp({
  name: "LSTM",
  optionalFrom: 0,
  arity: [3, 8],
  attributes: {
    hidden_size: attr.int(),
    direction: attr.string("forward"),
    layout: attr.int(0),
    input_forget: attr.int(0),
    clip: attr.float(),
    activations: attr.strings(),
    activation_alpha: attr.floats(),
    activation_beta: attr.floats(),
  },
  infer: (inputs, { hidden_size, direction, layout, input_forget, clip, activations }): readonly ValueType[] => {
    const usual = direction === "forward" && layout === 0 && input_forget === 0 && !clip;
    if (!usual || activations?.some((name, i) => name !== ["Sigmoid", "Tanh", "Tanh"][i]) || inputs[4] || inputs[7])
      throw new TemperError(
        "unsupported",
        "only one direction, forward, with sigmoid and tanh, without lengths and peepholes, has a gradient rule.",
      );
    const { steps, batch, units } = lstmSizes(inputs),
      { dtype } = inputs[0];
    if (hidden_size !== undefined && hidden_size !== units)
      throw new TemperError("bad-shape", `hidden_size is ${hidden_size}, R has ${units} units.`);
    const last = { dtype, shape: [1, batch, units] };
    return [{ dtype, shape: [steps, 1, batch, units] }, last, last];
  },
  vjp: ({ inputs: [x, w, r, b, , h, c], gs }) => {
    const [dx, dw, dr, db, dh, dc] = emitAll(LSTMGrad, [x, w, r, b, undefined, h, c, ...gs]);
    return [dx, dw, dr, db, undefined, dh, dc];
  },
  reference: (inputs) => {
    const { steps, batch, inputs: ins, units } = lstmSizes(inputs),
      [x, w, r, b, , h, c] = inputs,
      rows = 4 * units;
    const y = zeros64([steps, 1, batch, units], x.dtype),
      hidden = { ...zeros64([1, batch, units], x.dtype), ...(h && { data: h.data.slice() }) },
      cells = { ...zeros64([1, batch, units], x.dtype), ...(c && { data: c.data.slice() }) };
    for (let t = 0; t < steps; t++) {
      const sums = new Float64Array(batch * rows);
      if (b) sums.forEach((_, i) => (sums[i] = b.data[i % rows]! + b.data[rows + (i % rows)]!));
      const turned = { at: 0, transposed: true };
      addProduct(sums, 0, { data: x.data, at: t * batch * ins }, { ...turned, data: w.data }, batch, ins, rows);
      addProduct(sums, 0, { data: hidden.data, at: 0 }, { ...turned, data: r.data }, batch, units, rows);
      for (let i = 0; i < batch * units; i++) {
        const at = Math.floor(i / units) * rows + (i % units);
        const [enter, leave, keep] = [0, 1, 2].map((gate) => 1 / (1 + Math.exp(-sums[at + gate * units]!)));
        cells.data[i] = keep! * cells.data[i]! + enter! * Math.tanh(sums[at + 3 * units]!);
        hidden.data[i] = leave! * Math.tanh(cells.data[i]!);
      }
      y.data.set(hidden.data, t * batch * units);
    }
    return [y, hidden, cells];
  },
});

/** @returns all states [steps, 1, n, units], the last one and the last cells [1, n, units] */
export const lstm = (x: Value, w: Value, r: Value, b?: Value): readonly Value[] =>
  emitAll(LSTM, b ? [x, w, r, b] : [x, w, r], { hidden_size: r.shape[2]! });
