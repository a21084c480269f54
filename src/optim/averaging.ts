import { bool, float, type OptionInput, type OptionSpec, type OptionValues, resolveOptions } from "../core/index.ts";
import type { Value } from "../graph/index.ts";
import { add, mul, sub } from "../ops/index.ts";
import type { Values } from "./optimizer.ts";

interface RunLength {
  /** Steps of the whole run, and of an epoch. */
  readonly total: number;
  readonly perEpoch: number;
}

/** A way to average weights over the run, as a record. */
export interface AveragingType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  /**
   * What becomes of the running statistics of batch norms: `averaged` as the weights are, or made `anew` of training data
   * for the averaged weights, which no step has run with.
   */
  readonly statistics: "averaged" | "anew";
  /** Share of the new weights in the average after step 1, 2, ...: 1 begins it anew, 0 leaves it as it is. */
  readonly rate: (step: number, run: RunLength, options: OptionValues<S>) => number;
}
/** The `any` is the variance escape of a registry: the members have options of different types. */
// oxlint-disable-next-line no-explicit-any
export type AnyAveraging = AveragingType<any>;
const define = <const S extends OptionSpec>(type: AveragingType<S>): AveragingType<S> => type;

const ema = define({
  name: "ema",
  summary: "Exponential moving average of the weights.",
  source: "Polyak and Juditsky 1992; the warm-up as in TensorFlow's ExponentialMovingAverage",
  options: {
    decay: float({ default: 0.999, min: 0, max: 1, help: "share of the average that is kept at a step" }),
    rampUp: bool({ default: true, help: "keep at most (1 + t) / (10 + t) at step t, so that the start is forgotten" }),
  },
  statistics: "averaged",
  rate: (step, _, { decay, rampUp }) => Math.max(1 - decay, rampUp ? 9 / (10 + step) : 0),
});

const swa = define({
  name: "swa",
  summary: "Equal average of the weights from a share of the run on.",
  source: "Izmailov et al. 2018, Averaging Weights Leads to Wider Optima and Better Generalization",
  options: {
    from: float({ default: 0.75, min: 0, max: 1, help: "share of the run at which averaging begins" }),
    every: float({ default: 1, min: 0, help: "epochs between weights that count; 0: every step" }),
  },
  statistics: "anew", // section 3.2
  rate: (step, { total, perEpoch }, { from, every }) => {
    const period = Math.max(1, Math.round(every * perEpoch)),
      since = step - Math.round(from * total);
    if (since < period) return 1; // none counts yet: the average is the weights
    return since % period === 0 ? period / since : 0;
  },
});

/** Every averaging by name. */
export const averagings = { ema, swa } satisfies Record<string, AnyAveraging>;
export type AveragingName = keyof typeof averagings;

/** The rate as a function of the step 1, 2, ... @throws TemperError `bad-option` */
export const createAveraging = <S extends OptionSpec>(
  type: AveragingType<S>,
  run: RunLength,
  given: OptionInput<S> = {},
): ((step: number) => number) => {
  const options = resolveOptions(type.name, type.options, given);
  return (step) => type.rate(step, run, options);
};

/** Name of the average of a weight: `average/conv1.weight`. It starts as the weight does. */
export const averageName = (name: string): string => `average/${name}`;

/**
 * The averages after a step, a ← a + rate (w - a), as graph values by the names of the weights. Fed as the rate, not as
 * what is kept: in float32 1 - 0.9999 would lose three digits.
 */
export const averaged = (averages: Values, weights: Values, rate: Value): Values =>
  Object.fromEntries(
    Object.entries(averages).map(([name, average]) => [name, add(average, mul(sub(weights[name]!, average), rate))]),
  );
