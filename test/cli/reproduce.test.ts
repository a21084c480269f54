import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRng } from "temper/core";
import { createDataset, type Split } from "temper/data";
import { type ReproductionReport, reproductionSchema } from "temper/report";
import { afterAll, describe, expect, it } from "vitest";
import { faults } from "../report/faults.ts";
import { documentOf, folder, type Outcome, removeFolder, temper, writeData } from "./command.ts";

afterAll(removeFolder);

const script = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Runs a script in the folder of this file's tests. */
const node = (file: string, args: readonly string[]): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script(file), ...args], { cwd: folder });
    let stdout = "",
      stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });

/** `temper reproduce` over the systems of reproduce-child.mjs: real arms, of an epoch or two on 200 examples. */
const reproduce = (...args: string[]): Promise<Outcome> => node("reproduce-child.mjs", args);

const seeds = ["--seeds", "0,1"];
const read = (name: string): ReproductionReport =>
  JSON.parse(readFileSync(join(folder, "runs/reproduce", name), "utf8")) as ReproductionReport;
const arms = (): Record<string, number> => {
  const place = join(folder, "runs/reproduce/arms");
  return Object.fromEntries(readdirSync(place).map((name) => [name, statSync(join(place, name, "run.json")).mtimeMs]));
};

const split = (name: Split): ReturnType<typeof createDataset> =>
  createDataset({
    name: "noise",
    split: name,
    source: "this test",
    pixels: Float32Array.from({ length: 100 * 3072 }, (_, i) => createRng(i).uniform()),
    labels: Int32Array.from({ length: 100 }, (_, i) => i % 10),
    shape: [3, 32, 32],
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
  });

describe("reproduce", () => {
  it("prints every claim beside what was published, and exits with 0 where the required ones held", async () => {
    const { code, stdout, stderr } = await reproduce("holds", ...seeds);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^holds, seed 1: two steps, epoch 2$/m);
    expect(stdout).toMatch(/^claim +published +ours \(95 %\), each seed +threshold +held +required$/m);
    expect(stdout).toMatch(/^PGD accuracy is at most clean accuracy +34\.04 % .* set beforehand +yes +yes$/m);
    expect(stdout).toMatch(
      /^clean accuracy is at least 200 % +nothing comparable +[\d.]+ % \([\d.]+ to [\d.]+\) +calibrated on +NO +no\n +[\d.]+, [\d.]+ +seed 9$/m,
    );
    expect(stdout).toMatch(/^holds: the required claim held\. This run took \d/m);
  });

  it("writes a document of the published schema, and a page", () => {
    const report = read("holds-glyphs.json");
    expect(faults(report, reproductionSchema)).toEqual([]);
    expect(report).toMatchObject({ slug: "holds", kind: "glyphs", seeds: [0, 1], held: true });
    expect(report.command).toBe("temper reproduce holds --seeds 0,1");
    expect(report.arms.map(({ name, seed }) => [name, seed])).toEqual([
      ["one step", 0],
      ["two steps", 0],
      ["one step", 1],
      ["two steps", 1],
    ]);
    for (const { history, gradientEvaluations } of report.arms) {
      expect(history).toHaveLength(2);
      expect(gradientEvaluations).toBeGreaterThanOrEqual(800); // two epochs of 200 examples, an inner step and the update
    }
    const [claim] = report.claims;
    expect(claim!.values).toEqual(report.measured.map(({ pgd, clean }) => pgd! - clean!));
    expect(claim!.mean).toBeCloseTo((claim!.values[0]! + claim!.values[1]!) / 2, 12);
    const half = (12.7062 * Math.abs(claim!.values[0]! - claim!.values[1]!)) / 2; // Student's, one degree of freedom
    expect(claim!.high! - claim!.mean!).toBeCloseTo(half, 4);
    expect(claim!.mean! - claim!.low!).toBeCloseTo(half, 4);
    expect(report.claims[1]).toMatchObject({ unit: "percent" });
    expect(report.claims[1]!.low).toBeGreaterThanOrEqual(0); // an accuracy
    expect(readFileSync(join(folder, "runs/reproduce/holds-glyphs.html"), "utf8")).toContain(
      "&lt;b&gt;Networks of two filters",
    );
  });

  it("trains nothing twice; exits with 1 where a required claim does not hold, and says so", async () => {
    const before = arms();
    expect(Object.keys(before)).toHaveLength(4);
    const outcome = await reproduce("fails", ...seeds, "--json");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).not.toMatch(/epoch/);
    expect(arms()).toEqual(before);
    const report = documentOf(outcome) as unknown as ReproductionReport;
    expect(report).toEqual(read("fails-glyphs.json"));
    expect(report.held).toBe(false);
    expect(report.claims.map(({ required, held }) => [required, held])).toEqual([
      [true, true],
      [true, false],
    ]);
    expect(report.arms).toEqual(read("holds-glyphs.json").arms);
    expect(readFileSync(join(folder, "runs/reproduce/fails-glyphs.html"), "utf8")).toContain(
      "1 of 2 required claims did not hold",
    );
    const further = await reproduce("fails", "--seeds", "0,1,2");
    expect(further.stdout).toMatch(/^fails: 1 of 2 required claims did not hold\./m);
    expect(further.stderr.match(/seed \d(?=: \w+ steps?, epoch)/g)).toEqual(Array.from({ length: 4 }, () => "seed 2"));
  });

  it("gives each system the data that it has thresholds for, or says what is missing before it begins", async () => {
    const nothing = await reproduce("--all", ...seeds);
    expect(nothing.code).toBe(2);
    expect(nothing.stderr).toMatch(/^photographs needs cifar10\. Give it with --data/);
    writeData("noise.npz", { train: split("train"), test: split("test") });
    const all = await reproduce("--all", ...seeds, "--data", "glyphs", "--data", "noise.npz", "--json");
    expect(all.code, all.stderr).toBe(1);
    const { held, results } = documentOf(all) as unknown as { held: boolean; results: ReproductionReport[] };
    expect(held).toBe(false);
    expect(results.map(({ slug, kind, held: one }) => [slug, kind, one])).toEqual([
      ["holds", "glyphs", true],
      ["fails", "glyphs", false],
      ["photographs", "cifar10", true],
    ]);
    expect(results[2]!.data.train).toMatchObject({ name: "noise train", count: 100 });
    expect(all.stderr).not.toMatch(/^(holds|fails).*epoch/m);
  });

  it.each([
    [["holds", "--data", "noise.npz"], /^holds needs glyphs\. Give it with --data/],
    [["holds", "--data", "nothing"], /nothing is neither a data set nor a path/],
    [[], /give a system, or --all\. Systems: holds, fails, photographs/],
    [["holds", "--all"], /give either a system or --all/],
    [["hold"], /must be one of holds, fails, photographs, got hold\. Did you mean holds\?/],
    [["holds", "--seeds", "0,0"], /--seeds must be different whole numbers/],
    [["holds", "--seeds", "0.5"], /--seeds must be different whole numbers/],
    [["photographs", "--scale", "full", "--data", "glyphs"], /photographs at full scale needs cifar10/],
  ])("refuses %j as wrong use", async (args, message) => {
    const { code, stderr } = await reproduce(...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it("refuses digits and clothes that no threshold is for", async () => {
    const { pixels, labels, shape, classes } = { ...split("train"), shape: [1, 28, 28] as const };
    const clothes = { ...split("train"), pixels: pixels.slice(0, 100 * 784), labels, shape, classes };
    writeData("fashion.npz", { train: clothes, test: clothes });
    const { code, stderr } = await reproduce("holds", "--data", "fashion.npz");
    expect(stderr).toMatch(
      /^--data fashion\.npz is 1x28x28 with 10 classes, named fashion\. Experiments know glyphs, MNIST/,
    );
    expect(code).toBe(2);
  });

  it("--scale full trains the paper's own configuration, and goes on with it", async () => {
    const full = ["photographs", "--scale", "full", "--data", "noise.npz"];
    const first = await reproduce(...full);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toMatch(/^epoch 1 {2}loss \d/m);
    expect(first.stdout).toMatch(/^model: runs\/reproduce\/photographs-full\/model\.onnx$/m);
    for (const name of ["model.onnx", "run.json", "index.html"])
      expect(existsSync(join(folder, "runs/reproduce/photographs-full", name))).toBe(true);
    const second = await reproduce(...full);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).not.toMatch(/^epoch/m);
    const other = await reproduce(...full, "--seeds", "1");
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/seed/)]);
  });

  it("docs/systems.md is made of its documents", async () => {
    const { code, stderr } = await node("../../scripts/systems.mjs", ["runs/reproduce", "systems.md"]);
    expect(code, stderr).toBe(0);
    const page = readFileSync(join(folder, "systems.md"), "utf8");
    expect(page).toContain("not edited by hand");
    expect(page).toMatch(/^\| \[fails on glyphs\]\(#fails-on-glyphs\) \| \*\*1 of 2\*\* \| 0, 1 \| \d+\.\d \|$/m);
    expect(page).toMatch(
      /^\| clean accuracy is at least 200 % \| nothing comparable \| .* \| calibrated on seed 9 \| \*\*not held\*\* \| yes \|$/m,
    );
    expect(page).toMatch(/^- \\<b\\>Networks/m);
    expect((await node("../../scripts/systems.mjs", ["."])).code).toBe(2);
  });

  it("without data every system on digits takes glyphs", async () => {
    const { code, stderr } = await temper(["reproduce", "--all"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^slat needs cifar10; awp needs cifar10; robust-overfitting needs cifar10\. Give it with --data/,
    );
  });

  it("temper list systems names every system with its source", async () => {
    const { systems } = documentOf(await temper(["list", "systems", "--json"])) as { systems: { name: string }[] };
    expect(systems.map(({ name }) => name)).toContain("trades");
    expect((await temper(["reproduce", "--help"])).stdout).toMatch(/^ {2}system +what to reproduce: .*trades/m);
  });
});
