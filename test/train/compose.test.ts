import { type AnyRecipe, recipes, type Term } from "temper/train";
import { reduceMean, scale, square } from "temper/ops";
import { crossEntropy } from "temper/loss";
import { describe, expect, it } from "vitest";
import { f32 } from "temper/core";
import { read, small } from "../models/trainable.ts";
import { nodeOf, randomTensor } from "../ops/model-file.ts";
import { array, distance, labels, linearNet, N, normNet, numbersOf, smoothNet, stepOf, value } from "./step.ts";

/** Cross-entropy on a branch, under another name. */
const term = (name: string, branch: string, more: Partial<Term<unknown>> = {}): Term<unknown> => ({
  name,
  enters: "update",
  reads: [branch],
  reduction: "mean",
  of: ({ logits, byLabel }) => byLabel((own) => crossEntropy(logits[branch]!, own)),
  ...more,
});
const recipe = (branches: Record<string, object>, terms: readonly Term<unknown>[]): AnyRecipe =>
  ({
    name: "made-up",
    summary: "",
    source: "",
    options: {},
    branches: () => branches,
    terms: () => terms,
  }) as unknown as AnyRecipe;

const clean = { view: ({ x }: { readonly x: unknown }) => x },
  half = { view: ({ x }: { readonly x: never }) => scale(x, 0.5) };
const twoTerms = [term("first", "clean"), term("second", "half")];

describe("branches", () => {
  it("that are detached give the weights no gradient", () => {
    const both = stepOf(recipe({ clean, half: { ...half, detach: true } }, twoTerms), { model: smoothNet }),
      one = stepOf(recipes.standard, { model: smoothNet });
    expect(both.gradients()).toEqual(one.gradients());
    expect(value(both.run()["loss"])).toBeGreaterThan(value(one.run()["loss"]));
  });

  it("with running statistics use them and leave them as they are", () => {
    const still = stepOf(recipe({ clean: { ...clean, batchNorm: "running" } }, [term("first", "clean")]), {
      model: normNet,
    });
    expect(Object.keys(still.run()).filter((name) => name.startsWith("next.bn.running"))).toEqual([]);
    const far = { "bn.running_mean": array([2], [5, -5]) };
    expect(value(still.run(far)["loss"])).not.toBe(value(still.run()["loss"]));
    const batch = stepOf(recipes.standard, { model: normNet });
    expect(value(batch.run(far)["loss"])).toBe(value(batch.run()["loss"]));
  });

  it("move the running statistics in turn", () => {
    const step = stepOf(recipe({ clean, half }, twoTerms), { model: normNet }),
      first = stepOf(recipes.standard, { model: normNet }),
      second = stepOf(recipe({ half }, [term("second", "half")]), { model: normNet });
    for (const name of Object.keys(normNet.buffers)) {
      const before = first.run()[`next.${name}`]!;
      const after = second.run({ [name]: before })[`next.${name}`];
      numbersOf(step.run()[`next.${name}`]).forEach((v, i) => expect(v, name).toBeCloseTo(after!.data[i]!, 12));
      expect(numbersOf(after)).not.toEqual(numbersOf(before));
    }
  });

  it("may have statistics, scales and shifts of their own", () => {
    const made = recipe({ clean, half: { ...half, statistics: "aux" } }, twoTerms),
      step = stepOf(made, { model: normNet }),
      alone = stepOf(recipes.standard, { model: normNet });
    const own = Object.keys(step.network.parameters).filter((name) => name.startsWith("aux/"));
    expect(own.toSorted()).toEqual(["aux/bn.bias", "aux/bn.weight"]);
    expect(Object.keys(step.network.buffers).toSorted()).toEqual(
      [...Object.keys(normNet.buffers), ...Object.keys(normNet.buffers).map((name) => `aux/${name}`)].toSorted(),
    );
    const [a, b] = [step.run(), alone.run()];
    for (const name of Object.keys(normNet.buffers)) {
      expect(numbersOf(a[`next.${name}`])).toEqual(numbersOf(b[`next.${name}`])); // those of the base see clean images
      expect(numbersOf(a[`next.aux/${name}`])).not.toEqual(numbersOf(a[`next.${name}`]));
    }
    expect(step.gradients()["bn.weight"]).toEqual(alone.gradients()["bn.weight"]);
    expect(step.gradients()["conv1.weight"]).not.toEqual(alone.gradients()["conv1.weight"]); // shared
    const doubled = { "aux/bn.weight": array([2], [2, 2]) };
    expect(value(step.run(doubled)["term.first"])).toBe(value(step.run()["term.first"]));
    expect(value(step.run(doubled)["term.second"])).not.toBe(value(step.run()["term.second"]));
  });

  it("may have them on a network from a file, whatever its tensors are called", async () => {
    const [kernel, gamma, beta, mean, variance] = ["onnx::Conv_193", "bn1/gamma", "195", "moving", "bn1/var"] as const;
    const nodes = [
      nodeOf("Conv", `x ${kernel}`, "c", { kernel_shape: { ints: [1, 1] } }),
      nodeOf("BatchNormalization", `c ${gamma} ${beta} ${mean} ${variance}`, "h", {}, { name: "bn" }),
    ];
    const { definition: model } = await read(
      small(nodes, {
        [kernel]: randomTensor("float32", [2, 2, 1, 1], 1),
        [gamma]: f32([1.5, -2]),
        [beta]: f32([0.5, 1]),
        [mean]: f32([0.1, 0.2]),
        [variance]: f32([1, 2]),
      }),
    );
    const step = stepOf(recipe({ clean, half: { ...half, statistics: "aux" } }, twoTerms), { model }),
      names = [...Object.keys(step.network.parameters), ...Object.keys(step.network.buffers)];
    expect(names.filter((name) => name.startsWith("aux/")).toSorted()).toEqual(
      [gamma, beta, mean, variance].map((name) => `aux/${name}`).toSorted(),
    );
    const [before, after] = [step.run(), step.run({ [`aux/${gamma}`]: array([2], [3, 3]) })];
    expect(value(after["term.first"])).toBe(value(before["term.first"]));
    expect(value(after["term.second"])).not.toBe(value(before["term.second"]));
    expect(numbersOf(before[`next.aux/${mean}`])).not.toEqual(numbersOf(before[`next.${mean}`]));
  });
});

describe("terms", () => {
  it("have weights, and reductions that are written out", () => {
    const made = recipe({ clean }, [
      term("mean", "clean", { weight: 2 }),
      term("sum", "clean", { weight: 0.5, reduction: "sum" }),
      term("number", "clean", { reduction: "none", of: ({ logits }) => reduceMean(square(logits["clean"]!), [0, 1]) }),
    ]);
    const out = stepOf(made, { model: smoothNet }).run();
    const [mean, sum, number] = ["mean", "sum", "number"].map((name) => value(out[`term.${name}`]));
    expect(sum).toBeCloseTo(N * mean!, 10);
    expect(value(out["loss"])).toBeCloseTo(2 * mean! + 0.5 * sum! + number!, 10);
  });

  it("mix the losses of two labels by their share", () => {
    const step = stepOf(recipes.standard, { model: smoothNet, mixed: true }),
      plain = stepOf(recipes.standard, { model: smoothNet });
    const each = (of: readonly number[]): number[] =>
      of.map((_, i) => {
        const x = step.feeds["x"]!.data.slice(9 * i, 9 * i + 9);
        const same = array([N, 1, 3, 3], [...x, ...x, ...x, ...x]);
        return value(
          plain.run({ x: same, labels: { ...step.feeds["labels"]!, data: Float64Array.from(of.map(() => of[i]!)) } })[
            "loss"
          ],
        );
      });
    const [own, other, share] = [each(labels), each(numbersOf(step.feeds["partners"])), numbersOf(step.feeds["share"])];
    const mixed = share.map((s, i) => s * own[i]! + (1 - s) * other[i]!);
    expect(value(step.run()["loss"])).toBeCloseTo(mixed.reduce((a, b) => a + b) / N, 10);
  });

  it("weigh examples in the update, which one of weight zero does not reach", () => {
    const step = stepOf(recipes.standard, { model: smoothNet, weighted: true });
    const { x } = step.feeds;
    const changed = {
      x: array(
        x!.shape,
        x!.data.map((v, i) => (i >= 9 && i < 18 ? 1 - v : v)),
      ),
    };
    expect(step.gradients(changed)).toEqual(step.gradients());
    const ones = stepOf(recipes.standard, { model: smoothNet });
    expect(step.gradients({ weights: array([N], [1, 1, 1, 1]) })).toEqual(ones.gradients());
    expect(distance(step.gradients({ weights: array([N], [2, 2, 2, 2]) }), ones.gradients())).toBeCloseTo(1, 9);
  });

  it("that cannot be are refused by name", () => {
    const build = (made: AnyRecipe) => () => stepOf(made, { model: linearNet });
    expect(build(recipe({ clean }, [term("lost", "dirty")]))).toThrow(
      /made-up: term lost reads branch "dirty"\. Known: clean\./,
    );
    const adversarial = { view: ({ attack }: { readonly attack: () => { points: unknown } }) => attack().points };
    expect(build(recipe({ adversarial }, [term("lowered", "adversarial")]))).toThrow(
      /made-up: no term enters the attack of branch "adversarial"/,
    );
    expect(build(recipe({ clean }, [term("rows", "clean", { reduction: "none" })]))).toThrow(
      /term rows: a term of no reduction gives a number/,
    );
  });
});

describe("starts", () => {
  it("are cut to the set and the box, unless they say otherwise", () => {
    const settings = { steps: 0, epsilon: 0.5 },
      plain = stepOf(recipes.standard, { model: smoothNet });
    const lossFrom = (start: string): number =>
      value(stepOf(recipes["pgd-at"], { model: smoothNet, settings: { ...settings, start } }).run()["loss"]);
    const { feeds } = stepOf(recipes["pgd-at"], { model: smoothNet, settings }),
      { data: noise } = feeds["draw.0"]!;
    const lossAt = (of: (v: number) => number): number => {
      const { shape, data } = plain.feeds["x"]!;
      return value(
        plain.run({
          x: array(
            shape,
            data.map((v, i) => of(v + 0.5 * noise[i]!)),
          ),
        })["loss"],
      );
    };
    const cut = lossAt((v) => Math.min(1, Math.max(0, v))),
      whole = lossAt((v) => v);
    expect(whole).not.toBeCloseTo(cut, 3);
    expect(lossFrom("uniform")).toBeCloseTo(cut, 9);
    expect(lossFrom("uniform:cut=false")).toBeCloseTo(whole, 9);
  });
});

describe("gradients are counted", () => {
  const evaluations = (name: keyof typeof recipes, settings: object, options = {}): number =>
    value(
      stepOf(recipes[name], { model: name === "slat" ? normNet : smoothNet, settings, options }).run()["evaluations"],
    );

  it.each([0, 1, 2, 7])("K + 1 of every example for PGD-%s", (steps) => {
    expect(evaluations("pgd-at", { steps })).toBe(N * (steps + 1));
  });

  it("fewer where examples stop, more for what else takes gradients", () => {
    const step = stepOf(recipes["pgd-at"], {
      model: smoothNet,
      settings: { steps: 5, stop: "misclassified", start: "zero" },
    });
    const { evaluations: found, right } = stepOf(recipes.standard, { model: smoothNet }).run();
    const wrong = N - value(right);
    expect(value(found)).toBe(N);
    expect(wrong).toBeGreaterThan(0);
    expect(value(step.run()["evaluations"])).toBeLessThanOrEqual(N + wrong + (N - wrong) * 5);
    expect(value(step.run()["evaluations"])).toBeLessThan(6 * N);
    expect(evaluations("awp", { steps: 3 })).toBe(N * (3 + 2));
    expect(evaluations("backward-smoothing", {})).toBe(N * 3);
    expect(evaluations("free-at", {})).toBe(N);
    expect(evaluations("slat", {}, { taps: "conv1" })).toBe(N * 2);
    expect(evaluations("fast-bat", {}, { attackRate: 1, cross: false })).toBe(N * 3);
    expect(evaluations("fast-bat", {}, { attackRate: 0, cross: true })).toBe(N * 5);
  });
});
