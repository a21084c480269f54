import type { Fraction } from "../evaluate/index.ts";

const grouped = (digits: number): Intl.NumberFormat =>
  new Intl.NumberFormat("en-US", { minimumFractionDigits: 0, maximumFractionDigits: digits });
const whole = grouped(0),
  tenth = grouped(1);

/** `1,234,567`. */
export const count = (n: number): string => whole.format(n);

/** `1,234.5`: at most one decimal. */
export const decimal = (x: number): string => tenth.format(x);

/** `98.2 %`, one decimal. Never `100.0 %` for less than all, nor `0.0 %` for more than none. */
export const percent = (share: number): string => {
  const text = (100 * share).toFixed(1);
  if (share < 1 && text === "100.0") return ">\u00a099.9\u00a0%";
  if (share > 0 && text === "0.0") return "<\u00a00.1\u00a0%";
  return `${text}\u00a0%`;
};

/** `97.1 to 98.9 %`: the interval, rounded outwards so that the printed one holds the exact one. */
export const interval = ({ low, high }: Fraction): string => {
  const down = Math.floor(1000 * low + 1e-9) / 10,
    up = Math.ceil(1000 * high - 1e-9) / 10;
  return `${down.toFixed(1)} to ${up.toFixed(1)}\u00a0%`;
};

/** How many examples a fraction stands for. */
export const successes = ({ value, count: n }: Fraction): number => Math.round(value * n);

/** The k of k/255 where epsilon is such a fraction (within 1e-9), from 1 to 254; else undefined. */
export const steps255 = (epsilon: number): number | undefined => {
  const k = Math.round(epsilon * 255);
  return k >= 1 && k <= 254 && Math.abs(epsilon - k / 255) <= 1e-9 ? k : undefined;
};

/** Four significant digits, without trailing zeros. */
export const significant = (x: number): string => String(Number(x.toPrecision(4)));

/** `0.1`, or `0.03137 (8/255)` where it is such a fraction. */
export const epsilonText = (epsilon: number): string => {
  const k = steps255(epsilon);
  return k === undefined ? significant(epsilon) : `${significant(epsilon)} (${k}/255)`;
};

/** `0.42 s`, `12.3 s`, `2 min 13 s`, `3 h 12 min`. */
export const duration = (seconds: number): string => {
  if (!(seconds >= 0) || !Number.isFinite(seconds)) return "unknown";
  if (seconds < 9.95) return `${seconds.toFixed(2)}\u00a0s`;
  if (seconds < 119.95) return `${seconds.toFixed(1)}\u00a0s`;
  const s = Math.round(seconds);
  if (s < 7200) return `${Math.floor(s / 60)}\u00a0min ${s % 60}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  return `${count(Math.floor(minutes / 60))}\u00a0h ${minutes % 60}\u00a0min`;
};

/** `one doubt`, `2 doubts`, `1,000 doubts`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

/** `2026-03-04 12:34 UTC` for an ISO time in UTC; any other text as it is. */
export const date = (iso: string): string =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/.test(iso) ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : iso;

/** `steps 100, loss "ce"`: the options of a method, cut at 300 characters. */
export const optionsText = (options: Readonly<Record<string, unknown>>): string => {
  const text = Object.entries(options)
    .map(([name, value]) => `${name} ${valueText(value)}`)
    .join(", ");
  return text.length > 300 ? `${text.slice(0, 299)}…` : text;
};

/** A value of an option: numbers to four digits, text as it is, the rest as JSON. */
export const valueText = (value: unknown): string => {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : significant(value);
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "default");
};

/** The last part of a path of either kind of separator. */
export const baseName = (path: string): string => path.split(/[/\\]/).findLast((part) => part !== "") ?? path;
