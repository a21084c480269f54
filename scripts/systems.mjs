// Writes docs/systems.md from documents of `temper reproduce`: node scripts/systems.mjs runs/reproduce [docs/systems.md]
// Numbers stand as in the terminal, so it reads the built dist.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { meanText, thresholdText, valuesText } from "../dist/report/index.js";

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
const minutes = (seconds) => (seconds / 60).toFixed(1);

const heldOf = ({ claims }) => {
  const required = claims.filter((claim) => claim.required),
    held = required.filter((claim) => claim.held);
  return `${held.length} of ${required.length}`;
};
const claimRow = (claim) => [
  cell(claim.text),
  cell(claim.published ?? "nothing comparable"),
  `${meanText(claim)}: ${valuesText(claim)}`,
  cell(thresholdText(claim.threshold)),
  claim.held ? "held" : "**not held**",
  claim.required ? "yes" : "no",
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
  "claims are compared, not published accuracies. Ours: the mean with its 95 % interval over the seeds (Student's, wide for",
  "few seeds), then each seed's value.",
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
