import { duration, percent, significant } from "./format.ts";
import type { Series } from "./lines.ts";

/** Numbers of one epoch (or step) by name; null where they were not measured. */
export type HistoryRecord = Readonly<Record<string, number | null>>;

/** A chart of the training page. */
export interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
  readonly fromZero: boolean;
  /** A value on the axis, and in words. */
  readonly tick: (value: number) => string;
  readonly text: (value: number) => string;
}

/** `gradientNorm` -> `gradient norm`; `loss/stability` -> `loss stability`. */
export const wordsOf = (name: string): string =>
  name
    .replaceAll(/[_/.:]+/g, " ")
    .replaceAll(/([a-z\d])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);

const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 });
const compact = (v: number): string => short.format(v);
export const numeric = { tick: (v: number) => (Math.abs(v) >= 1e4 ? compact(v) : significant(v)), text: significant };
export const shares = { tick: (v: number) => `${Number((100 * v).toFixed(2))} %`, text: percent };
const signed = { ...shares, text: (v: number) => `${(100 * v).toFixed(1)}\u00a0points` };
const counts = { tick: compact, text: compact };

/** What has a chart of its own, from zero on. */
export const SINGLES = {
  lr: { title: "Learning rate", ...numeric },
  gradientEvaluations: { title: "Gradient evaluations", ...counts },
  imagesPerSecond: { title: "Images per second", ...counts },
  idleShare: { title: "Engine idle", ...shares },
} satisfies Readonly<Record<string, Omit<Panel, "series" | "fromZero">>>;

/** Differences that tell what a run is about: the price of robustness, and overfitting. */
const GAPS = [
  ["validationAccuracy", "validationRobustAccuracy", "clean less robust, validation"],
  ["trainAccuracy", "trainRobustAccuracy", "clean less robust, training"],
  ["trainRobustAccuracy", "validationRobustAccuracy", "training less validation, robust"],
  ["trainAccuracy", "validationAccuracy", "training less validation"],
] as const;

/** What stands on the horizontal axis. */
const AXES = ["epoch", "step"];

/** The horizontal axis: epochs where the records have them, else steps, else their order. */
export const axisOf = (
  history: readonly HistoryRecord[],
): { readonly title: string; readonly xs: readonly number[] } => {
  const title = AXES.find((name) => history.every((record) => Number.isFinite(record[name])));
  return title === undefined
    ? { title: "record", xs: history.map((_, i) => i + 1) }
    : { title, xs: history.map((record) => record[title]!) };
};

/** The charts that a history gives, whatever it holds. */
export const panelsOf = (history: readonly HistoryRecord[]): readonly Panel[] => {
  const column = (name: string): (number | null)[] =>
    history.map((record) => (Number.isFinite(record[name]) ? record[name]! : null));
  const has = (name: string): boolean => column(name).some((value) => value !== null);
  const names = [...new Set(history.flatMap((record) => Object.keys(record)))].filter(
    (name) => !AXES.includes(name) && has(name),
  );
  const losses = names.filter((name) => /^loss(?![a-z])|Loss$/.test(name)),
    accuracies = names.filter((name) => /accuracy$/i.test(name)),
    gaps = GAPS.filter(([a, b]) => has(a) && has(b));
  const known = [...losses, ...accuracies, ...Object.keys(SINGLES), "seconds"];
  const single = (name: string): readonly Series[] => [
    { name: wordsOf(name), values: column(name), colour: 0, dash: 0 },
  ];
  return [
    {
      title: "Loss",
      series: losses.map((name, i) => ({ name: lossName(name), values: column(name), colour: i % 6, dash: i % 4 })),
      fromZero: false,
      ...numeric,
    },
    {
      title: "Accuracy",
      series: accuracies.map((name) => accuracyLine(name, column(name))),
      fromZero: false,
      ...shares,
    },
    {
      title: "Gaps",
      series: gaps.map(([a, b, name], i) => ({
        name,
        values: column(a).map((value, at) => (value === null ? null : difference(value, column(b)[at]!))),
        colour: i,
        dash: i,
      })),
      fromZero: true,
      ...signed,
    },
    ...Object.entries(SINGLES).map(([name, panel]) => ({
      ...panel,
      series: has(name) ? single(name) : [],
      fromZero: true,
    })),
    ...(has("seconds") ? [timePanel(column("seconds"))] : []),
    ...names
      .filter((name) => !known.includes(name))
      .map((name) => ({ title: capital(wordsOf(name)), series: single(name), fromZero: false, ...numeric })),
  ].filter(({ series }) => series.length > 0);
};

/** Time in the unit that suits all of it. */
const timePanel = (seconds: readonly (number | null)[]): Panel => {
  const most = seconds.reduce<number>((a, b) => Math.max(a, b ?? 0), 0),
    [unit, size] = most > 7200 ? ["hours", 3600] : most > 120 ? ["minutes", 60] : ["seconds", 1];
  const values = seconds.map((value) => (value === null ? null : value / size));
  return {
    title: `Computing time, ${unit}`,
    series: [{ name: "time", values, colour: 0, dash: 0 }],
    fromZero: true,
    tick: significant,
    text: (value) => duration(value * size),
  };
};

const difference = (a: number, b: number | null): number | null => (b === null ? null : a - b);
/** `Gradient norm`. */
export const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
const lossName = (name: string): string => (name === "loss" ? "total" : wordsOf(name).replace(/^loss /, ""));

/** Robust lines are orange, those of training dashed; what a name holds besides is kept. */
const accuracyLine = (name: string, values: readonly (number | null)[]): Series => {
  const words = wordsOf(name)
    .replace(/ ?accuracy$/i, "")
    .replace(/\btrain\b/, "training");
  const robust = / ?\brobust\b/.test(words),
    rest = words.replace(/ ?\brobust\b/, "").trim(),
    further = rest === "" || ["training", "validation"].includes(rest) ? 0 : 2;
  return {
    name: [rest, robust && "robust"].filter(Boolean).join(", ") || "clean",
    values,
    colour: further + (robust ? 1 : 0),
    dash: /\btraining\b/.test(rest) ? 1 : 0,
  };
};
