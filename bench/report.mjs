/** The table that the benchmark prints and writes. */
import { profileLines } from "./profile.mjs";
import { barText } from "./row.mjs";

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
/** A figure of a side's own: a share, or seconds. */
const figure = (name, { median }) =>
  `${name} ${name.endsWith("Share") ? `${(100 * median).toFixed(1)} %` : time(median)}`;
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

/** Our peak memory as a share of the least of PyTorch's, eager in either layout. */
const memoryShare = ({ sides: [ours, ...others] }) => {
  const eager = others.filter(
    ({ kind, task, peakBytes }) => kind === "peer" && task.variant !== "compile" && peakBytes,
  );
  return ours.peakBytes / Math.min(...eager.map(({ peakBytes }) => peakBytes));
};

/** Figures of our own side that a row may limit. */
const FIGURES = {
  idleShare: ({ sides: [ours] }) => ours.figures?.idleShare.median,
  medianSeconds: ({ sides: [ours] }) => ours.seconds?.median,
  eventLoopDelayMs: ({ sides: [ours] }) => ours.probe?.eventLoopDelayMs,
  memoryShare,
};

/** Peak memory over PyTorch's: Winograd's transforms may take more. */
const limitsOf = ({ limits, sides: [ours], memory }) => {
  const most = ours.facts?.winograd ? 0.9 : 0.75;
  return [...limits, ...(memory ? [{ of: "memoryShare", most, text: `memory <= ${most} of torch` }] : [])];
};

const verdict = (text, value, holds) => ({ text, value, holds });

/** The verdicts that stand beside a side: what was promised, what came, and whether it holds. */
const sideVerdicts = (row, side) => {
  const [ours] = row.sides,
    found = [];
  if (side.bar !== undefined)
    found.push(verdict(barText(side.bar), side.ratio?.median, side.ratio?.median >= side.bar));
  if (side.firstWithin !== undefined) {
    const share = ours.toFirstSeconds / side.toFirstSeconds;
    found.push(verdict(`first result <= ${side.firstWithin} of its time`, share, share <= side.firstWithin));
  }
  if (side !== ours) return found;
  for (const { of, most, text } of limitsOf(row)) {
    const value = FIGURES[of](row);
    found.push(verdict(text, value, value <= most));
  }
  return found;
};

/** All verdicts of a row. */
export const verdictsOf = (row) =>
  row.sides.flatMap((side) => sideVerdicts(row, side).map((v) => ({ ...v, text: `${side.name} ${v.text}` })));

/** `>= 1.5x pass`: a ratio has a column of its own, other figures are said. */
const verdictText = ({ text, value, holds }, side) =>
  value === side.ratio?.median
    ? `${text} ${mark(holds)}`
    : `${text}: ${value?.toFixed(2) ?? "not measured"} ${mark(holds)}`;

/** Table lines of one row: a line a side. */
export const rowLines = (row, ceiling) =>
  row.sides.map((side, i) => {
    const title = i === 0 ? `${row.title}${isDisturbed(row) ? " (disturbed)" : ""}` : "";
    if (side.failure)
      return `| ${title} | ${side.name} | did not run: ${side.failure.replaceAll(/[|\n]/g, " ")} | | | | | |`;
    const figures = Object.entries(side.figures ?? {}).map((entry) => figure(...entry));
    if (row.images) figures.unshift(`${Math.round(row.images / side.seconds.median)} images/s`);
    const cells = [
      title,
      side.name,
      times(side.seconds),
      side.ratio ? ratios(side.ratio) : "",
      work(row, side, ceiling),
      side.toFirstSeconds > 0 && !row.images ? time(side.toFirstSeconds) : "-",
      megabytes(side.peakBytes),
      [...figures, ...sideVerdicts(row, side).map((v) => verdictText(v, side))].join("; "),
    ];
    return `| ${cells.join(" | ")} |`;
  });

export const HEADER = [
  "| row | side | median (min - max) | times ours: min / median / max | GFLOP/s (of ceiling) | first result | peak MB | bars |",
  "|---|---|---|---|---|---|---|---|",
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
    `${machine.cpu}, ${machine.threads} threads of ${machine.logicalProcessors} processors, ${machine.vectors.join(" ")}, ${machine.system}.${machine.winogradChannels ? ` Winograd's convolutions from ${machine.winogradChannels} channels on.` : ""}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ") + ".",
    `${rounds} rounds, sides in turns; every side of a row is a fresh process. Times are of one run; ratios are theirs / ours of the same round (above 1: Temper is faster). First result: from the task's start (libraries loaded, for PyTorch) to its first output, compilation included. Peak memory is that of the process.`,
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
    ...rows.filter((row) => row.profile).flatMap(profileLines),
  ].join("\n");
};
