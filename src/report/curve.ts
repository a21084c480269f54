import type { EvaluationResult } from "../evaluate/index.ts";
import { count, epsilonText, interval, percent } from "./format.ts";
import { html, type Html } from "./html.ts";
import { noun } from "./summary.ts";
import { accuracyCurve, type CurvePoint, legendMark } from "./svg.ts";
import { dataTable } from "./table.ts";

/** The points of the curve: the clean accuracy at epsilon 0, then the sweep. */
export const curvePoints = (result: EvaluationResult): readonly CurvePoint[] => [
  { epsilon: 0, accuracy: result.cleanAccuracy, kind: "clean" },
  ...result.sweep
    .filter((row) => row.epsilon > 0)
    .map(({ epsilon, robustAccuracy }): CurvePoint => ({
      epsilon,
      accuracy: robustAccuracy,
      kind: epsilon === result.threat.epsilon ? "main" : "other",
    })),
];

/** Accuracy against epsilon: chart and figures. */
export const curveSection = (result: EvaluationResult): Html => {
  const points = curvePoints(result);
  const last = points.at(-1)!;
  const label = `Accuracy against epsilon: ${percent(points[0]!.accuracy.value)} without attack, ${percent(last.accuracy.value)} at epsilon ${epsilonText(last.epsilon)}. All figures stand in the table that follows.`;
  const counts = points.map((p) => p.accuracy.count),
    fewest = Math.min(...counts),
    most = Math.max(...counts),
    uneven = fewest < most; // a sweep may ask fewer examples than the main epsilon
  const rows = points.map((p) => [
    p.kind === "clean"
      ? "0 (no attack)"
      : html`${epsilonText(p.epsilon)}${p.kind === "main" && html` <span class="tag">main</span>`}`,
    html`${percent(p.accuracy.value)}${uneven && html`<span class="sub">of ${count(p.accuracy.count)}</span>`}`,
    interval(p.accuracy),
  ]);
  return html`<section id="curve" aria-labelledby="curve-title">
    <h2 id="curve-title">Accuracy against epsilon</h2>
    <p class="lead">
      How much of the accuracy is left as the attacker may go further. Epsilon is in units of the model’s input, which
      runs from ${result.threat.box[0]} to ${result.threat.box[1]}; distance is measured in ${result.threat.norm}.
    </p>
    <div class="beside">
      <figure>
        <div class="wide">${accuracyCurve(points, { width: 660, height: 370 }, label)}</div>
        <div class="narrow">${accuracyCurve(points, { width: 330, height: 300 }, label)}</div>
        <figcaption class="legend">
          <span>${legendMark("clean")} no attack</span><span>${legendMark("main")} main epsilon</span
          ><span>${legendMark("other")} other epsilons</span><span>${legendMark("band")} 95 % interval</span>
        </figcaption>
      </figure>
      ${dataTable(
        `Worst case over all attacks, ${uneven ? `${count(fewest)} to ` : ""}${count(most)} ${noun(result)}`,
        [{ title: "epsilon" }, { title: "correct", number: true }, { title: "95\u00a0% interval", number: true }],
        rows,
        "plain",
      )}
    </div>
  </section>`;
};
