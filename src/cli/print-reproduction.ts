import {
  duration,
  formatTable,
  meanText,
  type ReproductionReport,
  thresholdText,
  valuesText,
  verdictOf,
} from "../report/index.ts";
import type { Output } from "./output.ts";

const HEADER = ["claim", "published", "ours (95 %), each seed", "threshold", "held", "required"];
/** Characters a column may take; longer cells go on in further rows. */
const WIDTHS = [38, 24, 24, 15, 4, 8];

/** Words over as many lines as they need. */
const linesOf = (text: string, width: number): string[] => {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
};

/** Cells over as many rows as the longest needs, and an empty row after them. */
const rowsOf = (cells: readonly (readonly string[])[]): string[][] => {
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height + 1 }, (_, i) => cells.map((lines) => lines[i] ?? ""));
};

/** Every claim beside what was published and what was found; then the verdict. */
export const printReproduction = (output: Output, report: ReproductionReport): void => {
  const { slug, title, source, kind, seeds, claims, notes, seconds } = report;
  output.print(`${slug}: ${title}`);
  output.print(`${source}; on ${kind}, ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}`);
  output.print("");
  const rows = claims.flatMap((row) => {
    const texts = [
      row.text,
      row.published ?? "nothing comparable",
      "",
      thresholdText(row.threshold),
      row.held ? "yes" : "NO",
      row.required ? "yes" : "no",
    ];
    const cells = texts.map((text, i) => linesOf(text, WIDTHS[i]!));
    const each = row.values.length > 1 ? linesOf(valuesText(row), WIDTHS[2]!) : [];
    cells[2] = [...linesOf(meanText(row), WIDTHS[2]!), ...each];
    return rowsOf(cells);
  });
  output.print(formatTable(HEADER, rows));
  for (const note of notes) output.print(`note: ${note}`);
  output.print(
    `${slug}: ${verdictOf(report)}. This run took ${duration(seconds.total)}; training of all arms ${duration(seconds.training)}.`,
  );
};
