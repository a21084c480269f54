import type { EvaluationResult } from "../evaluate/index.ts";
import { MOST_CLASSES } from "./classes.ts";
import { count, epsilonText, percent } from "./format.ts";
import { html, type Html } from "./html.ts";
import { shareBar } from "./svg.ts";
import { dataTable } from "./table.ts";

type Counts = readonly (readonly number[])[];

/** The name of a class; its number where it has none. */
export const className = (result: EvaluationResult, label: number): string =>
  result.data.classes[label] ?? String(label);

const sum = (row: readonly number[]): number => row.reduce((s, v) => s + v, 0);

/** Two classes that the model takes for each other under attack: how often, in one direction. */
export interface ConfusedPair {
  readonly label: number;
  readonly prediction: number;
  readonly attacked: number;
  readonly clean: number;
  /** Share of the examples of `label`. */
  readonly share: number;
}

/** The most frequent wrong predictions under attack, most frequent first. */
export const confusedPairs = (
  { clean, attacked }: EvaluationResult["confusion"],
  most: number,
): readonly ConfusedPair[] =>
  attacked
    .flatMap((row, label) => {
      const total = sum(row);
      return row
        .map((n, prediction) => ({
          label,
          prediction,
          attacked: n,
          clean: clean[label]?.[prediction] ?? 0,
          share: n / total,
        }))
        .filter((pair) => pair.prediction !== label && pair.attacked > 0);
    })
    .sort((a, b) => b.attacked - a.attacked || b.share - a.share)
    .slice(0, most);

const cell = (n: number, share: number, right: boolean, darkest: number): Html => {
  if (right) return html`<td class="right">${count(n)}</td>`;
  if (n === 0) return html`<td class="zero">0</td>`;
  const depth = darkest > 0 ? share / darkest : 0;
  return html`<td class="${depth > 0.5 ? "wrong deep" : "wrong"}" style="--depth:${Math.round(12 + 88 * depth)}%">
    ${count(n)}
  </td>`;
};

/** Long names are cut by the style sheet; the whole name is the tooltip. */
const head = (name: string, scope: "row" | "col"): Html =>
  html`<th scope="${scope}"><span title="${name}">${name}</span></th>`;

const matrix = (result: EvaluationResult, counts: Counts, title: string): Html => {
  const shares = counts.map((row) => row.map((n) => n / (sum(row) || 1)));
  const darkest = Math.max(0, ...shares.flatMap((row, i) => row.filter((_, j) => j !== i)));
  const names = counts.map((_, i) => className(result, i));
  const columns = Math.max(0, ...counts.map((row) => row.length));
  return html`<div class="framed">
    <p class="note">
      ${title}: rows are what it is, columns what the model says. Outlined: right. Shade: share of the row, darkest
      ${percent(darkest)}.
    </p>
    <div class="scroll" tabindex="0" role="region" aria-label="${title}">
      <table class="matrix${names.some((name) => name.length > 3) && " long"}">
        <caption class="unseen">
          ${title}
        </caption>
        <thead>
          <tr>
            <th scope="col" class="corner">is ↓<br />says →</th>
            ${Array.from({ length: columns }, (_, j) => head(className(result, j), "col"))}
          </tr>
        </thead>
        <tbody>
          ${counts.map(
            (row, i) =>
              html`<tr>
                ${head(names[i]!, "row")} ${row.map((n, j) => cell(n, shares[i]![j]!, i === j, darkest))}
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </div>`;
};

/** Most pairs beside a matrix, which shows them all. */
const FEW_PAIRS = 8;

const fewPairs = (result: EvaluationResult): Html =>
  dataTable(
    "The most frequent mistakes under attack; in brackets, how often without",
    [{ title: "is" }, { title: "taken for" }, { title: "times", number: true }],
    confusedPairs(result.confusion, FEW_PAIRS).map((pair) => [
      className(result, pair.label),
      className(result, pair.prediction),
      `${count(pair.attacked)} (${count(pair.clean)})`,
    ]),
    "plain",
  );

const pairTable = (result: EvaluationResult): Html => {
  const pairs = confusedPairs(result.confusion, MOST_CLASSES);
  if (pairs.length === 0) return html`<p>Nothing was confused.</p>`;
  const most = pairs.reduce((m, pair) => Math.max(m, pair.share), 0);
  return dataTable(
    `The ${pairs.length} most frequent mistakes under attack. The bars show the share of the class, the longest ${percent(most)}.`,
    [
      { title: "is", kind: "name" },
      { title: "taken for" },
      { title: "share", kind: "wide-bar" },
      { title: "under attack", number: true },
      { title: "of the class", number: true },
      { title: "no attack", number: true },
    ],
    pairs.map((pair) => [
      className(result, pair.label),
      className(result, pair.prediction),
      shareBar([{ share: pair.share / most, kind: "lost" }]),
      count(pair.attacked),
      percent(pair.share),
      count(pair.clean),
    ]),
    "compact",
  );
};

/** What is taken for what under attack: a matrix up to 20 classes, else the most frequent mistakes. */
export const confusionSection = (result: EvaluationResult): Html => {
  const { clean, attacked } = result.confusion;
  const small = attacked.length <= MOST_CLASSES;
  return html`<section id="confusion" aria-labelledby="confusion-title">
    <h2 id="confusion-title">What is taken for what</h2>
    <p class="lead">
      Predictions under attack, at epsilon ${epsilonText(result.threat.epsilon)}: where an attack broke an example, the
      class that the broken example is given.
    </p>
    ${small ? html`<div class="flow">${matrix(result, attacked, "Counts under attack")} ${fewPairs(result)}</div>` : pairTable(result)}
    ${
      small &&
      clean.length > 0 &&
      html`<details>
        <summary>The same without attack</summary>
        ${matrix(result, clean, "Counts without attack")}
      </details>`
    }
  </section>`;
};
