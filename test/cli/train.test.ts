import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { flagName } from "temper/core";
import { recipes, settingsOf } from "temper/train";
import { afterAll, describe, expect, it } from "vitest";
import { documentOf, folder, removeFolder, temper } from "./command.ts";

afterAll(removeFolder);

const small = ["--data", "glyphs", "--range", "0:120", "--batch-size", "20", "--validation", "20"];

describe("temper train", () => {
  it.concurrent.each(["trades", "fast-bat", "n-fgsm"] as const)(
    "%s --help shows its own options and defaults",
    async (name) => {
      const { code, stdout } = await temper(["train", name, "--help"]);
      expect(code).toBe(0);
      for (const option of Object.keys(recipes[name].options)) expect(stdout).toContain(`--${flagName(option)}`);
      expect(stdout).toContain(recipes[name].summary);
      if (name === "trades") expect(stdout).toMatch(/^ {2}--beta <x> .*\(default 6\)$/m);
      if (name === "n-fgsm") expect(stdout).toMatch(/uniform:scale=2/);
      if (name !== "trades") expect(stdout).not.toMatch(/^ {2}--beta /m);
    },
  );

  it("refuses options of other recipes by name, before it looks at the data", async () => {
    const { code, stderr } = await temper(["train", "fast-at", "--beta", "6", ...small]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--beta/);
    expect(stderr).toMatch(/fast-at/);
    const chosen = await temper(["train", "fast-at", "--start", "gaussian:scale=1", ...small]);
    expect([chosen.code, chosen.stderr]).toEqual([2, expect.stringMatching(/start gaussian has no option scale/)]);
  });

  it("--epochs 0 says what a run would be, in words and as a document, and writes nothing", async () => {
    const given = [
      "train",
      "trades",
      "--beta",
      "3",
      "--steps",
      "2",
      "--epochs",
      "0",
      "--start",
      "uniform:scale=0.5",
      ...small,
    ];
    const before = readdirSync(folder).toSorted();
    const text = await temper(given);
    expect([text.code, text.stdout]).toEqual([0, expect.stringMatching(/^start +uniform:scale=0.5,cut=true$/m)]);
    expect(text.stdout).toMatch(/^parameters +[\d,]+$/m);
    expect(text.stdout).toMatch(/^steps an epoch +6$/m);
    expect(text.stdout).toMatch(/^gradients an epoch +360$/m); // two steps and the update's, of 120 examples
    const { config, estimate } = documentOf(await temper([...given, "--json"])) as {
      config: { readonly options: object; readonly recipeOptions: object };
      estimate: Record<string, number>;
    };
    expect(config.recipeOptions).toEqual({ beta: 3 });
    expect(config.options).toEqual(
      settingsOf(recipes.trades, { steps: 2, epochs: 0, start: "uniform:scale=0.5", batchSize: 20, validation: 20 }),
    );
    expect(estimate).toMatchObject({ stepsPerEpoch: 6, gradientEvaluations: 360 });
    expect(estimate["seconds"]).toBeGreaterThan(0);
    expect(estimate["memoryBytes"]).toBeGreaterThan(1e6);
    expect(readdirSync(folder).toSorted()).toEqual(before);
    expect(existsSync(join(folder, "runs"))).toBe(false);
  });
});
