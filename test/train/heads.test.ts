import { join } from "node:path";
import { loadTrainable } from "temper/models";
import { decodeSafetensors, readManifest, recipes, train } from "temper/train";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { newFolder, requests } from "./setting.ts";
import { distance, FIXED, names, normNet, numbersOf, slopes, smoothNet, stepOf, value } from "./step.ts";

const P = 0.13,
  A = 2 / (1 + Math.exp(-10 * P)) - 1;
const options = { beta: 2, domain: 1.5, hidden: 4 };
const step = (more: object = {}, progress = P, model = smoothNet) =>
  stepOf(recipes.dial, { model, options: { ...options, ...more }, settings: FIXED, scalars: { progress } });

describe("a further head", () => {
  const made = step(),
    heads = Object.keys(made.network.parameters).filter((name) => name.startsWith("heads.domain."));

  it("has weights of its own, which are trained by its own loss as it is", () => {
    expect(heads).toEqual(["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"].map((name) => `heads.domain.${name}`));
    const term = slopes(made.feeds, heads, (changes) => options.domain * value(made.run(changes)["term.domain"]));
    const found = made.gradients();
    expect(distance(Object.fromEntries(heads.map((name) => [name, found[name]!])), term)).toBeLessThan(1e-6);
    expect(Math.max(...Object.values(term).flat().map(Math.abs))).toBeGreaterThan(1e-3);
  });

  it("gives the features before it the reversed gradient, grown with the run: minus a times differences", () => {
    const layers = names(smoothNet),
      base = step({ domain: 0 }).gradients(),
      term = slopes(made.feeds, layers, (changes) => options.domain * value(made.run(changes)["term.domain"]));
    const reversal = (progress: number): Record<string, number[]> => {
      const found = step({}, progress).gradients();
      return Object.fromEntries(layers.map((name) => [name, found[name]!.map((g, i) => g - base[name]![i]!)]));
    };
    const times = (factor: number): Record<string, number[]> =>
      Object.fromEntries(layers.map((name) => [name, term[name]!.map((g) => factor * g)]));
    expect(distance(reversal(P), times(-A))).toBeLessThan(1e-5);
    expect(Math.max(...term["fc1.weight"]!.map(Math.abs))).toBeGreaterThan(1e-3);
    for (const name of layers) for (const g of reversal(0)[name]!) expect(g).toBeCloseTo(0, 12); // a = 0 at the start
    expect(numbersOf(step({ domain: 0 }).run()["term.kl"])).toEqual(numbersOf(made.run()["term.kl"])); // the identity
  });

  it("of no weight leaves the network's step as it is, bit for bit", () => {
    const off = step({ domain: 0 }, P, normNet).run(),
      trades = stepOf(recipes.trades, { model: normNet, options: { beta: 2 }, settings: FIXED }).run();
    for (const [name, { data }] of Object.entries(trades))
      if (name.startsWith("next.")) expect(off[name]!.data, name).toEqual(data);
  });

  it("is saved with the run, and not written with the network", async () => {
    const folder = newFolder();
    const { modelPath } = await train({
      ...requests.plain,
      recipe: "dial",
      options: { ...requests.plain.options, epochs: 1, steps: 1, epsilon: 0.1 },
      folder,
    });
    const file = (await readManifest(folder)).tensors,
      { tensors } = decodeSafetensors(file, readFileSync(join(folder, file)));
    expect(Object.keys(tensors)).toContain("heads.domain.fc1.weight");
    const { definition } = await loadTrainable(modelPath!);
    expect(Object.keys(definition.parameters).filter((name) => name.includes("heads"))).toEqual([]);
  });

  it("needs features: scores that come out of a dense layer", () => {
    const bare = { ...smoothNet, apply: (_: unknown, x: never) => ({ y: x, updates: {} }) };
    expect(() => stepOf(recipes.dial, { model: bare as never })).toThrow(/whose scores come out of a dense layer/);
  });
});
