import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gpuStatus } from "temper/runtime";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const gpuBench = (...flags: readonly string[]) =>
  spawnSync(process.execPath, ["bench/gpu.mjs", "--as-built", ...flags], { cwd: root, encoding: "utf8" });
const hasGpu = gpuStatus().some(({ ready }) => ready);
if (hasGpu) console.log("skipped: the GPU benchmark without a GPU (this machine has one)");

describe("npm run bench:gpu", () => {
  it.runIf(!hasGpu)("says so where there is no GPU, and ends well", () => {
    const { status, stdout, stderr } = gpuBench();
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^cuda: not here: .+\nwebgpu: not here: .+\nThis machine has no GPU .* nothing was measured/,
    );
  });

  it("measures the devices that are named, and those that fail say why", () => {
    const { status, stdout } = gpuBench("--devices", "cuda", "--batches", "1", "--rounds", "1");
    expect(status).toBe(0);
    for (const task of ["forward", "gradient", "PGD-20"])
      expect(stdout).toMatch(new RegExp(`^\\| ${task} \\| 1 \\| temper cpu \\| [\\d.e+]+ \\| .* \\| 1\\.00 \\|$`, "m"));
    if (!hasGpu)
      expect(stdout).toMatch(/^\| - \| 1 \| temper cuda \| did not run: The CUDA device could not be started/m);
    const [, base = ""] = /^Written: (\S+)\.md and \.json$/m.exec(stdout)!;
    expect(existsSync(`${root}${base}.md`)).toBe(true);
    expect(JSON.parse(readFileSync(`${root}${base}.json`, "utf8"))).toMatchObject({ rounds: 1, devices: gpuStatus() });
    for (const end of [".md", ".json"]) rmSync(`${root}${base}${end}`);
  });

  it("refuses what it cannot run", () => expect(gpuBench("--batches", "x").status).toBe(2));
});
