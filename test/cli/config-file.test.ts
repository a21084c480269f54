import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bool, choice, float, int, many, numbers, size, TemperError, text } from "temper/core";
import type { AnyCommand } from "temper/cli";
import { afterAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../dist/cli/config-file.js";
import { parseArguments } from "../../dist/cli/parse.js";

const help = "";
const spec = {
  epochs: int({ default: 10, min: 1, help }),
  batchSize: int({ default: 128, min: 1, help }),
  lr: float({ default: 0.1, min: 0, help }),
  epsilon: float({ default: 8 / 255, min: 0, help }),
  optimizer: choice(["sgd", "adam"], { default: "sgd", help }),
  optimizerEpsilon: float({ default: 1e-8, help }),
  attackSteps: int({ default: 10, min: 1, max: 100, help }),
  randomStart: bool({ default: true, help }),
  range: text({ default: undefined, help }),
  mean: numbers({ default: [], help }),
  group: many({ help }),
  memory: size({ default: 0, help }),
  rule: {
    ...text({ default: "", help }),
    parse: (given: unknown) => {
      if (typeof given !== "object" || given === null) return undefined;
      if ("rate" in given) throw new TemperError("bad-option", "rule has no option rate. Did you mean lr?");
      return given;
    },
  },
};
const sections = {
  attack: ["attackSteps", "randomStart", "epsilon"],
  optimizer: ["optimizer", "lr", "optimizerEpsilon"],
};
const read = (source: string) => parseConfig("run.yaml", source, spec, sections);
const failure = async (source: string): Promise<string> => {
  const error = (await read(source).catch((e: unknown) => e)) as Error & { code: string };
  expect(error, source).toMatchObject({ name: "TemperError", code: "bad-option" });
  return error.message;
};

describe("a configuration file", () => {
  it("sets options by either spelling, flat and in sections, and nothing else", async () => {
    const source = `
# what the paper has
epochs: 30
batch-size: 64
epsilon: 8/255        # as on the command line
range: 0:5000
mean: [0.5, 1/4]
memory: 2GiB
group:
  - head.*:lr=0.1
attack:
  steps: 7
  random-start: false
optimizer:
  name: adam
  lr: 1e-3
  epsilon: 1e-6
`;
    expect(await read(source)).toEqual({
      epochs: 30,
      batchSize: 64,
      epsilon: 8 / 255,
      range: "0:5000",
      mean: [0.5, 0.25],
      memory: 2 ** 31,
      group: ["head.*:lr=0.1"],
      attackSteps: 7,
      randomStart: false,
      optimizer: "adam",
      lr: 1e-3,
      optimizerEpsilon: 1e-6,
    });
    expect(await read(`{ "batchSize": 32, "attack": { "attackSteps": 3 } }`)).toEqual({
      batchSize: 32,
      attackSteps: 3,
    });
    expect(await read("optimizer: adam")).toEqual({ optimizer: "adam" });
    expect(await read("rule: { lr: 1 }")).toEqual({ rule: { lr: 1 } }); // an option that takes a record
    for (const empty of ["", "# nothing\n", "---\n"]) expect(await read(empty)).toEqual({});
  });

  it.each([
    ["epochs: 3\nbatch-sise: 64", "run.yaml:2:1: a configuration has no option batch-sise. Did you mean batch-size?"],
    ["batchSise: 64", "Did you mean batchSize?"],
    ["zzzzzz: 64", "Known: epochs, batchSize,"],
    ["attack:\n  stepps: 3", "run.yaml:2:3: section attack has no option stepps. Did you mean steps?"],
    ["attack:\n  lr: 3", "section attack has no option lr. Known: steps, randomStart, epsilon."],
    ["attack:\n  constructor: 3", "section attack has no option constructor."],
    ["constructor: 3", "a configuration has no option constructor."],
    ["attack: 3", "run.yaml:1:1: attack is a section. Write its options below it"],
    ["attack:", "attack is a section."],
    [
      "epochs:   ten",
      'run.yaml:1:11: epochs must be an integer from 1 to Infinity, got "ten". Mend it, or leave it out for the default, 10.',
    ],
    ["epochs: 0", "epochs must be an integer from 1 to Infinity, got 0."],
    ["epochs: 1.5", "epochs must be an integer"],
    ["epochs:", "run.yaml:1:8: epochs must be an integer from 1 to Infinity, got nothing."],
    ["attack:\n  steps: 101", "run.yaml:2:10: steps must be an integer from 1 to 100, got 101."],
    ["lr: .nan", "lr must be a number"],
    ["lr: [1]", "lr must be a number from 0 to Infinity, got [1]."],
    ["lr:\n  a: 1", 'run.yaml:2:3: lr must be a number from 0 to Infinity, got {"a":1}.'],
    ["randomStart: yes", 'randomStart must be true or false, got "yes".'],
    ["optimizer: adm", 'optimizer must be one of sgd, adam, got "adm". Did you mean adam?'],
    ["range: 5000", 'range must be text, got 5000. Put it in quotes: "5000".'],
    ["mean: [0.5, x]", "run.yaml:1:7: mean must be numbers"],
    ["lr: 1\noptimizer:\n  lr: 2", "run.yaml:3:7: lr is set twice, first at run.yaml:1:5."],
    ["epochs: 1\nepochs: 2", "run.yaml:2:1: Map keys must be unique."],
    ["epochs: 1\n  lr: 2", "run.yaml:1:9: Nested mappings are not allowed"],
    ["- epochs", "run.yaml:1:1: a configuration is a list of `option: value` lines"],
    ["just text", "a configuration is a list of"],
    ["a: 1\n---\nb: 2", "multiple documents"],
    ["lr: !!js/function x", "Unresolved tag"],
    ["? [1]\n: 2", "run.yaml:1:3"],
    ["lr: 1\nrule:\n  rate: 1", "run.yaml:3:3: rule has no option rate. Did you mean lr?"],
    ["rule: 3", "rule must be text, got 3."],
    ["config: other.yaml", "has no option config"],
  ])("%j is refused with its place and a remedy", async (source, message) => {
    const text = await failure(source);
    expect(text).toContain(message);
    expect(text).toMatch(/^run\.yaml:\d+:\d+: /);
  });

  it("has no aliases, so that none can grow without end", async () => {
    expect(await failure("lr: &x 1\nepsilon: *x")).toContain("run.yaml:2:10: *x stands for another value");
    const bomb = ["a: &a [1,1]", ..."bcdefghijklmnopqrstuvwxyz"].map((c, i) =>
      i === 0
        ? c
        : `${c}: &${c} [${Array(9)
            .fill(`*${String.fromCharCode(96 + i)}`)
            .join(",")}]`,
    );
    const began = process.memoryUsage().heapUsed;
    expect(await failure(bomb.join("\n"))).toContain("*a stands for another value");
    expect(process.memoryUsage().heapUsed - began).toBeLessThan(100e6);
    expect(await failure("[".repeat(20_000))).toMatch(/^run\.yaml:1:/);
  });
});

describe("--config", () => {
  const folder = mkdtempSync(join(tmpdir(), "temper-config-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, source: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, source);
    return path;
  };
  const command: AnyCommand = {
    name: "train",
    summary: "",
    positionals: [{ name: "recipe", help: "how to train", choices: ["standard", "pgd-at"] }],
    options: spec,
    config: sections,
    examples: [],
    run: async () => 0,
  };
  const parse = async (...argv: string[]) =>
    (await parseArguments(command, argv)) as { args: readonly string[]; options: object };

  it("gives what the command line leaves open, arguments too; flags win", async () => {
    const path = file("run.yaml", "recipe: pgd-at\nepochs: 30\nlr: 0.5\nattack: { random-start: true, steps: 4 }\n");
    const { args, options } = await parse("--config", path, "--lr", "0.2", "--no-random-start");
    expect(args).toEqual(["pgd-at"]);
    expect(options).toMatchObject({
      config: path,
      epochs: 30,
      lr: 0.2,
      batchSize: 128,
      randomStart: false,
      attackSteps: 4,
    });
    expect((await parse("standard", `--config=${path}`)).args).toEqual(["standard"]);
    // also where a flag says what is the default anyway
    expect((await parse("--config", path, "--epochs", "10")).options).toMatchObject({ epochs: 10 });
    expect((await parse("standard")).options).toMatchObject({ epochs: 10, config: undefined });
  });

  it("names a file that cannot be read, and a recipe that does not exist, by its line", async () => {
    await expect(parse("--config", join(folder, "none.yaml"))).rejects.toThrow(
      expect.objectContaining({ code: "not-found", message: expect.stringContaining("none.yaml cannot be read") }),
    );
    await expect(parse("--config", file("a.yaml", "lr: 1\nrecipe: pgd_at"))).rejects.toThrow(
      /a\.yaml:2:9: recipe must be one of standard, pgd-at, got "pgd_at"\. Did you mean pgd-at\?/,
    );
    await expect(parse("--config", file("b.yaml", "lr: 1"))).rejects.toThrow(/recipe is missing/);
    await expect(parse("--config", file("c.yaml", new Uint8Array(2 ** 20 + 1)))).rejects.toThrow(/no list of options/);
    await expect(parse("--config", file("d.yaml", new Uint8Array(99).fill(255)))).rejects.toThrow(/d\.yaml:1:1/);
    await expect(parse("--config", folder)).rejects.toThrow();
  });

  it("is a flag only of commands that say so", async () => {
    const { config: _, ...plain } = command;
    await expect(parseArguments(plain, ["standard", "--config", "x"])).rejects.toThrow(/no option --config/);
    expect((await parseArguments(plain, ["standard"])).options).not.toHaveProperty("config");
  });
});
