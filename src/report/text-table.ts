import { printable } from "./html.ts";

const numeric = (cell: string): boolean =>
  /^[<>]?[\s\u00a0]?[+-]?[\d.,]+([\s\u00a0]?(%|s|ms|x|×))?$/.test(cell) || cell === "-" || cell === "";

/** One line, and nothing that moves the cursor. */
const clean = (cell: string): string => printable(cell).replaceAll(/[\n\r\t\u00a0]+/g, " ");

const width = (cell: string): number => [...cell].length;

/**
 * A table in plain text: columns two spaces apart, a rule below the header, columns of numbers aligned right. Short rows
 * are filled up with blanks; without a header there is no rule either. Control characters in cells are replaced, so that names from files cannot steer a terminal.
 *
 * @returns lines joined by `\n`, no trailing blanks, no newline at the end
 */
export const formatTable = (header: readonly string[], rows: readonly (readonly string[])[]): string => {
  const columns = Math.max(header.length, ...rows.map((row) => row.length));
  const cells = [header, ...rows].map((row) => Array.from({ length: columns }, (_, j) => clean(row[j] ?? "")));
  const widths = Array.from({ length: columns }, (_, j) => Math.max(...cells.map((row) => width(row[j]!))));
  const right = widths.map((_, j) => rows.length > 0 && cells.slice(1).every((row) => numeric(row[j]!)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, j) => {
        const blanks = " ".repeat(widths[j]! - width(cell));
        return right[j] ? blanks + cell : cell + blanks;
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((w) => "─".repeat(w)).join("  ");
  return [...(header.length > 0 ? [line(cells[0]!), rule] : []), ...cells.slice(1).map(line)].join("\n");
};
