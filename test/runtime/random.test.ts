import { assert, asyncProperty } from "fast-check";
import { type Array64, fromArray64, type Graph, printGraph, withBatch } from "temper/graph";
import { evaluateGraph } from "temper/ops";
import { compile, loweringSteps, type LowerOptions } from "temper/runtime";
import { describe, expect, it } from "vitest";
import { feedsOf, graphOf, recipes } from "./random-graph.ts";
import { inFloat64, onCpu, worstDifference } from "./lowered.ts";

const RUNS = Number(process.env["RUNS"] ?? 200);
const SEED = Number(process.env["SEED"] ?? 1);
const MODE = process.env["CHECK"] ?? "64";
describe("x", () => {
  it("runs", async () => {
    const worst: [number, string][] = [];
    const t = { build: 0, ref: 0, low: 0, emu: 0, ort: 0 };
    const count: Record<string, number> = {};
    let steps_ = 0, wino = 0;
    await assert(
      asyncProperty(recipes(8), async (recipe) => {
        let t0 = performance.now();
        const lap = (k: keyof typeof t) => { const n = performance.now(); t[k] += n - t0; t0 = n; };
        const graph = graphOf(recipe);
        lap("build");
        for (let attempt = 1; ; attempt++) try {
        const feeds = feedsOf(graph, recipe.batch, attempt);
        const expected = evaluateGraph(graph, feeds);
        lap("ref");
        for (const options of [{ block: 16 }, { block: 16, winograd: { minChannels: 16 } }, {block: 8, winograd: {minChannels: 16}}, {}]) {
          const steps = loweringSteps(graph, options);
          if (options.block === 16 && attempt === 1) {
          let last = "";
          for (const s of steps) { const p = printGraph(s.graph); if (last && p !== last) count[s.pass.name] = (count[s.pass.name] ?? 0) + 1; last = p; }
          if (last.includes("group=36")) wino++;
          }
          lap("low");
          if (MODE.includes("64")) {
          const d = worstDifference(inFloat64(steps.at(-1)!.graph, feeds, recipe.batch, options.block), expected);
          lap("emu");
            worst.push([d, "64" + JSON.stringify(options)+ JSON.stringify(recipe)]);
            expect(d, "64" + JSON.stringify(options)).toBeLessThan(1e-4);
          }
            if (MODE.includes("32") && options.block === 16) {
            const d2 = worstDifference(await onCpu(graph, feeds, options.winograd ?? false), expected);
            worst.push([d2, "32"+ JSON.stringify(options)+ JSON.stringify(recipe)]);
            expect(d2, "32" + JSON.stringify(options)).toBeLessThan(Number(process.env["TOL"] ?? 1e-3));
            lap("ort");
            }
        }
        break;
        } catch (e) { if (attempt === 3 || !String(e).includes("Assertion")) throw e; else console.log("retry", String(e).slice(0, 100)); }
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: process.env["END"] === "1" },
    );
    worst.sort((a, b) => b[0] - a[0]);
    console.log(worst.slice(0, 10), t, count, wino, [0.5, 0.9, 0.99].map((q) => worst[Math.floor((1 - q) * (worst.length-1))]![0]));
  }, 600_000);
});
