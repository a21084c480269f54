import { f32 } from "temper/core";
import { constant, type Value } from "temper/graph";
import { filledLike, vjp } from "temper/autodiff";
import { crossEntropy } from "temper/loss";
import { add, reduceMean } from "temper/ops";
import { type AnyRecipe, recipes } from "temper/train";
import { describe, expect, it } from "vitest";
import {
  array,
  type Arrays,
  computed,
  convNet,
  countOps,
  distance,
  FIXED,
  labels,
  linearNet,
  logitsAt,
  mean,
  N,
  names,
  numbersOf,
  scalar,
  slopes,
  smoothNet,
  stepOf,
  value,
} from "./step.ts";

const softmaxOf = (z: readonly number[]): number[] => {
  const sum = z.reduce((s, v) => s + Math.exp(v), 0);
  return z.map((v) => Math.exp(v) / sum);
};
const klOf = (p: readonly number[], q: readonly number[]): number =>
  p.reduce((sum, v, k) => sum + v * Math.log(v / q[k]!), 0);

describe("TRADES", () => {
  it("has no divergence and no slope of it where the neighbour is the example", () => {
    const same = stepOf(recipes.trades, { model: smoothNet, settings: { steps: 0, start: "zero" } }),
      plain = stepOf(recipes.standard, { model: smoothNet });
    expect(value(same.run()["term.kl"])).toBe(0);
    expect(same.gradients()).toEqual(plain.gradients());
  });

  it("is cross-entropy plus beta KL(clean || neighbour), in that order", () => {
    const step = stepOf(recipes.trades, { model: smoothNet, options: { beta: 4 }, settings: FIXED }),
      { x, epsilon } = step.feeds;
    const draw = Object.entries(step.feeds).find(([name]) => name.startsWith("draw."))![1];
    const near = array(
      x!.shape,
      x!.data.map((v, i) => v + draw.data[i]! * value(epsilon)),
    );
    const clean = logitsAt(smoothNet, step.feeds).map(softmaxOf),
      adversarial = logitsAt(smoothNet, step.feeds, near).map(softmaxOf);
    const entropy = mean(clean.map((p, i) => -Math.log(p[labels[i]!]!)));
    const divergence = mean(clean.map((p, i) => klOf(p, adversarial[i]!)));
    expect(value(step.run()["loss"])).toBeCloseTo(entropy + 4 * divergence, 9);
    const swapped = mean(clean.map((p, i) => klOf(adversarial[i]!, p)));
    expect(Math.abs(swapped - divergence)).toBeGreaterThan(1e-7); // the order can be told apart
  });

  it("is differentiated through both branches", () => {
    const step = stepOf(recipes.trades, { model: smoothNet, settings: FIXED });
    const expected = slopes(step.feeds, names(smoothNet), (changes) => value(step.run(changes)["loss"]));
    expect(distance(step.gradients(), expected)).toBeLessThan(1e-6);
    const detached: AnyRecipe = {
      ...recipes.trades,
      branches: (options) => {
        const { clean, ...others } = recipes.trades.branches(options);
        return { clean: { ...clean!, detach: true }, ...others };
      },
    };
    const other = stepOf(detached, { model: smoothNet, settings: FIXED });
    expect(distance(other.gradients(), expected)).toBeGreaterThan(0.01);
  });
});

describe("SLAT", () => {
  it("without taps is FGSM with 0.9 of the radius", () => {
    const slat = stepOf(recipes.slat, { model: convNet, options: { taps: "" } }),
      fgsm = stepOf(recipes["pgd-at"], { model: convNet, settings: { start: "zero", steps: 1, relativeStep: 0.9 } });
    expect(distance(slat.gradients(), fgsm.gradients())).toBeLessThan(1e-12);
    expect(value(slat.run()["loss"])).toBeCloseTo(value(fgsm.run()["loss"]), 12);
  });

  it("moves hidden values along the gradient there, within what their channel holds in the example", () => {
    for (const eta of [0.01, 1e3]) {
      const step = stepOf(recipes.slat, {
        model: convNet,
        options: { taps: "conv1", eta },
        settings: { relativeStep: 1e-9 },
      });
      const { feeds } = step;
      // The gradient at the tap: that of a zero that is added there.
      let hidden: readonly number[] = [];
      const run = (change: Value, feedsNow: Arrays, at: "loss" | "hidden" | "slope"): number[] =>
        computed(convNet, feedsNow, (_, v) => {
          let seen: Value | undefined;
          const { y } = convNet.apply(v, v["x"]!, {
            training: true,
            tap: (name, h) => (name === "conv1" ? (seen = add(h, change)) : h),
          });
          const rows = crossEntropy(y, v["labels"]!);
          if (at === "hidden") return seen!;
          return at === "loss" ? reduceMean(rows, [0]) : vjp([rows], [filledLike(rows, 1)], [change])[0]!;
        });
      const shape = [N, 2, 2, 2];
      const zero = constant(f32(new Float32Array(32), shape));
      hidden = run(zero, feeds, "hidden");
      const slope = run(zero, feeds, "slope");
      const change = slope.map((g, k) => {
        const channel = hidden.slice(k - (k % 4), k - (k % 4) + 4);
        const room = [Math.min(...channel) - hidden[k]!, Math.max(...channel) - hidden[k]!];
        return Math.max(room[0]!, Math.min(room[1]!, eta * Math.sign(g)));
      });
      expect(change.some((c) => Math.abs(Math.abs(c) - eta) > 1e-6)).toBe(true); // some are cut
      const expected = run(constant(f32(change, shape)), feeds, "loss")[0]!;
      expect(value(step.run()["loss"])).toBeCloseTo(expected, 6);
      expect(value(step.run()["loss"])).toBeGreaterThan(run(zero, feeds, "loss")[0]!);
    }
  });

  it("names the layers that a network has", () => {
    expect(() => stepOf(recipes.slat, { model: convNet, options: { taps: "conv9" } })).toThrow(
      /slat: the network has no layer "conv9" \(--taps\)\. Known: conv1, soft, flatten, fc\./,
    );
  });
});

describe("Free", () => {
  const settings = { steps: 0 };

  it("takes both gradients from one backward pass", () => {
    const free = stepOf(recipes["free-at"], { model: convNet, settings }),
      plain = stepOf(recipes.standard, { model: convNet });
    for (const op of ["Conv", "MatMul", "Gemm"]) expect(countOps(free.graph, op), op).toBe(countOps(plain.graph, op));
    const inner = (step: typeof free): number => countOps(step.graph, "ConvTranspose");
    expect(inner(free)).toBe(inner(plain) + 1); // that of the first layer by its input
  });

  it("moves every slot by epsilon along the sign of its own gradient, from where it was, within the ball", () => {
    const step = stepOf(recipes["free-at"], { model: convNet, settings }),
      name = "carried/adversarial";
    const before = numbersOf(step.feeds[name]).map((v) => 0.1 * v),
      feeds = { [name]: array(step.feeds[name]!.shape, before) };
    const after = numbersOf(step.run(feeds)[`next.${name}`]);
    const pixels = numbersOf(step.feeds["x"]).map((v, i) => Math.min(1, Math.max(0, v + before[i]!)));
    const x = array(step.feeds["x"]!.shape, pixels);
    const slope = slopes({ ...step.feeds, x }, ["x"], (changes) => {
      const plain = stepOf(recipes.standard, { model: convNet });
      return value(plain.run({ ...changes })["loss"]);
    })["x"]!;
    after.forEach((d, i) => {
      expect(d).toBeCloseTo(Math.max(-0.1, Math.min(0.1, before[i]! + 0.1 * Math.sign(slope[i]!))), 6);
    });
    expect(after.some((d) => Math.abs(d) < 0.099)).toBe(true); // not all in corners: they go on from before
  });
});

describe("FGSM with masks", () => {
  const masked = (options: Readonly<Record<string, unknown>>): ReturnType<typeof stepOf> =>
    stepOf(recipes["bag-of-tricks-fgsm"], { model: linearNet, options });
  /** Pixels of the image that the loss is not of: its gradient by the weights of a linear layer is zero there. */
  const hiddenIn = (step: ReturnType<typeof stepOf>, image: number): number[] => {
    const only = {
      ...step.feeds["x"]!,
      data: step.feeds["x"]!.data.map((v, i) => (Math.floor(i / 9) === image ? v : 0)),
    };
    const flat = step.gradients({ x: only, epsilon: scalar(0) })["fc.weight"]!;
    return Array.from({ length: 9 }, (_, j) => j).filter((j) => [0, 9, 18].every((k) => flat[k + j] === 0));
  };

  it("hides the same pixels throughout (fixed, grid), or others in every example (random)", () => {
    for (const maskPattern of ["fixed", "grid"]) {
      const step = masked({ mask: 0.4, maskPattern });
      expect(hiddenIn(step, 0).length).toBe(4); // of nine
      expect(hiddenIn(step, 1)).toEqual(hiddenIn(step, 0));
    }
    expect(hiddenIn(masked({ mask: 0.4, maskPattern: "grid" }), 0)).toEqual([0, 2, 4, 6]);
    const random = masked({ mask: 0.4, maskPattern: "random" }),
      [draw] = random.draws;
    expect(draw!.shape).toEqual([N, 1, 3, 3]);
    const drawn = numbersOf(random.feeds[draw!.name]);
    for (const image of [0, 1, 2])
      expect(hiddenIn(random, image)).toEqual(
        Array.from({ length: 9 }, (_, j) => j).filter((j) => drawn[9 * image + j]! < 2 * Math.fround(0.4) - 1),
      );
    expect(hiddenIn(random, 1)).not.toEqual(hiddenIn(random, 0));
  });

  it("may only look for the step on the masked image", () => {
    const options = { mask: 0.4, maskPattern: "grid", maskTarget: "gradient" };
    expect(hiddenIn(masked(options), 0)).toEqual([]);
    const none = masked({ mask: 0 }),
      plain = stepOf(recipes["pgd-at"], { model: linearNet, settings: { steps: 1, relativeStep: 1, start: "zero" } });
    expect(none.gradients()).toEqual(plain.gradients());
    expect(value(masked(options).run()["loss"])).not.toBe(value(none.run()["loss"])); // found elsewhere
    expect(value(masked(options).run({ epsilon: scalar(0) })["loss"])).toBeCloseTo(
      value(none.run({ epsilon: scalar(0) })["loss"]),
      12,
    );
  });

  it("adds the squared length of the first convolution's kernels only", () => {
    const [with3, without] = [0.3, 0].map((firstLayer) =>
      stepOf(recipes["bag-of-tricks-fgsm"], { model: convNet, options: { firstLayer, mask: 0 } }),
    );
    const [a, b] = [with3!.gradients(), without!.gradients()];
    const kernels = numbersOf(with3!.feeds["conv1.weight"]);
    a["conv1.weight"]!.forEach((g, i) => expect(g - b["conv1.weight"]![i]!).toBeCloseTo(0.6 * kernels[i]!, 6));
    for (const name of ["conv1.bias", "fc.weight", "fc.bias"]) expect(a[name]).toEqual(b[name]);
  });
});

describe("Frank-Wolfe training", () => {
  it.each([1, 2, 3, 5])("reports a distortion of 1 on a linear model of two classes, after %s steps", (steps) => {
    const step = stepOf(recipes["fw-at-adapt"], { model: linearNet, settings: { control: "none", steps } });
    // With two equal rows the sign of the gradient does not depend on the point.
    const w = step.feeds["fc.weight"]!,
      equal = w.data.map((v, i) => (i >= 18 ? w.data[i - 9]! : v));
    const two = {
      "fc.weight": array(w.shape, equal),
      labels: { ...step.feeds["labels"]!, data: Float64Array.of(0, 0, 0, 0) },
    };
    expect(value(step.run(two)["distortion"])).toBeCloseTo(1, 5);
    expect(value(step.run(two)["evaluations"])).toBe(N * (steps + 1));
  });

  it("with one step trains as FGSM does", () => {
    const one = stepOf(recipes["fw-at-adapt"], { model: convNet, settings: { control: "none", steps: 1 } }),
      fgsm = stepOf(recipes["pgd-at"], { model: convNet, settings: { steps: 1, relativeStep: 1, start: "zero" } });
    expect(distance(one.gradients(), fgsm.gradients())).toBeLessThan(1e-6);
  });

  it("leaves pixels without a gradient out of the distortion", () => {
    const spared = { model: linearNet, settings: { control: "none", steps: 1 } } as const;
    const [support, dims] = ["support", "dims"].map((denominator) =>
      stepOf(recipes["fw-at-adapt"], { ...spared, options: { denominator } }),
    );
    const w = support!.feeds["fc.weight"]!,
      blind = {
        "fc.weight": array(
          w.shape,
          w.data.map((v, i) => (i % 9 < 3 ? 0 : v)),
        ),
      }; // three of nine pixels
    expect(value(support!.run(blind)["distortion"])).toBeCloseTo(1, 6);
    expect(value(dims!.run(blind)["distortion"])).toBeCloseTo(Math.sqrt(6 / 9), 6);
  });
});

describe("MART", () => {
  it("is boosted cross-entropy, and divergence weighted by how wrong the network is", () => {
    const step = stepOf(recipes.mart, { model: smoothNet, options: { beta: 5 }, settings: FIXED }),
      { x, epsilon } = step.feeds;
    const draw = Object.entries(step.feeds).find(([name]) => name.startsWith("draw."))![1];
    const near = array(
      x!.shape,
      x!.data.map((v, i) => v + draw.data[i]! * value(epsilon)),
    );
    const p = logitsAt(smoothNet, step.feeds).map(softmaxOf),
      q = logitsAt(smoothNet, step.feeds, near).map(softmaxOf);
    const boosted = q.map((row, i) => {
      const others = row.filter((_, k) => k !== labels[i]);
      return -Math.log(row[labels[i]!]!) - Math.log(1 - Math.max(...others));
    });
    const weighted = p.map((row, i) => klOf(row, q[i]!) * (1 - row[labels[i]!]!));
    expect(value(step.run()["loss"])).toBeCloseTo(mean(boosted) + 5 * mean(weighted), 8);
    const expected = slopes(step.feeds, names(smoothNet), (changes) => value(step.run(changes)["loss"]));
    expect(distance(step.gradients(), expected)).toBeLessThan(1e-6);
  });
});
