import { html, type Html, toText } from "./html.ts";
import { css } from "./style.ts";

export interface Shell {
  readonly title: string;
  /** Version of Temper. */
  readonly temper: string;
  /** Further rules of this page. */
  readonly style?: Html;
  /** Seconds after which the page reads itself again; without it, it stays as it is. */
  readonly refresh?: number | undefined;
  /** What stands in the body. */
  readonly body: Html;
}

/**
 * A whole page around its content: no scripts, no outside resources (its content policy forbids both), light and dark,
 * for narrow and wide screens and for paper.
 */
export const pageOf = ({ title, temper, style, refresh, body }: Shell): string =>
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
          ${refresh !== undefined && html`<meta http-equiv="refresh" content="${refresh}" />`}
          <meta name="generator" content="Temper ${temper}" />
          <title>${title}</title>
          <style>
            ${css}${style}
          </style>
        </head>
        <body>
          ${body}
        </body>
      </html> `,
  );
