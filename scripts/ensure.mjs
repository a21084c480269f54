// Brings a checkout into a state that runs: dependencies as locked, dist/ newer than the sources. Quiet when there is
// nothing to do, so that every command can begin with it.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));
const windows = process.platform === "win32";

export const runCommand = (command, args) => {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["inherit", 2, 2], shell: windows });
  if (error) throw error;
  return status ?? 1;
};

const newest = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, statSync(`${entry.parentPath}/${entry.name}`).mtimeMs), 0);

const stop = (what, remedy) => {
  console.error(`${what} ${remedy}`);
  process.exit(3);
};

/** Installs what the lock file names, unless the last install is newer than the lock file. */
export const ensureInstalled = () => {
  const mark = `${root}node_modules/.package-lock.json`;
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs) return;
  console.error("Installing dependencies (npm ci) ...");
  if (runCommand("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"]) !== 0)
    stop("npm ci failed.", "It needs the npm registry; nothing else is downloaded.");
};

/** Compiles src/ to dist/ where a source is newer than the last build. */
export const ensureBuilt = () => {
  const mark = `${root}dist/index.js`;
  if (existsSync(mark) && statSync(mark).mtimeMs > newest(`${root}src`)) return;
  console.error("Building ...");
  if (runCommand(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", "tsconfig.build.json"]) !== 0)
    stop("The build failed.", "See the messages above.");
};
