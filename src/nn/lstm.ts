import type { Value } from "../graph/index.ts";
import { concat, lstm as recurrent, reshape, split, transpose } from "../ops/index.ts";
import { uniformInit } from "./init.ts";
import type { Layer } from "./layer.ts";

/**
 * Long short-term memory, one layer, one direction; x [n, steps, inputs], y [n, units], the state after the last step.
 * Starts from zeros, weights uniform in ±1/√units; names and gate order (input, forget, cell, output) as in PyTorch.
 * Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
 */
export const lstm = (inputs: number, units: number): Layer => {
  const init = uniformInit(1 / Math.sqrt(units));
  /** Rows in ONNX's order: input, output, forget, cell. */
  const ordered = (v: Value): Value => {
    const [enter, keep, cell, leave] = split(v, [units, units, units, units], 0) as [Value, Value, Value, Value];
    return concat([enter, leave, keep, cell], 0);
  };
  return {
    parameters: {
      weight_ih_l0: { shape: [4 * units, inputs], role: "weight", init },
      weight_hh_l0: { shape: [4 * units, units], role: "weight", init },
      bias_ih_l0: { shape: [4 * units], role: "bias", init },
      bias_hh_l0: { shape: [4 * units], role: "bias", init },
    },
    buffers: {},
    apply: (weights, x) => {
      const w = reshape(ordered(weights["weight_ih_l0"]!), [1, 4 * units, inputs]),
        r = reshape(ordered(weights["weight_hh_l0"]!), [1, 4 * units, units]),
        b = concat([ordered(weights["bias_ih_l0"]!), ordered(weights["bias_hh_l0"]!)], 0);
      const [, last] = recurrent(transpose(x, [1, 0, 2]), w, r, reshape(b, [1, 8 * units]));
      return { y: reshape(last!, [x.shape[0]!, units]), updates: {} };
    },
  };
};
