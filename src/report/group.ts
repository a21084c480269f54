import { html, type Html, type Piece } from "./html.ts";

export type Line = readonly [name: string, value: Piece];

/** Names and values under a heading. */
export const group = (title: string, lines: readonly Line[]): Html =>
  html`<div class="group">
    <h3>${title}</h3>
    <dl>
      ${lines.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div> `,
      )}
    </dl>
  </div>`;
