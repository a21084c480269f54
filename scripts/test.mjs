// `npm test`: format, lint, types, tests. `--slow` runs the long tests instead (test/slow). Other arguments go to vitest.
import { ensureBuilt, ensureInstalled, root, runCommand } from "./ensure.mjs";

ensureInstalled();
ensureBuilt();
const slow = process.argv.includes("--slow");
const rest = process.argv.slice(2).filter((arg) => arg !== "--slow");
const bin = (name, file) => `${root}node_modules/${name}/bin/${file}`;
const steps = [
  ["format", [bin("oxfmt", "oxfmt"), "--check", "src", "test", "bench", "vitest.config.ts"]],
  ["lint", [bin("oxlint", "oxlint"), "--type-aware", "--quiet"]],
  ["types", [bin("typescript", "tsc"), "-p", "tsconfig.json"]],
];
for (const [name, args] of slow || rest.length > 0 ? [] : steps) {
  console.error(`${name} ...`);
  if (runCommand(process.execPath, args) !== 0) {
    console.error(`${name} failed.`);
    process.exit(1);
  }
}
if (slow) process.env.TEMPER_SLOW = "1";
process.exit(runCommand(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, "run", ...rest]));
