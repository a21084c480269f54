import { significant } from "./format.ts";
import { html, type Html } from "./html.ts";

/** One line of a chart. */
export interface Series {
  readonly name: string;
  /** One value for each x; null where it was not measured, over which the line goes straight. */
  readonly values: readonly (number | null)[];
  /** Which of the colours, 0 to 5. */
  readonly colour: number;
  /** Dashes tell lines apart without colour. */
  readonly dash: number;
}

export interface Chart {
  readonly xs: readonly number[];
  readonly series: readonly Series[];
  /** A vertical axis from zero on, instead of around the values. */
  readonly fromZero: boolean;
  /** Text of a value on the vertical axis. */
  readonly format: (value: number) => string;
  /** Places of notes on the horizontal axis, by number. */
  readonly marks: readonly { readonly x: number; readonly text: string }[];
  readonly xTitle: string;
}

const n = (x: number): string => String(Math.round(x * 100) / 100);

/** Round numbers that cover low to high, in at most `most` steps of 1, 2 or 5 times a power of ten. */
export const axisTicks = (low: number, high: number, most: number): readonly number[] => {
  const rough = (high - low) / most,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9))!;
  const first = Math.floor(low / step + 1e-9),
    last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
};

const verticalTicks = ({ series, fromZero }: Chart, most: number): readonly number[] => {
  const values = series.flatMap((line) => line.values.filter((v): v is number => v !== null));
  const low = values.reduce((a, b) => Math.min(a, b), fromZero ? 0 : Infinity),
    high = values.reduce((a, b) => Math.max(a, b), fromZero ? 0 : -Infinity);
  const pad = high > low ? 0 : Math.abs(high) / 10 || 1;
  return axisTicks(fromZero ? low : low - pad, high + pad, most);
};

/** Through all points that were measured; a dot where there is only one. */
const drawn = ({ values, colour, dash }: Series, X: (i: number) => number, Y: (value: number) => number): Html => {
  const points = values.flatMap((value, i) => (value === null ? [] : [[n(X(i)), n(Y(value))] as const]));
  return points.length === 1
    ? html`<circle class="spot colour-${colour}" cx="${points[0]![0]}" cy="${points[0]![1]}" r="3.5" />`
    : html`<polyline
        class="line colour-${colour} dash-${dash}"
        points="${points.map((p) => p.join(",")).join(" ")}"
      />`;
};

/**
 * Lines over a common horizontal axis.
 *
 * @param size  of the drawing in CSS pixels; give two sizes and let CSS choose, so that text keeps its size
 * @param label  the sentence that a screen reader says
 */
export const lineChart = (
  chart: Chart,
  size: { readonly width: number; readonly height: number },
  label: string,
): Html => {
  const { xs, series, format, marks, xTitle } = chart;
  const ticks = verticalTicks(chart, 4),
    texts = ticks.map(format);
  const left = 12 + 7.4 * Math.max(...texts.map((text) => text.length)),
    right = size.width - 20,
    top = 18,
    bottom = size.height - 42;
  const [from, to] = [xs[0]!, xs.at(-1)!],
    [low, high] = [ticks[0]!, ticks.at(-1)!];
  const at = (x: number): number =>
    to > from ? left + ((right - left) * (x - from)) / (to - from) : (left + right) / 2;
  const Y = (value: number): number => bottom - ((bottom - top) * (value - low)) / (high - low);
  const across = to > from ? axisTicks(from, to, size.width / 90).filter((x) => x >= from && x <= to) : [from];
  return html`<svg class="chart" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${label}">
    ${ticks.map(
      (value, i) =>
        html`<line class="grid" x1="${n(left)}" x2="${n(right)}" y1="${n(Y(value))}" y2="${n(Y(value))}" />
          <text class="tick" x="${n(left - 7)}" y="${n(Y(value) + 4)}" text-anchor="end">${texts[i]}</text> `,
    )}${across
      .filter((x) => Number.isInteger(x))
      .map(
        (x) =>
          html`<line class="axis" x1="${n(at(x))}" x2="${n(at(x))}" y1="${n(bottom)}" y2="${n(bottom + 5)}" />
            <text class="tick" x="${n(at(x))}" y="${n(bottom + 18)}" text-anchor="middle">${significant(x)}</text> `,
      )}
    <line class="axis" x1="${n(left)}" x2="${n(right)}" y1="${n(bottom)}" y2="${n(bottom)}" />
    <text class="title" x="${n((left + right) / 2)}" y="${n(size.height - 6)}" text-anchor="middle">${xTitle}</text>
    ${marks
      .filter(({ x }) => x >= from && x <= to)
      .map(
        ({ x, text }) =>
          html`<line class="event" x1="${n(at(x))}" x2="${n(at(x))}" y1="${top}" y2="${n(bottom)}" />
            <text class="event-number" x="${n(at(x))}" y="${top - 5}" text-anchor="middle">${text}</text> `,
      )}
    ${series.map((line) => drawn(line, (i) => at(xs[i]!), Y))}
  </svg>`;
};

/** A short piece of a line, for the legend. */
export const lineKey = ({ colour, dash }: Series): Html =>
  html`<svg class="chart line-key" width="26" height="10" viewBox="0 0 26 10" aria-hidden="true">
    <polyline class="line colour-${colour} dash-${dash}" points="0,5 26,5" />
  </svg>`;
