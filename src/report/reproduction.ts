import type { Machine } from "../evaluate/index.ts";
import type { HistoryRecord } from "./panels.ts";

/** A claim beside what was published, and what was measured. */
export interface ClaimRow {
  /** What holds, as a sentence with the threshold in it. */
  readonly text: string;
  /** The published figure with its source; null where nothing comparable was. */
  readonly published: string | null;
  /** Whether the exit code depends on it. */
  readonly required: boolean;
  /** `page`: it stands on the system's page; else on what it was calibrated. */
  readonly threshold: string;
  readonly held: boolean;
  /** `percent` and `points` are fractions of one. */
  readonly unit: "percent" | "points" | "ratio" | "number";
  /** One a seed, in their order; null where it was no finite number. */
  readonly values: readonly (number | null)[];
  readonly mean: number | null;
  /** 95 % interval of the mean over seeds; null for fewer than two. */
  readonly low: number | null;
  readonly high: number | null;
}

/** One training of the experiment, and what it is worth. Accuracies are fractions. */
export interface ArmRow {
  readonly name: string;
  readonly seed: number;
  /** Recipe, network, options, examples and what it was measured by. */
  readonly configuration: object;
  readonly clean: number;
  readonly fgsm: number;
  readonly pgd: number;
  readonly gradientEvaluations: number;
  /** Of the training, also where an earlier run has done it. */
  readonly seconds: number;
  readonly history: readonly HistoryRecord[];
}

/** A published system against its own claims: the document `temper.reproduction/1`. */
export interface ReproductionReport {
  readonly schema: "temper.reproduction/1";
  readonly slug: string;
  readonly title: string;
  readonly source: string;
  readonly command: string;
  readonly createdAt: string;
  readonly scale: "small";
  /** Kind of data, which the thresholds are for. */
  readonly kind: string;
  readonly data: { readonly train: DataPart; readonly test: DataPart };
  readonly seeds: readonly number[];
  /** Whether every required claim held. */
  readonly held: boolean;
  readonly claims: readonly ClaimRow[];
  /** What the claims are tested on: numbers by name, one record a seed. */
  readonly measured: readonly Readonly<Record<string, number>>[];
  readonly arms: readonly ArmRow[];
  readonly notes: readonly string[];
  /** Of this run, without what was taken from earlier ones; and of all its training. */
  readonly seconds: { readonly total: number; readonly training: number };
  readonly machine: Machine;
}

export interface DataPart {
  readonly name: string;
  readonly count: number;
  readonly hash: string;
}

type Unit = ClaimRow["unit"];

const digits = (value: number | null, unit: Unit): string => {
  if (value === null) return "none";
  if (unit === "percent" || unit === "points") return (Math.round(1000 * value) / 10 || 0).toFixed(1); // no -0.0
  return String(Number(value.toPrecision(3)));
};
const AFTER: Readonly<Record<Unit, string>> = {
  percent: "\u00a0%",
  points: "\u00a0points",
  ratio: "\u00a0times",
  number: "",
};

/** `71.3 % (68.0 to 74.6)`: the mean and its 95 % interval. */
export const meanText = ({ mean, low, high, unit }: Pick<ClaimRow, "mean" | "low" | "high" | "unit">): string => {
  if (mean === null) return "none";
  const interval = low === null || high === null ? "" : ` (${digits(low, unit)} to ${digits(high, unit)})`;
  return `${digits(mean, unit)}${AFTER[unit]}${interval}`;
};

/** `70.9, 71.0, 72.0`: each seed's value, in the unit of the mean. */
export const valuesText = ({ values, unit }: Pick<ClaimRow, "values" | "unit">): string =>
  values.map((value) => digits(value, unit)).join(", ");

/** When a threshold was set: with the experiment's description, or how it was calibrated. */
export const thresholdText = (threshold: string): string => (threshold === "page" ? "set beforehand" : threshold);

/** `all 3 required claims held`, `1 of 3 required claims did not hold`. */
export const verdictOf = ({ claims }: ReproductionReport): string => {
  const required = claims.filter((claim) => claim.required),
    missed = required.filter(({ held }) => !held).length;
  if (required.length === 1) return `the required claim ${missed === 0 ? "held" : "did not hold"}`;
  return missed === 0
    ? `all ${required.length} required claims held`
    : `${missed} of ${required.length} required claims did not hold`;
};
