import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng, f32, i64, sizeOf, type Tensor } from "temper/core";
import { BATCH, bind, constant, createGraph, type Graph, input } from "temper/graph";
import { model } from "temper/models";
import { initialize } from "temper/nn";
import { add, mul, scan } from "temper/ops";
import { type CompileOptions, createLocalRuntime, keepIn, keptModels } from "temper/runtime";
import { recipes, settingsOf, trainStep } from "temper/train";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "temper-kept-"));
afterAll(() => rmSync(folder, { recursive: true }));

const definition = model("resnet-18", { inputShape: [3, 8, 8], classes: 10 });
const { graph, optimizer } = trainStep({
  model: definition,
  recipe: recipes.standard,
  settings: settingsOf(recipes.standard, { batchSize: 1 }),
});
const weights = initialize(definition, createRng(0));
const state = optimizer.init(Object.fromEntries(Object.entries(definition.parameters).map(([k, p]) => [k, p.shape])));
const scalars = Object.entries(optimizer.scalars(0.01, 1)).map(([name, value]) => [name, f32([value], [])] as const);
const x = f32(
  Float32Array.from({ length: 192 }, (_, i) => (i % 17) / 17),
  [1, 3, 8, 8],
);
const feeds: Record<string, Tensor> = {
  ...weights,
  ...state,
  ...Object.fromEntries(scalars),
  x,
  labels: i64([3]),
};

/** The loss, by a runtime that knows nothing of what others compiled. */
const found = async (given: Graph, options?: CompileOptions): Promise<number[]> => {
  using program = await createLocalRuntime().compile(given, options);
  const names = Object.keys(program.inputs);
  const { loss } = await program.run(Object.fromEntries(names.map((name) => [name, feeds[name]!])), ["loss"]);
  return Array.from(loss!.data as Float32Array);
};
const file = (): string => {
  const [only, ...others] = keptModels();
  expect(others).toEqual([]);
  return only!.path;
};
const OLD = new Date("2020-01-01");

describe("lowered graphs on disk", () => {
  beforeEach(() => {
    keepIn(folder);
  });

  it("are made once, and read from then on", async () => {
    expect(keptModels()).toEqual([]);
    const first = await found(graph);
    utimesSync(file(), OLD, OLD);
    expect(await found(graph)).toEqual(first);
    expect(statSync(file()).mtimeMs).toBeGreaterThan(OLD.getTime()); // read
    await found(graph, { winograd: { minChannels: 32 } });
    expect(keptModels()).toHaveLength(2); // another lowering
    rmSync(keptModels()[0]!.path);
  });

  it("are made again where they are damaged", async () => {
    const whole = readFileSync(file()),
      expected = await found(graph);
    const flipped = Buffer.from(whole);
    flipped[flipped.length >> 1]! ^= 1;
    for (const damaged of [Buffer.alloc(0), whole.subarray(0, 1000), flipped, Buffer.concat([whole, whole])]) {
      writeFileSync(file(), damaged);
      expect(await found(graph)).toEqual(expected);
      expect(readFileSync(file()).equals(whole)).toBe(true);
    }
  });

  it("are told apart by what is inside of loops", async () => {
    const loop = (factor: number): Graph => {
      const s = input("s", "float32", [2]),
        slice = input("slice", "float32", [2]);
      let grown = s;
      for (let i = 0; i < 250; i++) grown = add(grown, mul(slice, constant(f32([factor + i]))));
      const body = createGraph("body", [s, slice], { next: grown, seen: grown });
      const [start, slices] = [input("start", "float32", [2]), input("slices", "float32", [BATCH, 2])];
      return createGraph("loop", [start, slices], { logits: scan(body, [start], [slices])[1]! });
    };
    const ran = async (factor: number): Promise<number[]> => {
      using program = await createLocalRuntime().compile(loop(factor));
      const { logits } = await program.run({ start: f32([0, 0]), slices: f32([1, 2, 3, 4], [2, 2]) });
      return Array.from(logits!.data as Float32Array);
    };
    const before = keptModels().length,
      [one, two] = [await ran(1), await ran(2)];
    expect(keptModels().length).toBe(before + 2);
    expect(one).not.toEqual(two);
    expect([await ran(1), await ran(2)]).toEqual([one, two]);
    for (const { path } of keptModels().slice(0, 2)) rmSync(path);
  });

  it("hold no weights, and nothing where that is not wanted", async () => {
    rmSync(file());
    const bound = Object.entries(weights).map(([name, tensor]) => [name, constant(tensor)] as const);
    const expected = await found(bind(graph, Object.fromEntries(bound)));
    // Many small ones are a model too.
    await found(bind(graph, Object.fromEntries(bound.filter(([, v]) => sizeOf(v.shape) < 50_000))));
    expect(keptModels()).toEqual([]);
    expect(await found(graph, { cache: false })).toEqual(expected);
    keepIn(undefined);
    expect(await found(graph)).toEqual(expected);
    expect(keptModels()).toEqual([]);
    keepIn(folder);
    expect(keptModels()).toEqual([]);
  });

  it("take a bounded place: the ones used longest ago go", async () => {
    const places = ["older", "newer"].map((name) => join(folder, "lowered", name));
    places.forEach((path, i) => {
      writeFileSync(path, "");
      truncateSync(path, 200e6);
      utimesSync(path, OLD, new Date(OLD.getTime() + 1000 * i));
    });
    await found(graph);
    expect(keptModels().map(({ path }) => path)).toEqual([expect.not.stringMatching(/older|newer/), places[1]]);
  });
});
