/** The table that the benchmark prints and writes. */
import { barText } from "./rows.mjs";

/** Rows during which other processes used more of the machine than this are marked: their figures mean little. */
const QUIET = 0.1;
export const isDisturbed = (row) => row.otherCpu > QUIET;

const time = (seconds) =>
  seconds >= 10
    ? `${seconds.toFixed(1)} s`
    : seconds >= 1
      ? `${seconds.toFixed(2)} s`
      : `${(seconds * 1e3).toPrecision(3)} ms`;
const times = ({ min, median, max }) => `${time(median)} (${time(min)} - ${time(max)})`;
const ratios = ({ min, median, max }) => `${min.toFixed(2)} / **${median.toFixed(2)}** / ${max.toFixed(2)}`;
const megabytes = (bytes) => (bytes ? `${Math.round(bytes / 1e6)}` : "-");
const mark = (holds) => (holds ? "pass" : "FAIL");

/** Best GFLOP/s that any side reached in the ceiling rows. */
export const ceilingOf = (rows) => {
  const reached = rows
    .filter((row) => row.id.startsWith("ceiling-"))
    .flatMap((row) => row.sides.filter((s) => s.seconds).map((s) => row.flops / s.seconds.min / 1e9));
  return reached.length > 0 ? Math.max(...reached) : Number.NaN;
};

const work = ({ flops }, { seconds }, ceiling) => {
  if (!flops) return "-";
  const rate = flops / seconds.median / 1e9;
  return Number.isNaN(ceiling) ? rate.toFixed(0) : `${rate.toFixed(0)} (${((100 * rate) / ceiling).toFixed(0)} %)`;
};

/** The verdicts of a row: what was promised, what came, and whether it holds. */
export const verdictsOf = (row) => {
  const [ours] = row.sides;
  const verdicts = row.sides.flatMap((side) =>
    side.bar === undefined
      ? []
      : [
          {
            text: `${side.name} ${barText(side.bar)}`,
            value: side.ratio?.median,
            holds: side.ratio?.median >= side.bar,
          },
        ],
  );
  if (row.limit) {
    const values = { medianSeconds: ours.seconds?.median, eventLoopDelayMs: ours.probe?.eventLoopDelayMs };
    const value = values[row.limit.of];
    verdicts.push({ text: row.limit.text, value, holds: value <= row.limit.most });
  }
  return verdicts;
};

/** Table lines of one row: a line a side. */
export const rowLines = (row, ceiling) =>
  row.sides.map((side, i) => {
    const title = i === 0 ? `${row.title}${isDisturbed(row) ? " (disturbed)" : ""}` : "";
    if (side.failure)
      return `| ${title} | ${side.name} | did not run: ${side.failure.replaceAll(/[|\n]/g, " ")} | | | | | |`;
    const bar = side.bar === undefined ? "" : `${barText(side.bar)} ${mark(side.ratio?.median >= side.bar)}`;
    const limit = i === 0 && row.limit ? verdictsOf(row).at(-1) : undefined;
    const limitText = limit ? `${limit.text}: ${limit.value?.toFixed(2) ?? "not measured"} ${mark(limit.holds)}` : "";
    const cells = [
      title,
      side.name,
      times(side.seconds),
      side.ratio ? ratios(side.ratio) : "",
      work(row, side, ceiling),
      bar || limitText,
      megabytes(side.peakBytes),
    ];
    return `| ${cells.join(" | ")} |`;
  });

export const HEADER = [
  "| row | side | median (min - max) | times ours: min / median / max | GFLOP/s (of ceiling) | bar | peak MB |",
  "|---|---|---|---|---|---|---|",
];

/** The whole report in Markdown. */
export const markdown = ({ date, machine, versions, rounds, rows, agreement }) => {
  const ceiling = ceilingOf(rows),
    verdicts = rows.flatMap(verdictsOf);
  const failed = verdicts.filter((v) => !v.holds).length;
  const disturbed = rows.filter(isDisturbed);
  return [
    `# Benchmark, ${date}`,
    "",
    `${machine.cpu}, ${machine.threads} threads of ${machine.logicalProcessors} processors, ${machine.vectors.join(" ")}, ${machine.system}.`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ") + ".",
    `${rounds} rounds, sides in turns; every side of a row is a fresh process. Times are of one run; ratios are theirs / ours of the same round (above 1: Temper is faster).`,
    `Ceiling: ${Number.isNaN(ceiling) ? "not measured" : `${ceiling.toFixed(0)} GFLOP/s, the best of the ceiling rows`}.`,
    `Both sides compute the same: ${agreement.map((a) => `${a.network} logits ${a.logits.toExponential(1)}, input gradient ${a.gradient.toExponential(1)} (median difference relative to the largest entry)`).join("; ")}.`,
    disturbed.length > 0
      ? `**${disturbed.length} rows were disturbed**: other processes used more than ${100 * QUIET} % of the machine.`
      : "Other processes used less than 10 % of the machine in every row.",
    "",
    ...HEADER,
    ...rows.flatMap((row) => rowLines(row, ceiling)),
    "",
    `${verdicts.length - failed} of ${verdicts.length} bars hold.`,
    "",
  ].join("\n");
};
