import type { AttackRow, EvaluationResult } from "../evaluate/index.ts";
import { count, decimal, duration, epsilonText, interval, optionsText, percent, plural, successes } from "./format.ts";
import { html, type Html, type Piece } from "./html.ts";
import { shareBar } from "./svg.ts";
import { type Column, dataTable } from "./table.ts";

const columns: readonly Column[] = [
  { title: "attack", kind: "name" },
  { title: "tried on", number: true },
  { title: "broke", number: true },
  { title: "correct afterwards", number: true, kind: "meter" },
  { title: "gradients / example", number: true },
  { title: "forwards / example", number: true },
  { title: "time", number: true },
];

const attackTable = (caption: Piece, rows: readonly AttackRow[]): Html =>
  dataTable(
    caption,
    columns,
    rows.map((row) => {
      const options = optionsText(row.options);
      return [
        html`<span class="strong">${row.name}</span>${options !== "" && html`<span class="sub">${options}</span>`}`,
        count(row.attempted),
        html`${count(row.broken)}<span class="sub"
            >${row.attempted > 0 ? percent(row.broken / row.attempted) : "none to try"}</span
          >`,
        html`${percent(row.robustAccuracy.value)}<span class="sub">${interval(row.robustAccuracy)}</span
          >${shareBar([{ share: row.robustAccuracy.value, kind: "keep" }])}`,
        decimal(row.gradientEvaluations),
        decimal(row.forwardEvaluations),
        duration(row.seconds),
      ];
    }),
    "cards-form",
  );

/** Examples that the first attack was not given, though the model has them right. */
const fallenEarlier = ({ attacks, cleanAccuracy }: EvaluationResult): Html | false => {
  const first = attacks[0],
    fallen =
      first && cleanAccuracy.count === first.robustAccuracy.count ? successes(cleanAccuracy) - first.attempted : 0;
  return (
    fallen > 0 &&
    html` ${plural(fallen, "example")} that fell already at a smaller epsilon ${fallen === 1 ? "counts" : "count"} as
    broken and ${fallen === 1 ? "was" : "were"} not tried again.`
  );
};

/** One row an attack: what it was given, what it broke, what that cost. The other epsilons fold. */
export const attackSection = (result: EvaluationResult): Html => {
  const others = result.sweep.filter((row) => row.epsilon > 0 && row.epsilon !== result.threat.epsilon);
  return html`<section id="attacks" aria-labelledby="attacks-title">
    <h2 id="attacks-title">What each attack did</h2>
    <p class="lead">
      The attacks run one after the other; each sees only the examples that all before it left standing. “Correct
      afterwards” counts this attack and all before it, with its 95 % interval. Costs are averages over the examples
      tried.${fallenEarlier(result)}
    </p>
    ${result.attacks.length === 0 ? html`<p>No attack was run.</p>` : attackTable(html`At the main epsilon, ${epsilonText(result.threat.epsilon)}`, result.attacks)}
    ${
      others.length > 0 &&
      html`<details>
        <summary>The attacks at ${plural(others.length, "other epsilon")}</summary>
        ${others.map((row) => attackTable(html`At epsilon ${epsilonText(row.epsilon)}`, row.attacks))}
      </details>`
    }
  </section>`;
};
