import type { EvaluationResult, ExampleRow, Judgement } from "../evaluate/index.ts";
import { className } from "./confusion.ts";
import { count, percent, significant } from "./format.ts";
import { html, type Html } from "./html.ts";
import { examplePictures, pictureForm } from "./images.ts";

const judgement = (result: EvaluationResult, { label, confidence }: Judgement, truth: number): Html => {
  const right = label === truth;
  return html`<span class="says ${right ? "right" : "wrong"}"
      ><span aria-hidden="true">${right ? "✓" : "✗"}</span> ${className(result, label)}<span class="unseen">
        (${right ? "right" : "wrong"})</span
      ></span
    >
    <span class="sub">${Number.isFinite(confidence) ? percent(confidence) : "no"} confidence</span>`;
};

const example = (result: EvaluationResult, row: ExampleRow): Html => {
  const truth = className(result, row.label);
  const pictures = examplePictures(row, result, {
    clean: `Example ${row.index} unchanged: ${truth}`,
    adversarial: `Example ${row.index} changed by ${row.attack}: the model says ${className(result, row.adversarial.label)}`,
  });
  return html`<article class="example">
    <h3>Example ${count(row.index)} <span class="truth">true class: ${truth}</span></h3>
    <div class="triple">
      <figure>
        ${pictures.clean}
        <figcaption><span class="role">clean</span>${judgement(result, row.clean, row.label)}</figcaption>
      </figure>
      <figure>
        ${pictures.change}
        <figcaption>
          <span class="role">change ${pictures.factor}</span><span class="sub">${pictures.scale}</span>
        </figcaption>
      </figure>
      <figure>
        ${pictures.adversarial}
        <figcaption><span class="role">adversarial</span>${judgement(result, row.adversarial, row.label)}</figcaption>
      </figure>
    </div>
    <p class="note">
      Found by ${row.attack}; ${result.threat.norm} distance
      ${Number.isFinite(row.distance) ? significant(row.distance) : "unknown"}.
    </p>
  </article> `;
};

const channelNote = (result: EvaluationResult): Html | false => {
  const form = pictureForm(result.model.inputShape);
  return (
    form !== undefined &&
    form.given !== form.channels &&
    html` The inputs have ${count(form.given)} channels; only the first is shown.`
  );
};

/** Pictures of what breaks the model. */
export const exampleSection = (result: EvaluationResult): Html =>
  html`<section id="examples" aria-labelledby="examples-title">
    <h2 id="examples-title">Examples</h2>
    ${
      result.examples.length === 0
        ? html`<p class="lead">No examples were kept.</p>`
        : html`<p class="lead">
              The input, what the attack changed (made visible by the factor that is given), and the
              result.${channelNote(result)}
            </p>
            <div class="cards">${result.examples.map((row) => example(result, row))}</div>`
    }
  </section>`;
