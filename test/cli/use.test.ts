import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "temper/cli";
import { flagName } from "temper/core";
import { afterAll, describe, expect, it } from "vitest";
import { linearGraph, taskOf } from "../evaluate/linear.ts";
import { documentOf, folder, removeFolder, temper, writeData, writeModel } from "./command.ts";

afterAll(removeFolder);

const task = taskOf({ count: 20 });
writeModel("model.onnx", linearGraph(task));
writeData("data.npz", { test: task.dataset });
writeFileSync(join(folder, "broken.onnx"), Uint8Array.of(8, 7, 58, 250, 1, 1, 2, 3));
writeFileSync(join(folder, "broken.npz"), "no archive");

describe("help", () => {
  it("of the whole names every command, and the exit codes", async () => {
    const { code, stdout, stderr } = await temper(["--help"]);
    expect([code, stderr]).toEqual([0, ""]);
    for (const { name, summary } of Object.values(commands)) expect(stdout).toContain(`${name.padEnd(10)}${summary}`);
    expect(stdout).toMatch(/0 done, 1 a threshold or claim was not met, 2 wrong use, 3 a failed/);
    expect((await temper([])).stdout).toBe(stdout);
  });

  it.concurrent.each(Object.keys(commands) as (keyof typeof commands)[])(
    "of %s has its options and examples",
    async (name) => {
      const { options, examples, positionals } = commands[name];
      const { code, stdout, stderr } = await temper([name, "--help"]);
      expect([code, stderr]).toEqual([0, ""]);
      for (const option of [...Object.keys(options), "json", "help"]) expect(stdout).toContain(`--${flagName(option)}`);
      for (const positional of positionals) expect(stdout).toContain(positional.name);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) expect(stdout).toContain(`  ${example}\n`);
      expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(125);
    },
  );

  it("in other words: help <command>, and a document for programs", async () => {
    const [text, document] = [await temper(["help", "export"]), await temper(["export", "--help", "--json"])];
    expect(text.stdout).toMatch(/^Write a gradient/);
    expect(documentOf(document)).toMatchObject({
      name: "export",
      arguments: [{ name: "what" }, { name: "model.onnx" }],
    });
  });

  it("examples of every command are valid", async () => {
    for (const { name, examples } of Object.values(commands))
      for (const example of examples) expect(example).toMatch(new RegExp(`^temper ${name}\\b`));
  });

  it("--version prints the version", async () => {
    expect((await temper(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("wrong use exits with 2 and names what is near", () => {
  it.concurrent.each([
    [["evalute"], /no command "evalute"\. Did you mean evaluate\?/],
    [["--seed", "3", "list"], /The command comes first/],
    [["evaluate", "model.onnx", "--epsilom", "0.1"], /no option --epsilom\. Did you mean --epsilon\?/],
    [
      ["evaluate", "model.onnx", "--norm", "linff"],
      /--norm must be one of linf, l2, l1, got linff\. Did you mean linf\?/,
    ],
    [["evaluate", "model.onnx", "--epsilon", "eight"], /--epsilon must be a number/],
    [["evaluate", "model.onnx", "--epsilon"], /--epsilon needs a value/],
    [["evaluate", "model.onnx", "--epsilon", "0.1", "--epsilon", "0.2"], /--epsilon is given twice/],
    [["evaluate"], /model\.onnx is missing/],
    [["evaluate", "model.onnx", "more.onnx"], /unexpected argument "more\.onnx"/],
    [["evaluate", "model.onnx", "--data", "glyps"], /Did you mean glyphs\?/],
    [["evaluate", "model.onnx", "--data", "data.npz", "--range", "5"], /start:end/],
    [["evaluate", "model.onnx", "--data", "data.npz", "--range", "50:60"], /leaves none of the 20/],
    [["evaluate", "model.onnx", "--data", "data.npz", "--pixel-range", "1:0"], /--pixel-range must be two numbers/],
    [["evaluate", "model.onnx", "--data", "data.npz", "--mean", "1,2"], /mean needs 1 or 1 numbers|1 or 1/],
    [["evaluate", "model.onnx", "--data", "data.npz", "--std", "0"], /std must not be 0/],
    [["evaluate", "model.onnx", "--attack", "pdg"], /Did you mean pgd\?/],
    [["evaluate", "model.onnx", "--attack", "pgd:stps=3"], /Did you mean steps\?/],
    [["evaluate", "model.onnx", "--attack", "pgd:loss=marginn"], /Did you mean margin\?/],
    [["evaluate", "model.onnx", "--attack", "pgd:steps"], /the form option=value/],
    [["evaluate", "missing.onnx", "--data", "data.npz"], /missing\.onnx does not exist/],
    [["evaluate", "model.onnx", "--report", "/dev/null/x.html"], /cannot be written/],
    [["train", "pgd-att"], /Did you mean pgd-at\?/],
    [["train", "standard", "--model", "lenett", "--range", "0:10"], /Did you mean lenet\?/],
    [["export", "gradiant", "model.onnx"], /Did you mean gradient\?/],
    [["export", "gradient", "model.onnx", "--out", "model.onnx"], /is the model itself/],
    [["data", "fetch", "mnis"], /Did you mean mnist\?/],
    [["data", "shows", "glyphs"], /Did you mean show\?/],
    [["list", "atacks"], /Did you mean attacks\?/],
  ] as const)("%j", async (args, message) => {
    const { code, stdout, stderr } = await temper(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /); // no stack
    expect([code, stdout]).toEqual([2, ""]);
  });

  it("with --json the error is the document", async () => {
    const outcome = await temper(["evaluate", "model.onnx", "--epsilom", "1", "--json"]);
    expect(outcome.code).toBe(2);
    expect(documentOf(outcome)).toEqual({
      error: { code: "bad-option", message: expect.stringMatching(/--epsilon\?/) },
    });
    expect(outcome.stderr).toMatch(/--epsilon\?/);
  });
});

describe("a failed run exits with 3", () => {
  it.concurrent.each([
    [["evaluate", "broken.onnx", "--data", "data.npz"], "bad-file", /broken\.onnx/],
    [["evaluate", "model.onnx", "--data", "broken.npz"], "bad-file", /broken\.npz/],
    [["evaluate", "model.onnx", "--range", "0:10"], "bad-shape", /takes \[N, 1, 8, 8\].*\[1, 28, 28\]/],
    [["attack", "broken.onnx", "--data", "data.npz"], "bad-file", /broken\.onnx/],
    [["export", "gradient", "broken.onnx"], "bad-file", /broken\.onnx/],
    [["data", "show", "broken.npz"], "bad-file", /broken\.npz/],
  ] as const)("%j", async (args, code, message) => {
    const outcome = await temper([...args, "--json"]);
    expect(outcome.code, outcome.stderr).toBe(3);
    expect(documentOf(outcome)).toEqual({ error: { code, message: expect.stringMatching(message) } });
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });
});

describe("small commands", () => {
  it("list --json holds every registry", async () => {
    const outcome = await temper(["list", "--json"]);
    expect(outcome.code).toBe(0);
    const found = documentOf(outcome) as Record<string, { name: string; options?: object }[]>;
    const parts = ["starts", "rules", "stops", "controllers", "augmentations", "optimizers", "schedules", "averages"];
    expect(Object.keys(found)).toEqual(["attacks", "models", "losses", "recipes", "systems", ...parts, "data"]);
    expect(found["attacks"]!.map((a) => a.name)).toContain("apgd-ce");
    expect(found["attacks"]!.find((a) => a.name === "pgd")!.options).toMatchObject({ steps: { default: 40 } });
    expect(found["data"]!.map((d) => d.name)).toEqual(["glyphs", "mnist", "fashion-mnist", "cifar10"]);
  });

  it("list operators says which have gradients", async () => {
    const found = documentOf(await temper(["list", "operators", "--json"]))["operators"] as {
      name: string;
      summary: string;
    }[];
    expect(found.find((op) => op.name === "Conv")!.summary).toBe("differentiable");
    expect(found.find((op) => op.name === "Round")!.summary).toMatch(/gradient zero/);
  });

  it("doctor --json without measuring", async () => {
    const outcome = await temper(["doctor", "--json", "--no-measure"]);
    expect(outcome.code).toBe(0);
    const found = documentOf(outcome);
    expect(found).toMatchObject({ machine: { node: process.versions.node }, ceilings: [] });
    expect(found["gpus"]).toHaveLength(2);
  });

  it("data show says what a file holds", async () => {
    const [text, outcome] = [
      await temper(["data", "show", "data.npz"]),
      await temper(["data", "show", "data.npz", "--json"]),
    ];
    expect(text.stdout).toMatch(/^count +20$/m);
    expect(text.stdout).toMatch(/^shape +1x8x8$/m);
    expect(documentOf(outcome)).toMatchObject({ count: 20, shape: [1, 8, 8], split: "test", range: [0, 1] });
    const perClass = documentOf(outcome)["perClass"] as number[];
    expect(perClass.reduce((a, b) => a + b)).toBe(20);
  });

  it("a reader that stops early is no failure", async () => {
    const { code, stderr } = await temper(["list", "operators"], { watch: (child) => child.stdout?.destroy() });
    expect([code, stderr]).toEqual([0, ""]);
  });
});
