import type { EvaluationResult } from "../evaluate/index.ts";
import { attackSection } from "./attacks.ts";
import { classSection } from "./classes.ts";
import { confusionSection } from "./confusion.ts";
import { curveSection } from "./curve.ts";
import { exampleSection } from "./examples.ts";
import { baseName } from "./format.ts";
import { html } from "./html.ts";
import { methodSection } from "./method.ts";
import { pageOf } from "./shell.ts";
import { summary } from "./summary.ts";
import { patterns } from "./svg.ts";

const sections = [
  ["curve", "Accuracy against epsilon", curveSection],
  ["attacks", "Attacks", attackSection],
  ["classes", "Classes", classSection],
  ["confusion", "Confusion", confusionSection],
  ["examples", "Examples", exampleSection],
  ["method", "How this was measured", methodSection],
] as const;

/** The result as one HTML page. Every text that comes from files is escaped. */
export const renderReport = (result: EvaluationResult): string =>
  pageOf({
    title: `Robustness of ${baseName(result.model.path)}`,
    temper: result.machine.temper,
    body: html`${patterns}
      <main>
        ${summary(result)}
        <nav aria-label="Sections">${sections.map(([id, title]) => html`<a href="#${id}">${title}</a>`)}</nav>
        ${sections.map(([, , section]) => html`${section(result)} `)}
      </main>
      <footer><p>Made by Temper ${result.machine.temper}. Result format ${result.schema}.</p></footer>`,
  });
