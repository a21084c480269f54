import { count, date, duration, percent, significant, valueText } from "./format.ts";
import { group } from "./group.ts";
import { html, type Html } from "./html.ts";
import { panelFigure } from "./panel-figure.ts";
import { capital, numeric, type Panel, shares, SINGLES, wordsOf } from "./panels.ts";
import {
  type ArmRow,
  meanText,
  type ReproductionReport,
  thresholdText,
  valuesText,
  verdictOf,
} from "./reproduction.ts";
import { pageOf } from "./shell.ts";
import { dataTable } from "./table.ts";
import { trainingCss } from "./training-style.ts";

/** A reproduction as one HTML page, of the kind of `renderReport`. */
export const renderReproduction = (report: ReproductionReport): string =>
  pageOf({
    title: `${report.slug}: ${verdictOf(report)}`,
    temper: report.machine.temper,
    style: trainingCss,
    body: html`<main>
        ${header(report)} ${claims(report)} ${notes(report)} ${curves(report)} ${arms(report)} ${numbers(report)}
        ${settings(report)}
      </main>
      <footer><p>Made by Temper ${report.machine.temper}.</p></footer>`,
  });

const header = (report: ReproductionReport): Html => {
  const { title, source, kind, seeds, seconds, createdAt } = report;
  return html`<header>
    <p class="eyebrow">Reproduction<span class="dot" aria-hidden="true"> · </span>${date(createdAt)}</p>
    <h1>${title} <small>on ${kind}</small></h1>
    <p class="verdict">
      ${capital(verdictOf(report))} on ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}, after
      ${duration(seconds.training)} of training.
    </p>
    <p class="caveat">${source}. At small scale: claims are compared, not published accuracies.</p>
  </header>`;
};

const claims = ({ claims: rows, seeds }: ReproductionReport): Html =>
  html`<section id="claims" aria-labelledby="claims-title">
    <h2 id="claims-title">Claims</h2>
    <p class="lead">
      Ours: the
      mean${seeds.length > 1 && html` with its 95 % interval (Student's, wide for few seeds), then the values of seeds ${seeds.join(", ")}`}.
    </p>
    ${dataTable(
      "What the system claims",
      [
        { title: "Claim", kind: "name" },
        { title: "Held", kind: "whole" },
        { title: "Published" },
        { title: "Ours", kind: "whole" },
        { title: "Threshold" },
      ],
      rows.map((row) => [
        row.text,
        html`<span
          >${row.held ? "held" : html`<span class="strong">not held</span>`}
          <span class="sub">${row.required ? "required" : "not required"}</span></span
        >`,
        row.published ?? "nothing comparable",
        html`<span
          >${meanText(row)} ${row.values.length > 1 && html`<span class="sub">${valuesText(row)}</span>`}</span
        >`,
        thresholdText(row.threshold),
      ]),
      "cards-form",
    )}
  </section>`;

const notes = ({ notes: lines }: ReproductionReport): Html | false =>
  lines.length > 0 &&
  html`<section id="notes" aria-labelledby="notes-title">
    <h2 id="notes-title">Notes</h2>
    <ul class="notes">
      ${lines.map((line) => html`<li>${line}</li> `)}
    </ul>
  </section>`;

/** What arms are compared by, epoch by epoch, where their histories have it. */
const COMPARED: readonly (Omit<Panel, "series"> & { readonly name: string })[] = [
  { name: "loss", title: "Loss", fromZero: false, ...numeric },
  { name: "trainAccuracy", title: "Accuracy in training, of what the step saw", fromZero: false, ...shares },
  { name: "validationAccuracy", title: "Clean accuracy, validation", fromZero: false, ...shares },
  { name: "validationRobustAccuracy", title: "Robust accuracy, validation", fromZero: false, ...shares },
  { name: "probeFgsmAccuracy", title: "Accuracy under FGSM, guard's probe", fromZero: false, ...shares },
  { name: "probePgdAccuracy", title: "Accuracy under PGD, guard's probe", fromZero: false, ...shares },
  { name: "lr", ...SINGLES.lr, fromZero: true },
  { name: "gradientEvaluations", ...SINGLES.gradientEvaluations, fromZero: true },
];

const curves = ({ arms: trained }: ReproductionReport): Html => {
  const names = [...new Set(trained.map(({ name }) => name))],
    longest = trained.reduce((most, { history }) => Math.max(most, history.length), 0);
  const axis = { title: "epoch", xs: Array.from({ length: longest }, (_, i) => i + 1) };
  const panels = COMPARED.map(({ name, ...panel }): Panel => {
    const series = trained.map((arm) => {
      const at = names.indexOf(arm.name);
      const values = axis.xs.map((_, i) => finite(arm.history[i]?.[name]));
      return { name: arm.name, values, colour: at % 6, dash: at % 4 };
    });
    return { ...panel, series: series.filter(({ values }) => values.some((value) => value !== null)) };
  }).filter(({ series }) => series.length > 0);
  return html`<section id="curves" aria-labelledby="curves-title">
    <h2 id="curves-title">Curves</h2>
    <p class="lead">By epoch; a line an arm and seed, beside the name the last value of each seed.</p>
    <div class="panels">${panels.map((panel) => panelFigure(panel, axis))}</div>
  </section>`;
};
const finite = (value: number | null | undefined): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

const arms = ({ arms: trained }: ReproductionReport): Html =>
  html`<section id="arms" aria-labelledby="arms-title">
    <h2 id="arms-title">Arms</h2>
    <p class="lead">Every training of the experiment, measured on the same test examples.</p>
    ${dataTable(
      "What was trained",
      [
        { title: "Arm", kind: "name" },
        { title: "Seed", number: true },
        { title: "Clean", number: true },
        { title: "FGSM", number: true },
        { title: "PGD", number: true },
        { title: "Gradients", number: true },
        { title: "Training", number: true },
      ],
      trained.map(({ name, seed, clean, fgsm, pgd, gradientEvaluations, seconds }) => [
        name,
        seed,
        percent(clean),
        percent(fgsm),
        percent(pgd),
        count(gradientEvaluations),
        duration(seconds),
      ]),
      "cards-form",
    )}
  </section>`;

const numbers = ({ measured, seeds }: ReproductionReport): Html => {
  const names = [...new Set(measured.flatMap((record) => Object.keys(record)))];
  return html`<section id="figures" aria-labelledby="figures-title">
    <h2 id="figures-title">Figures</h2>
    <p class="lead">What the claims are tested on. Accuracies and their differences are fractions of one.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="All figures">
      ${dataTable(
        "Numbers of each seed",
        [{ title: "Number", kind: "name" }, ...seeds.map((seed) => ({ title: `Seed ${seed}`, number: true }))],
        names.map((name) => [name, ...measured.map((record) => significant(record[name] ?? NaN))]),
        "plain",
      )}
    </div>
  </section>`;
};

/** One group an arm, as its first seed was trained, and where it ran. */
const settings = ({ arms: trained, command, data, machine }: ReproductionReport): Html => {
  const first = trained.filter(({ name }, i) => trained.findIndex((other) => other.name === name) === i);
  return html`<section id="settings" aria-labelledby="settings-title">
    <h2 id="settings-title">Settings</h2>
    <figure class="command">
      <figcaption>Command</figcaption>
      <pre>${command}</pre>
    </figure>
    <div class="groups">
      ${first.map((arm) => group(arm.name, lines(arm.configuration)))}
      ${group(
        "Data",
        [data.train, data.test].map(({ name, count: n, hash }) => [
          name,
          html`${count(n)} examples <span class="hash">${hash}</span>`,
        ]),
      )}
      ${group("Environment", lines(machine))}
    </div>
  </section>`;
};

const lines = (values: ArmRow["configuration"]): readonly (readonly [string, string])[] =>
  Object.entries(values).map(([name, value]) => [wordsOf(name), settingText(value)]);

/** Records as `epochs 15, steps 7`. */
const settingText = (value: unknown): string => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return valueText(value);
  const pairs = Object.entries(value).map(([name, inner]) => `${wordsOf(name)} ${valueText(inner)}`);
  return pairs.length > 0 ? pairs.join(", ") : "none";
};
