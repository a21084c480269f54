import type { Value } from "../graph/index.ts";
import { add, gemm, mul, reshape, sigmoid, split, tanh, transpose } from "../ops/index.ts";
import { uniformInit } from "./init.ts";
import type { Layer } from "./layer.ts";

/**
 * Long short-term memory, one layer, one direction; x [n, steps, inputs], y [n, units], the state after the last step.
 * The steps stand one after another in the graph, so their number is part of it; the product with the input is one for
 * all of them. Starts from zeros, weights uniform in ±1/√units; names and gate order (input, forget, cell, output) as
 * in PyTorch. Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
 */
export const lstm = (inputs: number, units: number): Layer => {
  const init = uniformInit(1 / Math.sqrt(units));
  return {
    parameters: {
      weight_ih_l0: { shape: [4 * units, inputs], role: "weight", init },
      weight_hh_l0: { shape: [4 * units, units], role: "weight", init },
      bias_ih_l0: { shape: [4 * units], role: "bias", init },
      bias_hh_l0: { shape: [4 * units], role: "bias", init },
    },
    buffers: {},
    apply: (weights, x) => {
      const [n, steps] = x.shape as [number, number];
      const rows = reshape(transpose(x, [1, 0, 2]), [steps * n, inputs]); // a step's rows lie together
      const bias = add(weights["bias_ih_l0"]!, weights["bias_hh_l0"]!);
      const given = reshape(gemm(rows, weights["weight_ih_l0"]!, bias, { transB: 1 }), [steps, n, 4 * units]);
      const each = split(given, new Array<number>(steps).fill(1), 0).map((v) => reshape(v, [n, 4 * units]));
      let state: { readonly h: Value; readonly c: Value } | undefined;
      for (const part of each) {
        const sum = state ? gemm(state.h, weights["weight_hh_l0"]!, part, { transB: 1 }) : part;
        const [enter, keep, cell, leave] = split(sum, [units, units, units, units], 1) as [Value, Value, Value, Value];
        const entering = mul(sigmoid(enter), tanh(cell));
        const c: Value = state ? add(mul(sigmoid(keep), state.c), entering) : entering;
        state = { h: mul(sigmoid(leave), tanh(c)), c };
      }
      return { y: state!.h, updates: {} };
    },
  };
};
