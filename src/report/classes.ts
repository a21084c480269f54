import { type ClassRow, type EvaluationResult, fraction } from "../evaluate/index.ts";
import { count, epsilonText, interval, percent, plural } from "./format.ts";
import { html, type Html } from "./html.ts";
import { shareBar } from "./svg.ts";
import { dataTable } from "./table.ts";

/** Most classes that are listed one by one, and most that a confusion matrix may have. */
export const MOST_CLASSES = 20;

const robustShare = (row: ClassRow): number => row.robust / row.count;

/** All classes in their order, or the worst 20 (lowest robust accuracy first; classes without examples left out). */
export const shownClasses = (rows: readonly ClassRow[]): readonly ClassRow[] =>
  rows.length <= MOST_CLASSES
    ? rows
    : rows
        .filter((row) => row.count > 0)
        .sort((a, b) => robustShare(a) - robustShare(b) || a.clean / a.count - b.clean / b.count)
        .slice(0, MOST_CLASSES);

const bar = ({ clean, robust, count: n }: ClassRow): Html =>
  shareBar([
    { share: robust / n, kind: "keep" },
    { share: Math.max(0, clean - robust) / n, kind: "lost" },
  ]);

const classCells = (row: ClassRow): readonly (Html | string)[] =>
  row.count === 0
    ? [row.name, "0", "no examples", "", "", ""]
    : [
        row.name,
        count(row.count),
        bar(row),
        percent(row.clean / row.count),
        percent(robustShare(row)),
        interval(fraction(row.robust, row.count)),
      ];

const spread = (rows: readonly ClassRow[]): Html | false => {
  const known = rows.filter((row) => row.count > 0).sort((a, b) => robustShare(a) - robustShare(b));
  const worst = known[0],
    best = known.at(-1);
  return (
    worst !== undefined &&
    best !== undefined &&
    html` Under attack the classes range from ${percent(robustShare(worst))} (${worst.name}) to
    ${percent(robustShare(best))} (${best.name}).`
  );
};

/** Clean and robust accuracy of every class, or of the worst 20. */
export const classSection = (result: EvaluationResult): Html => {
  const rows = result.perClass,
    shown = shownClasses(rows);
  const caption =
    shown.length < rows.length
      ? `The worst ${shown.length} of ${count(rows.length)} classes, lowest accuracy under attack first; the interval is that under attack`
      : `All ${plural(rows.length, "class", "classes")}; the interval is that of the accuracy under attack`;
  return html`<section id="classes" aria-labelledby="classes-title">
    <h2 id="classes-title">Classes</h2>
    <p class="lead">Where the model is weak, at epsilon ${epsilonText(result.threat.epsilon)}.${spread(rows)}</p>
    <p class="legend">
      <span><span class="swatch keep"></span> correct under attack</span
      ><span><span class="swatch lost"></span> broken by an attack</span
      ><span><span class="swatch wrong"></span> wrong without attack</span>
    </p>
    ${dataTable(
      caption,
      [
        { title: "class", kind: "name" },
        { title: "examples", number: true },
        { title: "shares", kind: "wide-bar" },
        { title: "no attack", number: true },
        { title: "under attack", number: true },
        { title: "95\u00a0% interval", number: true },
      ],
      shown.map(classCells),
      "compact",
    )}
  </section>`;
};
