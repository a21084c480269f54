import { html, type Html, type Piece } from "./html.ts";

/** A column of a {@link dataTable}. */
export interface Column {
  readonly title: string;
  /** Numbers are set right. */
  readonly number?: boolean;
  /** Extra CSS class of its cells. */
  readonly kind?: string;
}

/**
 * What becomes of a table on narrow screens: `plain` stays, `cards-form` is a list of names and values, `compact` puts
 * the first two cells in one line, a bar below and the other cells side by side.
 */
export type TableForm = "plain" | "cards-form" | "compact";

/**
 * A table whose first cell of a row is its header. The roles are spelled out because some browsers drop a table's
 * meaning once CSS changes its display.
 */
export const dataTable = (
  caption: Piece,
  columns: readonly Column[],
  rows: readonly (readonly Piece[])[],
  form: TableForm,
): Html => {
  const classOf = (column: Column): string => `${column.number ? "num" : ""} ${column.kind ?? ""}`.trim();
  const head = columns.map((c) => html`<th scope="col" role="columnheader" class="${classOf(c)}">${c.title}</th>`);
  const body = rows.map(
    (row) =>
      html`<tr role="row">
        ${row.map((cell, j) => {
          const column = columns[j]!;
          return j === 0
            ? html`<th scope="row" role="rowheader" class="${classOf(column)}">${cell}</th>`
            : html`<td role="cell" class="${classOf(column)}" data-label="${column.title}">${cell}</td>`;
        })}
      </tr> `,
  );
  return html`<table role="table" class="data ${form}">
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${head}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${body}
    </tbody>
  </table>`;
};
