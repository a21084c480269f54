import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { graphNodes } from "temper/graph";
import { compile, gpuStatus, writtenForWebgpu } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { cases } from "./webgpu-graphs.mjs";

/** A GPU in software, and the Vulkan loader that finds it: parts of Debian's package chromium. */
const chromium = "/usr/lib/chromium",
  adapter = join(chromium, "vk_swiftshader_icd.json"),
  hasAdapter = ["libvulkan.so.1", "libvk_swiftshader.so", "vk_swiftshader_icd.json"].every((file) =>
    existsSync(join(chromium, file)),
  );
if (!hasAdapter) console.log("skipped: WebGPU (no SwiftShader here; Debian's package chromium brings one)");

describe("operators that WebGPU lacks", () => {
  it("are written in others, which compute the same", async () => {
    const { graph, feeds } = cases["lacking"]!;
    const written = writtenForWebgpu(graph),
      names = graphNodes(written).map(({ op }) => op.name);
    for (const name of ["Sign", "Sum", "Mean", "LogSoftmax"]) expect(names).not.toContain(name);
    using before = await compile(graph, { device: "reference" });
    using after = await compile(written, { device: "reference" });
    const [a, b] = [await before.run(feeds), await after.run(feeds)];
    for (const name of Object.keys(a))
      (a[name]!.data as Float64Array).forEach((v, i) =>
        expect((b[name]!.data as Float64Array)[i], name).toBeCloseTo(v, 9),
      );
  });
});

describe("the device webgpu", () => {
  it.runIf(hasAdapter)("computes what the CPU does: gradients, a step of an attack", () => {
    const script = fileURLToPath(new URL("./webgpu-graphs.mjs", import.meta.url));
    const output = execFileSync(process.execPath, [script, "run"], {
      encoding: "utf8",
      env: { ...process.env, VK_ICD_FILENAMES: adapter, LD_LIBRARY_PATH: chromium },
    });
    const found = JSON.parse(output) as readonly Readonly<{
      name: string;
      key: string;
      cpu: number[];
      webgpu: number[];
    }>[];
    expect(found.length).toBe(11);
    for (const { name, key, cpu, webgpu } of found) {
      const largest = Math.max(...cpu.map(Math.abs));
      expect(webgpu.length).toBe(cpu.length);
      cpu.forEach((v, i) => expect(Math.abs(webgpu[i]! - v), `${name}: ${key}`).toBeLessThan(1e-5 * largest));
    }
  });

  it("is not promised where it cannot start, and the failure says what is needed", async () => {
    const status = gpuStatus().find(({ name }) => name === "webgpu")!;
    expect(status.ready).toBe(status.remedy === "");
    if (status.ready) return; // this machine has one
    await expect(compile(cases["gradient"]!.graph, { device: "webgpu" })).rejects.toMatchObject({
      code: "device",
      message: expect.stringMatching(/WebGPU device could not be started: .*Vulkan/s),
    });
  });
});
