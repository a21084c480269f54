import {
  float,
  numbers,
  type OptionInput,
  type OptionSpec,
  type OptionValues,
  resolveOptions,
  TemperError,
} from "../core/index.ts";

/** Factor of the base rate at a share of the run from 0 (first step) to 1 (end). */
export interface ScheduleType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  readonly factor: (share: number, options: OptionValues<S>) => number;
}
/** The `any` is the variance escape of a registry: schedules have options of different types. */
// oxlint-disable-next-line no-explicit-any
export type AnySchedule = ScheduleType<any>;
const define = <const S extends OptionSpec>(type: ScheduleType<S>): ScheduleType<S> => type;

/** Rate of step 0, 1, ... */
export type Schedule = (step: number) => number;

export const constant = define({
  name: "constant",
  summary: "The same rate throughout.",
  source: "classical",
  options: {},
  factor: () => 1,
});

export const step = define({
  name: "step",
  summary: "The rate is multiplied by gamma at each milestone.",
  source: "classical",
  options: {
    milestones: numbers({ default: [0.5, 0.75], min: 0, max: 1, help: "shares of the run at which the rate drops" }),
    gamma: float({ default: 0.1, min: 0, help: "factor at each milestone" }),
  },
  factor: (share, { milestones, gamma }) => gamma ** milestones.filter((m) => share >= m).length,
});

/** Half a cosine wave between two values, at a part of the way. */
const wave = (from: number, to: number, part: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;

export const cosine = define({
  name: "cosine",
  summary: "Half a cosine wave from the full rate to the final one.",
  source: "Loshchilov and Hutter 2017, SGDR (one period)",
  options: { final: float({ default: 0, min: 0, help: "factor at the end" }) },
  factor: (share, { final }) => wave(1, final, share),
});

export const cyclic = define({
  name: "cyclic",
  summary: "Piecewise linear between knots; by default up to the full rate and down to zero.",
  source: "Smith 2017, Cyclical Learning Rates",
  options: {
    knots: numbers({ default: [0, 0.4, 1], min: 0, max: 1, help: "shares of the run, ascending" }),
    factors: numbers({ default: [0, 1, 0], min: 0, help: "factor at each knot" }),
  },
  factor: (share, { knots, factors }) => {
    if (knots.length !== factors.length || knots.some((k, i) => i > 0 && k <= knots[i - 1]!))
      throw new TemperError("bad-option", "cyclic: knots must ascend, and factors must have as many entries.");
    const after = knots.findIndex((k) => k > share);
    if (after <= 0) return after === 0 ? factors[0]! : factors.at(-1)!;
    const part = (share - knots[after - 1]!) / (knots[after]! - knots[after - 1]!);
    return factors[after - 1]! + part * (factors[after]! - factors[after - 1]!);
  },
});

export const oneCycle = define({
  name: "one-cycle",
  summary: "One warm rise to the full rate, then a long cosine fall far below the start.",
  source: "Smith and Topin 2019, Super-Convergence; cosine arcs as in PyTorch. Differs: the momentum does not move.",
  options: {
    peak: float({ default: 0.3, min: 0, max: 1, help: "share of the run at which the rate is full" }),
    start: float({ default: 1 / 25, min: 0, help: "factor at the start" }),
    end: float({ default: 4e-6, min: 0, help: "factor at the end" }),
  },
  factor: (share, { peak, start, end }) =>
    share < peak ? wave(start, 1, share / peak) : wave(1, end, peak < 1 ? (share - peak) / (1 - peak) : 0),
});

/**
 * The rate as a function of the step.
 *
 * @param run.lr      base rate
 * @param run.total   steps of the whole run
 * @param run.warmup  first steps in which the rate climbs linearly to that of the schedule (Goyal et al. 2017)
 * @throws TemperError `bad-option`
 */
export const createSchedule = <S extends OptionSpec>(
  type: ScheduleType<S>,
  { lr, total, warmup = 0 }: { readonly lr: number; readonly total: number; readonly warmup?: number },
  given: OptionInput<S> = {},
): Schedule => {
  const options = resolveOptions(type.name, type.options, given);
  if (!(lr >= 0 && Number.isFinite(lr) && total >= 1 && warmup >= 0))
    throw new TemperError(
      "bad-option",
      `${type.name}: wants a rate from 0, a total from 1 and a warm-up from 0 steps, got ${lr}, ${total}, ${warmup}.`,
    );
  type.factor(0, options); // options that contradict each other fail now, not in the middle of a run
  return (at) => lr * type.factor(Math.min(1, at / total), options) * Math.min(1, warmup > 0 ? (at + 1) / warmup : 1);
};
