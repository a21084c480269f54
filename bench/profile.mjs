/** Where the time of a row goes on our side: the tables of `--profile`. */

/** Entries with a smaller share are summed up. */
const SHOWN = 0.005;

const table = (head, seconds, rows) => [
  `| ${[...head, "calls", "ms", "share"].join(" | ")} |`,
  `|${"---|".repeat(head.length + 3)}`,
  ...rows.map(
    ({ labels, calls, seconds: s }) =>
      `| ${[...labels, calls, (1000 * s).toFixed(2), `${((100 * s) / seconds).toFixed(1)} %`].join(" | ")} |`,
  ),
];
const total = (labels, entries) => ({
  labels,
  calls: entries.reduce((sum, { calls }) => sum + calls, 0),
  seconds: entries.reduce((sum, { seconds }) => sum + seconds, 0),
});

/** Markdown of a row's profile: by operator, then by layer and operator. */
export const profileLines = ({ title, profile: { seconds, entries } }) => {
  const shown = entries.filter((entry) => entry.seconds >= SHOWN * seconds),
    rest = entries.filter((entry) => entry.seconds < SHOWN * seconds);
  const operators = [...new Set(entries.map(({ operator }) => operator))]
    .map((operator) =>
      total(
        [operator],
        entries.filter((entry) => entry.operator === operator),
      ),
    )
    .sort((a, b) => b.seconds - a.seconds);
  const outside = { labels: ["(between operators)"], calls: "", seconds: seconds - total([], entries).seconds };
  return [
    "",
    `Profile of ${title}: ${(1000 * seconds).toFixed(1)} ms a run while traced. \`.grad\` is a layer's gradient, \`.step\` the optimizer's; no name: the runtime's own changes of layout.`,
    "",
    ...table(["operator"], seconds, [...operators, outside]),
    "",
    ...table(["layer", "operator"], seconds, [
      ...shown.map(({ name, operator, ...figures }) => ({ labels: [name || "-", operator], ...figures })),
      ...(rest.length > 0 ? [total([`${rest.length} others`, ""], rest)] : []),
    ]),
    "",
  ];
};
