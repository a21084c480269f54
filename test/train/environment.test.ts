import { version } from "temper";
import { blockSize, onnxruntimeVersion, physicalCores } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { describeEnvironment, environmentNote } from "../../dist/train/environment.js";

describe("the environment of a run", () => {
  it("says what its bits follow from", async () => {
    const found = await describeEnvironment(false);
    expect(found).toMatchObject({
      temper: version,
      onnxruntime: onnxruntimeVersion(),
      node: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      threads: physicalCores(),
      block: await blockSize(),
      winogradChannels: 0,
    });
    expect(found.cpu).not.toBe("");
    expect((await describeEnvironment({ minChannels: 96 })).winogradChannels).toBe(96);
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
  });

  it("is noted where it changed in what matters", async () => {
    const before = await describeEnvironment(false);
    expect(environmentNote(before, { ...before })).toBeUndefined();
    expect(environmentNote(before, { ...before, cores: before.cores + 1 })).toBeUndefined();
    const note = environmentNote(before, { ...before, cpu: "another", threads: before.threads + 1 });
    expect(note).toContain(`processor another (before: ${before.cpu})`);
    expect(note).toContain(`threads ${before.threads + 1} (before: ${before.threads})`);
    for (const key of ["node", "temper", "onnxruntime", "platform"] as const)
      expect(environmentNote(before, { ...before, [key]: "x" })).toMatch(/may differ/);
  });
});
