import { html, type Html } from "./html.ts";
import { type Chart, lineChart, lineKey, type Series } from "./lines.ts";
import type { axisOf, Panel } from "./panels.ts";

/**
 * A chart in two sizes, with its legend: each name once, with the last values of all lines of that name.
 *
 * @param marks  places of notes on the horizontal axis
 */
export const panelFigure = (
  { title, series, fromZero, tick, text }: Panel,
  axis: ReturnType<typeof axisOf>,
  marks: Chart["marks"] = [],
): Html => {
  const chart = { xs: axis.xs, series, fromZero, format: tick, marks, xTitle: axis.title },
    names = [...new Set(series.map(({ name }) => name))];
  const linesOf = (name: string): readonly Series[] => series.filter((line) => line.name === name);
  const lasts = (name: string): readonly string[] =>
    linesOf(name).map(({ values }) => text(values.findLast((value) => value !== null)!));
  const label = `${title} by ${axis.title}. Last: ${names.map((name) => `${name} ${lasts(name).join(", ")}`).join("; ")}.`;
  return html`<figure class="panel">
    <h3>${title}</h3>
    <div class="wide">${lineChart(chart, { width: 520, height: 270 }, label)}</div>
    <div class="narrow">${lineChart(chart, { width: 320, height: 230 }, label)}</div>
    <figcaption class="legend">
      ${names.map((name) => html`<span>${lineKey(linesOf(name)[0]!)} ${names.length > 1 ? name : "last"} ${lasts(name).map((last) => html`<span class="last">${last}</span> `)}</span>`)}
    </figcaption>
  </figure> `;
};
