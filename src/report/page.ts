import type { EvaluationResult } from "../evaluate/index.ts";
import { attackSection } from "./attacks.ts";
import { classSection } from "./classes.ts";
import { confusionSection } from "./confusion.ts";
import { curveSection } from "./curve.ts";
import { exampleSection } from "./examples.ts";
import { baseName } from "./format.ts";
import { html, toText } from "./html.ts";
import { methodSection } from "./method.ts";
import { css } from "./style.ts";
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

/**
 * The result as one HTML page: no scripts, no outside resources (its content policy forbids both), light and dark, for
 * narrow and wide screens and for paper. Every text that comes from files is escaped.
 */
export const renderReport = (result: EvaluationResult): string =>
  toText(
    html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <meta
            http-equiv="Content-Security-Policy"
            content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
          />
          <meta name="generator" content="Temper ${result.machine.temper}" />
          <title>Robustness of ${baseName(result.model.path)}</title>
          <style>
            ${css}
          </style>
        </head>
        <body>
          ${patterns}
          <main>
            ${summary(result)}
            <nav aria-label="Sections">${sections.map(([id, title]) => html`<a href="#${id}">${title}</a>`)}</nav>
            ${sections.map(([, , section]) => html`${section(result)} `)}
          </main>
          <footer><p>Made by Temper ${result.machine.temper}. Result format ${result.schema}.</p></footer>
        </body>
      </html> `,
  );
