import { count, date, duration, percent, plural, significant, steps255, valueText } from "./format.ts";
import { group, type Line } from "./group.ts";
import { html, type Html } from "./html.ts";
import { axisOf, capital, type HistoryRecord, panelsOf, wordsOf } from "./panels.ts";
import { panelFigure } from "./panel-figure.ts";
import { pageOf } from "./shell.ts";
import { dataTable } from "./table.ts";
import { trainingCss } from "./training-style.ts";

export type { HistoryRecord } from "./panels.ts";

/** Something that happened in a run: a guard that spoke, a rollback, a choice of weights. */
export interface TrainingNote {
  /** Where on the horizontal axis of the charts; absent: nowhere in particular. */
  readonly at?: number | undefined;
  readonly message: string;
}

/** A training run, as far as a page shows it. Any loop that keeps numbers by epoch can make one. */
export interface TrainingReport {
  readonly title: string;
  /** The configuration with all defaults; records in it become groups. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, unknown>>;
  /**
   * A record an epoch, the first first. Names with a meaning: `epoch`, `step`, `loss` and what begins with it,
   * `trainAccuracy`, `validationRobustAccuracy` and the like, `lr`, `gradientEvaluations` and `seconds` (both of the run
   * so far), `imagesPerSecond`, `idleShare`. All others have a chart of their own.
   */
  readonly history: readonly HistoryRecord[];
  readonly notes: readonly TrainingNote[];
  /** An unfinished run's page reads itself again, every few seconds. */
  readonly finished: boolean;
  /** When this was written, ISO 8601. */
  readonly writtenAt?: string;
}

/** Seconds between two looks of a page at a run. */
const REFRESH = 5;

/** A training run as one HTML page, of the kind of `renderReport`; read again by itself until the run has finished. */
export const renderTraining = (report: TrainingReport): string => {
  const temper = valueText(report.environment["temper"] ?? "");
  return pageOf({
    title: report.title,
    temper,
    style: trainingCss,
    refresh: report.finished ? undefined : REFRESH,
    body: html`<main>
        ${header(report)} ${tiles(report)} ${curves(report)} ${notes(report)} ${figures(report)} ${settings(report)}
      </main>
      <footer><p>Made by Temper${temper !== "" && ` ${temper}`}.</p></footer>`,
  });
};

const last = ({ history }: TrainingReport, name: string): number | null =>
  history.findLast((record) => Number.isFinite(record[name]))?.[name] ?? null;

/** Epochs that the configuration asks for, where it says so. */
const epochsOf = ({ config }: TrainingReport): number | undefined => {
  const places = [config, ...Object.values(config).filter(isRecord)];
  return places.map((place) => place["epochs"]).find((value): value is number => typeof value === "number");
};
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const header = (report: TrainingReport): Html => {
  const { title, finished, history, writtenAt } = report;
  const done = last(report, "epoch") ?? history.length,
    all = epochsOf(report),
    seconds = last(report, "seconds");
  const left = all !== undefined && seconds !== null && done > 0 ? (seconds / done) * (all - done) : 0;
  const spent = seconds === null ? "" : ` in ${duration(seconds)}`;
  return html`<header>
    <p class="eyebrow">
      Training run${writtenAt !== undefined && html`<span class="dot" aria-hidden="true"> · </span>${date(writtenAt)}`}
    </p>
    <h1>${title}</h1>
    <p class="verdict">
      <span class="state ${!finished && "running"}">${finished ? "finished" : "running"}</span>
      ${plural(done, "epoch")}${all !== undefined && all !== done && ` of ${count(all)}`}${spent}${!finished && left > 0 && `, about ${duration(left)} left`}.
    </p>
    ${!finished && html`<p class="caveat">This page reads itself again every ${REFRESH} seconds.</p>`}
  </header>`;
};

const tile = (title: string, figure: string, effort: string): Html =>
  html`<div class="tile">
    <h2>${title}</h2>
    <p class="figure">${figure}</p>
    <p class="effort note">${effort}</p>
  </div> `;

const tiles = (report: TrainingReport): Html | false => {
  const { history } = report,
    axis = axisOf(history);
  const shown: Html[] = [];
  for (const [name, title] of [
    ["validationRobustAccuracy", "Best robust accuracy"],
    ["validationAccuracy", "Best clean accuracy"],
  ] as const) {
    const values = history.map((record) => record[name] ?? -Infinity),
      best = values.reduce((a, b) => Math.max(a, b), -Infinity);
    if (Number.isFinite(best))
      shown.push(
        tile(
          title,
          percent(best),
          `validation, ${axis.title} ${axis.xs[values.indexOf(best)]!}; last ${percent(last(report, name)!)}`,
        ),
      );
  }
  const loss = last(report, "loss"),
    speed = last(report, "imagesPerSecond"),
    idle = last(report, "idleShare"),
    gradients = last(report, "gradientEvaluations");
  if (loss !== null) shown.push(tile("Loss", significant(loss), `at ${axis.title} ${axis.xs.at(-1)!}`));
  if (speed !== null)
    shown.push(
      tile("Images per second", count(speed), idle === null ? "training" : `engine idle for ${percent(idle)}`),
    );
  else if (gradients !== null) shown.push(tile("Gradient evaluations", count(gradients), "updates and inner attacks"));
  return shown.length > 0 && html`<section class="tiles" aria-label="Key figures">${shown}</section>`;
};

const curves = (report: TrainingReport): Html => {
  const panels = panelsOf(report.history),
    marks = report.notes.flatMap(({ at }, i) => (at === undefined ? [] : [{ x: at, text: String(i + 1) }]));
  return html`<section id="curves" aria-labelledby="curves-title">
    <h2 id="curves-title">Curves</h2>
    ${
      panels.length === 0
        ? html`<p class="lead">No epoch has ended yet.</p>`
        : html`<p class="lead">
              By ${axisOf(report.history).title}; the last value stands beside the
              name.${report.notes.some(({ at }) => at !== undefined) && " Dotted lines are the notes below, by number."}
            </p>
            <div class="panels">${panels.map((one) => panelFigure(one, axisOf(report.history), marks))}</div>`
    }
  </section>`;
};

const notes = (report: TrainingReport): Html | false =>
  report.notes.length > 0 &&
  html`<section id="notes" aria-labelledby="notes-title">
    <h2 id="notes-title">Notes</h2>
    <ol class="notes">
      ${report.notes.map(
        ({ at, message }) =>
          html`<li>
            ${at !== undefined && html`<span class="strong">${axisOf(report.history).title} ${at}:</span> `}${message}
          </li> `,
      )}
    </ol>
  </section>`;

/** Most rows of the table; the history file has all. */
const MOST_ROWS = 300;

const figures = ({ history }: TrainingReport): Html | false => {
  const names = [...new Set(history.flatMap((record) => Object.keys(record)))],
    rows = history.slice(-MOST_ROWS);
  return (
    rows.length > 0 &&
    html`<section id="figures" aria-labelledby="figures-title">
      <h2 id="figures-title">Figures</h2>
      <details>
        <summary>All figures of ${plural(rows.length, "record")}</summary>
        <div class="scroll figures" tabindex="0" role="region" aria-label="All figures">
          ${dataTable(
            rows.length < history.length
              ? `The last ${count(rows.length)} of ${count(history.length)} records`
              : "Every record",
            names.map((name) => ({ title: wordsOf(name), number: true })),
            rows.map((record) => names.map((name) => (record[name] == null ? "-" : significant(record[name])))),
            "plain",
          )}
        </div>
      </details>
    </section>`
  );
};

const lines = (values: Readonly<Record<string, unknown>>): readonly Line[] =>
  Object.entries(values)
    .filter(([, value]) => !isRecord(value))
    .map(([name, value]) => [name, settingText(value)]);

const settingText = (value: unknown): string => {
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0))
    return "none";
  if (typeof value !== "number") return valueText(value);
  const k = String(value).length > 8 ? steps255(value) : undefined;
  return k === undefined ? String(value) : `${value} (${k}/255)`;
};

/** The configuration in groups, and where it ran. */
const settings = ({ config, environment }: TrainingReport): Html =>
  html`<section id="settings" aria-labelledby="settings-title">
    <h2 id="settings-title">Settings</h2>
    <p class="lead">The whole configuration, defaults included, and where it ran.</p>
    <div class="groups">
      ${group("Run", lines(config))}
      ${Object.entries(config).flatMap(([name, value]) =>
        isRecord(value) && Object.keys(value).length > 0 ? [group(capital(wordsOf(name)), nested(value))] : [],
      )}
      ${group("Environment", lines(environment))}
    </div>
  </section>`;

/** Records within groups are shown as JSON. */
const nested = (values: Readonly<Record<string, unknown>>): readonly Line[] =>
  Object.entries(values).map(([name, value]) => [name, settingText(value)]);
