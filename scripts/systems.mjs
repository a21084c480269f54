// Writes docs/systems.md from documents of `temper reproduce`: node scripts/systems.mjs runs/reproduce [docs/systems.md]
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder, out = "docs/systems.md"] = process.argv.slice(2);
if (folder === undefined) {
  console.error("Usage: node scripts/systems.mjs <folder of temper reproduce> [file to write]");
  process.exit(2);
}
const reports = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .sort()
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
  .filter(({ schema }) => schema === "temper.reproduction/1");
if (reports.length === 0) {
  console.error(`${folder} holds no documents of temper reproduce. Run: temper reproduce <system> --out ${folder}`);
  process.exit(2);
}

const cell = (text) => text.replaceAll(/[\r\n]+/g, " ").replaceAll(/[\\|<>*_`[\]]/g, "\\$&");
const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (header, rows) => [row(header), row(header.map(() => "---")), ...rows.map(row)];
const number = (value) => (value === null ? "none" : String(Number(value.toPrecision(3))));
const minutes = (seconds) => (seconds / 60).toFixed(1);

const heldOf = ({ claims }) => {
  const required = claims.filter((claim) => claim.required),
    held = required.filter((claim) => claim.held);
  return `${held.length} of ${required.length}`;
};
const claimRow = ({ text, published, values, mean, spread, threshold, held, required }) => [
  cell(text),
  cell(published ?? "nothing comparable"),
  `${number(mean)}${spread === null ? "" : ` ± ${number(spread)}`} (${values.map(number).join(", ")})`,
  threshold === "page" ? "set beforehand" : cell(threshold),
  held ? "held" : "**not held**",
  required ? "yes" : "no",
];
const section = (report) => {
  const { slug, title, source, kind, data, seeds, seconds, claims, notes, machine, createdAt, command } = report;
  return [
    `## ${slug} on ${kind}`,
    "",
    `${cell(title)}. ${cell(source)}.`,
    "",
    ...table(["claim", "published", "ours (each seed)", "threshold", "held", "required"], claims.map(claimRow)),
    "",
    `Data: ${cell(data.train.name)} and test (${data.train.count} + ${data.test.count} examples), seeds ${seeds.join(", ")}; ${minutes(seconds.training)} minutes of training`,
    `on ${cell(machine.cpu)}, ${machine.threads} of ${machine.cores} cores, Temper ${machine.temper}; ${createdAt.slice(0, 10)}, \`${command}\`.`,
    ...(notes.length > 0 ? ["", ...notes.map((note) => `- ${cell(note)}`)] : []),
    "",
  ];
};

const page = [
  "# Published systems against their own claims",
  "",
  "Written by `node scripts/systems.mjs` from documents of `temper reproduce`; not edited by hand. Experiments are small:",
  "claims are compared, not published accuracies. Ours: mean and standard deviation over the seeds, and each seed's value;",
  "accuracies and their differences are fractions of one.",
  "",
  ...table(
    ["system", "required claims held", "seeds", "minutes of training"],
    reports.map((report) => [
      `[${report.slug} on ${report.kind}](#${report.slug}-on-${report.kind})`,
      report.held ? heldOf(report) : `**${heldOf(report)}**`,
      report.seeds.join(", "),
      minutes(report.seconds.training),
    ]),
  ),
  "",
  ...reports.flatMap(section),
].join("\n");
writeFileSync(out, page);
console.log(out);
