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
 * A table that turns into a list of cards on narrow screens. The roles are spelled out because some browsers drop a
 * table's meaning once CSS changes its display. The first cell of a row is its header.
 */
export const dataTable = (
  caption: Piece,
  columns: readonly Column[],
  rows: readonly (readonly Piece[])[],
  kind = "",
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
  return html`<table role="table" class="stack ${kind}">
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
