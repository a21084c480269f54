/** What the figures were measured on, and how busy others kept it meanwhile. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, platform, totalmem } from "node:os";

const read = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** Facts for the report; `threads` is what every side is told to use. */
export const describeMachine = (threads) => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  logicalProcessors: cpus().length,
  threads,
  memoryBytes: totalmem(),
  vectors: ["avx2", "avx512f", "avx512_vnni", "amx_tile"].filter((f) => read("/proc/cpuinfo").includes(` ${f} `)),
  system: `${platform()} ${arch()}`,
  node: process.versions.node,
});

const git = (...args) => spawnSync("git", args, { encoding: "utf8", cwd: import.meta.dirname }).stdout?.trim() ?? "";

/** Commit that is measured, with a `+` where files differ from it; empty outside of a checkout. */
export const describeCommit = () => {
  const commit = git("rev-parse", "--short", "HEAD");
  return commit && `${commit}${git("status", "--porcelain", "--untracked-files=no") ? "+" : ""}`;
};

/** Short name for file names: `amd-epyc-2x`. */
export const machineName = ({ cpu, threads }) =>
  `${cpu
    .toLowerCase()
    .replace(/\(r\)|\(tm\)|processor|cpu|@.*$/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")}-${threads}x`;

/** Seconds that all processors together were busy since the start of the machine; NaN where the system does not say. */
export const busySeconds = () => {
  const fields = read("/proc/stat").split("\n", 1)[0].split(/\s+/).slice(1).map(Number);
  if (fields.length < 8) return Number.NaN;
  const [user, nice, system, , , irq, softirq, steal] = fields;
  return (user + nice + system + irq + softirq + steal) / 100;
};
