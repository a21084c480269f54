import type { EvaluationResult, Fraction } from "../evaluate/index.ts";
import type { NormName } from "../threat/index.ts";
import { baseName, count, date, duration, epsilonText, interval, percent, plural, successes } from "./format.ts";
import { html, type Html } from "./html.ts";
import { pictureForm } from "./images.ts";
import { shareBar } from "./svg.ts";

/** `images` where inputs are images, else `examples`. */
export const noun = (result: EvaluationResult): "images" | "examples" =>
  pictureForm(result.model.inputShape) ? "images" : "examples";

/** What an attacker of each norm may do; every norm must have its words. */
const allowance: Readonly<Record<NormName, (epsilon: string, one: string) => string>> = {
  linf: (epsilon, one) => `may change every ${one === "image" ? "pixel" : "value"} by up to ${epsilon}`,
  l2: (epsilon, one) => `may move an ${one} by a Euclidean distance of up to ${epsilon}`,
  l1: (epsilon, one) => `may make changes to an ${one} that add up to ${epsilon}`,
};

/** `may change every pixel by up to 0.1`. */
export const allowanceText = (result: EvaluationResult): string =>
  allowance[result.threat.norm](epsilonText(result.threat.epsilon), noun(result).slice(0, -1));

/**
 * The result in one plain sentence: "Of 1,000 test images the model classifies 98.2 % correctly; an attacker who may
 * change every pixel by up to 0.1 leaves 94.9 %."
 */
export const verdict = (result: EvaluationResult): string => {
  const { cleanAccuracy: clean, robustAccuracy: robust, data } = result;
  const what = `${data.split} ${noun(result)}`.trim();
  if (clean.count === 0) return `No ${what} were evaluated, so nothing is known about this model.`;
  return `Of ${count(clean.count)} ${what} the model classifies ${percent(clean.value)} correctly; an attacker who ${allowanceText(result)} leaves ${percent(robust.value)}.`;
};

const tile = (title: string, value: Fraction, kind: string): Html =>
  html`<div class="tile ${kind}">
    <h2>${title}</h2>
    <p class="figure">${percent(value.value)}</p>
    ${shareBar([{ share: value.value, kind: "keep" }])}
    <p class="note">${count(successes(value))} of ${count(value.count)}<br />95 % interval ${interval(value)}</p>
  </div>`;

const tiles = (result: EvaluationResult): Html => {
  const { cleanAccuracy: clean, robustAccuracy: robust, cost, seconds } = result;
  const broken = Math.max(0, successes(clean) - successes(robust)),
    right = successes(clean);
  return html`<section class="tiles" aria-label="Key figures">
    ${tile("Correct without attack", clean, "clean")} ${tile("Correct under attack", robust, "robust")}
    <div class="tile broken">
      <h2>Broken by the attacks</h2>
      <p class="figure">${count(broken)}</p>
      ${shareBar([{ share: right ? broken / right : 0, kind: "lost" }])}
      <p class="note">of ${count(right)} that were right<br />${percent(right ? broken / right : 0)} of them</p>
    </div>
    <div class="tile">
      <h2>Effort of the attacks</h2>
      <p class="figure">${duration(seconds.attack)}</p>
      <p class="note effort">
        ${plural(cost.gradientEvaluations, "gradient")},
        ${plural(cost.forwardEvaluations, "forward pass", "forward passes")}<br />all attacks and epsilons
      </p>
    </div>
  </section>`;
};

const doubts = ({ doubts: list }: EvaluationResult): Html =>
  list.length === 0
    ? html`<section class="doubts none" id="doubts" aria-labelledby="doubts-title">
        <h2 id="doubts-title"><span class="sign" aria-hidden="true">✓</span> No doubts about this measurement</h2>
        <p>The checks that look for misleading figures found nothing.</p>
      </section>`
    : html`<section class="doubts" id="doubts" aria-labelledby="doubts-title">
        <h2 id="doubts-title">
          <span class="sign" aria-hidden="true">!</span> ${plural(list.length, "doubt")} about this measurement: read
          before you trust the figures
        </h2>
        <ul>
          ${list.map(
            (doubt) =>
              html`<li>
                <code>${doubt.code}</code>
                <p>${doubt.message}</p>
              </li> `,
          )}
        </ul>
      </section>`;

/** Header, key figures and doubts: what a reader in a hurry needs. */
export const summary = (result: EvaluationResult): Html =>
  html`<header>
      <p class="eyebrow">Robustness report<span class="dot" aria-hidden="true"> · </span>${date(result.createdAt)}</p>
      <h1>${baseName(result.model.path)} <small>on ${result.data.name}</small></h1>
      <p class="verdict">${verdict(result)}</p>
      <p class="caveat">
        Attacks show weakness, they cannot prove strength: a stronger attack may leave less than this, never more.
      </p>
    </header>
    ${doubts(result)} ${tiles(result)}`;
