import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { blockSize, MIN_CHANNELS, type WinogradChoice } from "temper/runtime";
import { afterAll, describe, expect, it } from "vitest";

const dist = new URL("../../dist/", import.meta.url).href;
const folder = mkdtempSync(join(tmpdir(), "temper-probe-"));
afterAll(() => rmSync(folder, { recursive: true }));
const block = await blockSize();

/** A fresh process that keeps what it keeps under `root`: its choice, and what compiling a wide and a narrow network uses. */
const asked = (root: string | undefined): { choice: WinogradChoice; wide: unknown; narrow: unknown; off: unknown } => {
  const program = `
    import { constant, createGraph, input } from "${dist}graph/index.js";
    import { f32 } from "${dist}core/index.js";
    import { conv } from "${dist}ops/index.js";
    import { cpuOptions, keepIn, winogradChoice } from "${dist}runtime/index.js";
    keepIn(${JSON.stringify(root)});
    const net = (c) => {
      const x = input("x", "float32", [-1, c, 8, 8]);
      const w = constant(f32(new Float32Array(c * c * 9), [c, c, 3, 3]));
      return createGraph("net", [x], { y: conv(x, w, undefined, { pads: [1, 1, 1, 1] }) });
    };
    const uses = async (c, winograd) => (await cpuOptions(net(c), winograd)).winograd;
    const [wide, narrow, off] = [await uses(64, true), await uses(16, true), await uses(64, false)];
    console.log(JSON.stringify({ choice: await winogradChoice(), wide, narrow, off }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as ReturnType<typeof asked>;
};
const kept = (of = "winograd"): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith(of))
    .map((name) => join(folder, name));

describe.runIf(block > 0)("the choice between direct and Winograd's convolutions", () => {
  it("is measured once, kept, and used where a graph depends on it", () => {
    const { choice, wide, narrow, off } = asked(folder);
    expect([32, 64, 128, 256]).toContain(choice.minChannels);
    expect(choice.measured.length).toBeGreaterThan(1);
    expect(wide).toEqual({ minChannels: choice.minChannels });
    expect([narrow, off]).toEqual([true, false]); // not asked
    const [file, ...others] = kept();
    expect(others).toEqual([]);
    expect(JSON.parse(readFileSync(file!, "utf8"))).toEqual(choice);
    const other: WinogradChoice = { minChannels: 256, measured: [] };
    writeFileSync(file!, JSON.stringify(other));
    expect(asked(folder)).toMatchObject({ choice: other, wide: { minChannels: 256 } });
  });

  it.each(["{", "null", '{"minChannels":7,"measured":[]}', '{"minChannels":64,"measured":[{"channels":64}]}'])(
    "is measured again where %j was kept, and kept whole",
    (garbage) => {
      writeFileSync(kept()[0]!, garbage);
      const { choice } = asked(folder);
      expect(choice.measured.length).toBeGreaterThan(1);
      expect(kept().map((file) => JSON.parse(readFileSync(file, "utf8")) as unknown)).toEqual([choice]);
    },
  );

  it("the block's self-test is made once, and believed", () => {
    const [file, ...others] = kept("block");
    expect(others).toEqual([]);
    expect(JSON.parse(readFileSync(file!, "utf8"))).toBe(true);
    writeFileSync(file!, "false");
    expect(asked(folder).wide).toBe(true); // portable, where nothing is to be chosen
    rmSync(file!);
    expect(asked(folder).wide).not.toBe(true);
  });

  it("is the default where it cannot be kept: it must not change from run to run", () => {
    const root = kept()[0]!; // no folder
    for (const { choice, wide } of [asked(root), asked(undefined)]) {
      expect(choice).toEqual({ minChannels: MIN_CHANNELS, measured: [] });
      expect(wide).toEqual({ minChannels: MIN_CHANNELS });
    }
  });
});

it("doctor and the results say it", () => {
  const bin = fileURLToPath(new URL("../../bin/temper.js", import.meta.url));
  const env = { ...process.env, TEMPER_CACHE: folder };
  const run = spawnSync(process.execPath, [bin, "doctor", "--no-measure", "--json"], { encoding: "utf8", env });
  const { machine, winograd } = JSON.parse(run.stdout) as {
    machine: { winogradChannels: number };
    winograd?: WinogradChoice;
  };
  expect(machine.winogradChannels).toBe(winograd?.minChannels ?? MIN_CHANNELS);
  if (block > 0) expect(winograd?.measured.length).toBeGreaterThan(1);
});
