import { float, int, type OptionSpec, type OptionValues } from "../core/index.ts";

/** Where a run stands: step `within` of an epoch of `perEpoch` steps, both from 0. */
export interface Position {
  readonly epoch: number;
  readonly within: number;
  readonly perEpoch: number;
  readonly epochs: number;
  readonly batchSize: number;
}

/** What a controller remembers; part of the run's state. */
export type Memory = Readonly<Record<string, number>>;

/** Sets scalars of the inner attack from what steps report. Adding one: its record, and a line in `controllers`. */
export interface ControllerType<S extends OptionSpec = OptionSpec> {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly options: S;
  /** The scalars that it sets. */
  readonly sets: readonly ("steps" | "threshold" | "slope")[];
  readonly start: (options: OptionValues<S>) => Memory;
  /** Steps of an epoch at whose beginning it has to know all reports before: calls of several steps end there. */
  readonly looks: (at: Position, memory: Memory, options: OptionValues<S>) => readonly number[];
  readonly scalars: (at: Position, memory: Memory, options: OptionValues<S>) => Readonly<Record<string, number>>;
  /** After the step at a position, with its reports. */
  readonly after: (at: Position, memory: Memory, reports: Memory, options: OptionValues<S>) => Memory;
}
// oxlint-disable-next-line no-explicit-any
export type AnyController = ControllerType<any>;
const define = <const S extends OptionSpec>(type: ControllerType<S>): ControllerType<S> => type;

const none = define({
  name: "none",
  summary: "The settings hold throughout.",
  source: "classical",
  options: {},
  sets: [],
  start: () => ({}),
  looks: () => [],
  scalars: () => ({}),
  after: (_, memory) => memory,
});

/** Steps that see at least so many examples. */
const stepsFor = (examples: number, { batchSize, perEpoch }: Position): number =>
  Math.min(perEpoch, Math.ceil(examples / batchSize));

/** Report `fosc`: mean stationarity at the random starts. */
const dynamic = define({
  name: "fosc",
  summary: "The stationarity at which examples stop falls linearly to zero over the run.",
  source: "Wang et al. 2019, On the Convergence and Robustness of Adversarial Training",
  options: {
    cMax: float({ default: 0, min: 0, help: "first threshold; 0: half of the mean at the starts of the first epoch" }),
    until: float({
      default: 0.83,
      min: 1e-6,
      help: "share of the run after which the threshold is zero; far above 1: it stays",
    }),
  },
  sets: ["threshold"],
  start: ({ cMax }) => ({ cMax, sum: 0 }),
  looks: () => [],
  scalars: ({ epoch, epochs }, { cMax = 0 }, { until }) => ({
    threshold: Math.max(0, cMax * (1 - epoch / Math.max(1, until * epochs))),
  }),
  after: ({ epoch, within, perEpoch }, memory, reports, { cMax }) => {
    if (cMax > 0 || epoch > 0) return memory;
    const sum = memory["sum"]! + reports["fosc"]!;
    return { sum, cMax: within === perEpoch - 1 ? sum / perEpoch / 2 : 0 };
  },
});

/** Report `gradientSize`. */
const slope = define({
  name: "slope",
  summary: "Raw steps are scaled by the size that input gradients had on the first batch, on which nothing moves.",
  source: "Zhang et al. 2022, Revisiting and Advancing Fast Adversarial Training, whose rates are set by hand",
  options: {},
  sets: ["slope"],
  start: () => ({ slope: 0 }),
  looks: ({ epoch }) => (epoch === 0 ? [1] : []),
  scalars: (_, { slope: measured = 0 }) => ({ slope: measured }),
  after: (_, memory, reports) => (memory["slope"]! > 0 ? memory : { slope: reports["gradientSize"]! }),
});

/** Report `distortion`. */
const fwAdapt = define({
  name: "fw-adapt",
  summary: "Each epoch two steps first; far-reaching ones halve the number of steps for the rest, others add two.",
  source: "Tsiligkaridis and Roberts 2022, Understanding and Increasing Efficiency of Frank-Wolfe Adversarial Training",
  options: {
    r: float({ default: 0.8, min: 0, help: "mean distortion from which on a loss counts as linear" }),
    monitor: int({ default: 1000, min: 1, help: "examples that an epoch's distortion is measured on" }),
    maxSteps: int({ default: 15, min: 1, help: "most steps" }),
  },
  sets: ["steps"],
  start: () => ({ steps: 1, sum: 0 }),
  looks: (at, _, { monitor }) => [stepsFor(monitor, at)],
  scalars: (at, { steps = 1 }, { monitor }) => ({ steps: at.within < stepsFor(monitor, at) ? 2 : steps }),
  after: (at, { steps = 1, sum = 0 }, reports, { r, monitor, maxSteps }) => {
    const needed = stepsFor(monitor, at);
    if (at.within >= needed) return { steps, sum };
    const total = sum + reports["distortion"]!;
    if (at.within < needed - 1) return { steps, sum: total };
    const linear = total / needed >= r;
    return { steps: linear ? Math.max(1, Math.floor(steps / 2)) : Math.min(maxSteps, steps + 2), sum: 0 };
  },
});

/** Every controller by name. Command line, documentation and tests read this object. */
export const controllers = { none, fosc: dynamic, "fw-adapt": fwAdapt, slope } satisfies Record<string, AnyController>;
