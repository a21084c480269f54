import { choice, float, type OptionValues } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import { gelu, mul, relu, scale, sigmoid, softplus } from "../ops/index.ts";

/** The functions between layers, by name; beta is how steep softplus and silu are. */
const FUNCTIONS = {
  relu,
  softplus: (x: Value, beta: number): Value => scale(softplus(scale(x, beta)), 1 / beta),
  silu: (x: Value, beta: number): Value => mul(x, sigmoid(scale(x, beta))),
  gelu: (x: Value): Value => gelu(x),
} as const;
const NAMES = ["relu", "softplus", "silu", "gelu"] as const satisfies readonly (keyof typeof FUNCTIONS)[];

/** Options of architectures whose activation may be chosen. */
export const activationOptions = {
  activation: choice(NAMES, { default: "relu", help: "function between layers; those besides relu are smooth" }),
  activationBeta: float({
    default: 1,
    min: 1e-3,
    max: 1e3,
    help: "how steep softplus, ln(1 + e^(beta x)) / beta, and silu, x / (1 + e^(-beta x)), are",
  }),
};

/** The function that {@link activationOptions} choose. */
export const activationOf = ({
  activation,
  activationBeta,
}: OptionValues<typeof activationOptions>): ((x: Value) => Value) => {
  const f = FUNCTIONS[activation];
  return (x) => f(x, activationBeta);
};
