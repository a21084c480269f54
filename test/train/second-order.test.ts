import { f32 } from "temper/core";
import { constant, type Value } from "temper/graph";
import { filledLike, vjp } from "temper/autodiff";
import { crossEntropy } from "temper/loss";
import { add, maximum, minimum, mul, reduceMean, reduceSum, scalarLike, scale, square, sub } from "temper/ops";
import { type AnyRecipe, recipes, type View } from "temper/train";
import { describe, expect, it } from "vitest";
import {
  array,
  type Arrays,
  computed,
  distance,
  FIXED,
  labels,
  linearNet,
  mean,
  N,
  names,
  normNet,
  numbersOf,
  planeNet,
  slopes,
  smoothNet,
  stepOf,
  value,
} from "./step.ts";

describe("GradAlign", () => {
  it.each([true, false])("differentiates gradients twice: as central differences (detach %s)", (held) => {
    const step = stepOf(recipes["grad-align"], { model: smoothNet, options: { lambda: 3, detach: held } });
    const plain = stepOf(recipes["grad-align"], { model: smoothNet, options: { lambda: 0, detach: held } });
    const [whole, entropy] = [step.gradients(), plain.gradients()];
    expect(distance(whole, entropy)).toBeGreaterThan(1e-3); // the regulariser has a gradient
    expect(value(step.run()["term.misalignment"])).toBeGreaterThan(1e-6);
    const expected = slopes(step.feeds, names(smoothNet), (changes) => value(step.run(changes)["loss"]));
    if (held) expect(distance(whole, expected)).toBeGreaterThan(1e-4); // one of the two gradients is held
    else expect(distance(whole, expected)).toBeLessThan(1e-6);
  });

  it("leaves examples without a gradient out of the mean", () => {
    const step = stepOf(recipes["grad-align"], { model: linearNet, options: { lambda: 1 } }),
      zero = { "fc.weight": array(step.feeds["fc.weight"]!.shape, new Float64Array(27)) };
    expect(value(step.run(zero)["term.misalignment"])).toBe(0);
    for (const g of Object.values(step.gradients(zero)).flat()) expect(Number.isFinite(g)).toBe(true);
    // A dead row: pixels that no unit sees, by weights that are zero there.
    const some = stepOf(recipes["grad-align"], { model: smoothNet, options: { lambda: 1 } }),
      dead = some.feeds["x"]!.data.slice().fill(1e6, 0, 9); // tanh is flat there, beyond what float64 can tell
    const { x } = some.feeds,
      one = some.run({ x: array(x!.shape, dead) });
    const rows = rowsOfMisalignment(some.feeds, dead);
    expect(Number.isNaN(rows[0])).toBe(true);
    expect(value(one["term.misalignment"])).toBeCloseTo(mean(rows.slice(1)), 8);
  });
});
/** Input gradients of the smooth net's loss at pixels. */
const slopesAt = (feeds: Arrays, pixels: Float64Array): number[] =>
  computed(smoothNet, { ...feeds, x: array(feeds["x"]!.shape, pixels) }, (of, v) => {
    const rows = crossEntropy(of(v["x"]!), v["labels"]!);
    return vjp([rows], [filledLike(rows, 1)], [v["x"]!])[0]!;
  });
/** 1 - cosine of the input gradients of the smooth net at pixels and beside them. */
const rowsOfMisalignment = (feeds: Arrays, pixels: Float64Array): number[] => {
  const { epsilon } = feeds,
    draw = Object.entries(feeds).find(([name]) => name.startsWith("draw."))![1];
  const [a, b] = [
    slopesAt(feeds, pixels),
    slopesAt(
      feeds,
      pixels.map((v, i) => v + value(epsilon) * draw.data[i]!),
    ),
  ];
  return labels.map((_, i) => {
    const [p, q] = [a.slice(9 * i, 9 * i + 9), b.slice(9 * i, 9 * i + 9)];
    return 1 - p.reduce((sum, v, j) => sum + v * q[j]!, 0) / (Math.hypot(...p) * Math.hypot(...q));
  });
};

describe("Fast-BAT", () => {
  const LAMBDA = 5;
  const settings = { attackRate: 1 / LAMBDA, lambda: LAMBDA };
  /** W -> CE(W, x + d*(W)), with the points fixed that the lower level is linear around. */
  const reference = (feeds: Arrays) => {
    const draw = Object.entries(feeds).find(([name]) => name.startsWith("draw."))![1];
    const inside = (points: Value, { x, epsilon }: Record<string, Value>): Value => {
      const low = maximum(sub(x!, epsilon!), scalarLike(x!, 0)),
        high = minimum(add(x!, epsilon!), scalarLike(x!, 1));
      return minimum(maximum(points, low), high);
    };
    const solution = (of: (x: Value) => Value, v: Record<string, Value>, at: Value): Value => {
      const rows = crossEntropy(of(at), v["labels"]!),
        [q] = vjp([rows], [filledLike(rows, 1)], [at]);
      return inside(add(at, scale(q!, 1 / LAMBDA)), v);
    };
    const begin = array(
      feeds["x"]!.shape,
      feeds["x"]!.data.map((v, i) => v + value(feeds["epsilon"]) * draw.data[i]!),
    );
    const around = array(
      begin.shape,
      computed(smoothNet, { ...feeds, begin }, (of, v) => solution(of, v, v["begin"]!)),
    );
    const lossAt = (changes: Arrays): number =>
      computed(smoothNet, { ...feeds, ...changes, around }, (of, v) =>
        reduceMean(crossEntropy(of(solution(of, v, v["around"]!)), v["labels"]!), [0]),
      )[0]!;
    return { lossAt, begin };
  };

  it("solves the lower level: its points are the quadratic's least on a grid over ball and box", () => {
    const seen: AnyRecipe = {
      ...recipes["fast-bat"],
      branches: (options) => {
        const { view } = recipes["fast-bat"].branches(options as never)["adversarial"]!;
        const solution = (context: Parameters<typeof view>[0]): View => {
          const found = view(context) as View;
          return { ...found, reports: { points: found.x, around: found.also!["around"]! } };
        };
        return { adversarial: { view: solution } };
      },
    };
    const step = stepOf(seen, { model: planeNet, options: { attackRate: 1 / LAMBDA, lambda: LAMBDA } }),
      x = array(step.feeds["x"]!.shape, [0.5, 0.5, 0.04, 0.97, 0.3, 0.02, 0.99, 0.6]), // some nearer to 0 and 1 than epsilon
      { points, around } = step.run({ x });
    const q = computed(planeNet, { ...step.feeds, around: around! }, (of, v) => {
      const rows = crossEntropy(of(v["around"]!), v["labels"]!);
      return vjp([rows], [filledLike(rows, 1)], [v["around"]!])[0]!;
    });
    const STEPS = 400,
      kinds = new Set<string>();
    labels.forEach((_, row) => {
      const entries = [2 * row, 2 * row + 1],
        grids = entries.map((i) => {
          const low = Math.max(-0.1, -x.data[i]!),
            high = Math.min(0.1, 1 - x.data[i]!);
          return Array.from({ length: STEPS + 1 }, (_, k) => low + ((high - low) * k) / STEPS);
        });
      const cost = (d: readonly number[]): number =>
        entries.reduce((sum, i, j) => {
          const off = d[j]! - (around!.data[i]! - x.data[i]!);
          return sum - off * q[i]! + (LAMBDA / 2) * off ** 2;
        }, 0);
      const all = grids[0]!.flatMap((a) => grids[1]!.map((b) => [a, b])),
        least = all.reduce((best, d) => (cost(d) < cost(best) ? d : best));
      entries.forEach((i, j) => {
        const grid = grids[j]!;
        expect(points!.data[i]! - x.data[i]!).toBeCloseTo(least[j]!, 3); // half of the grid's spacing is 2.5e-4
        kinds.add(
          least[j] === grid[0] || least[j] === grid.at(-1) ? (Math.abs(least[j]!) < 0.0999 ? "box" : "ball") : "inside",
        );
      });
    });
    expect([...kinds].toSorted()).toEqual(["ball", "box", "inside"]);
  });

  it("gives the gradient of the solved lower level: as central differences", () => {
    const step = stepOf(recipes["fast-bat"], { model: smoothNet, options: settings }),
      { lossAt } = reference(step.feeds);
    const expected = slopes(step.feeds, names(smoothNet), lossAt);
    expect(distance(step.gradients(), expected)).toBeLessThan(1e-3);
    const without = stepOf(recipes["fast-bat"], { model: smoothNet, options: { ...settings, cross: false } });
    expect(distance(without.gradients(), expected)).toBeGreaterThan(5e-3);
    expect(value(without.run()["loss"])).toBeCloseTo(lossAt({}), 9);
  });

  it("is plain training on the points where every pixel is on a constraint", () => {
    const tiny = { model: smoothNet, settings: { epsilon: 1e-6 } };
    const step = stepOf(recipes["fast-bat"], { ...tiny, options: { attackRate: 1, lambda: 1 } }),
      without = stepOf(recipes["fast-bat"], { ...tiny, options: { attackRate: 1, lambda: 1, cross: false } });
    expect(distance(step.gradients(), without.gradients())).toBe(0);
  });

  it("by itself measures gradients where nothing moves, then takes the rate that they ask for", () => {
    const lossAt = (attackRate: number, slope: number): number => {
      const { run } = stepOf(recipes["fast-bat"], {
        model: smoothNet,
        options: { cross: false, attackRate },
        scalars: { slope },
      });
      return value(run()["loss"]);
    };
    const { run, feeds } = stepOf(recipes["fast-bat"], { model: smoothNet, scalars: { slope: 0 } }),
      { begin } = reference(feeds);
    const sizes = slopesAt(feeds, begin.data).map(Math.abs);
    const mean = sizes.reduce((sum, v) => sum + v, 0) / sizes.length; // no gradient is zero here
    const reports = run();
    expect(value(reports["gradientSize"])).toBeCloseTo(Math.fround(0.845) * mean, 9);
    expect(lossAt(0, 0)).toBeCloseTo(lossAt(1e-12, 0), 9);
    expect(lossAt(0, 0.02)).toBeCloseTo(lossAt(0.1 / 0.04, 0), 9); // epsilon 0.1, in two steps
    expect(lossAt(0, 0.02)).toBeGreaterThan(lossAt(0, 0));
  });

  it("says where a measured rate has no controller", () => {
    expect(() => stepOf(recipes["fast-bat"], { model: smoothNet, settings: { control: "none" } })).toThrow(
      "slope is set by a controller: --control slope.",
    );
  });
});

describe("AWP", () => {
  const settings = { ...FIXED, awp: 0.05 };

  it("takes the gradient at weights that are moved by gamma of each matrix's length, and moves them back", () => {
    const step = stepOf(recipes.awp, { model: normNet, settings }),
      plain = stepOf(recipes["pgd-at"], { model: normNet, settings: FIXED });
    const [at, { feeds }] = [plain.gradients(), step];
    const moved = Object.fromEntries(
      Object.entries(normNet.parameters).map(([name, { role, shape }]) => {
        const w = numbersOf(feeds[name]),
          g = at[name]!;
        const v = role === "weight" ? g.map((d) => (0.05 * Math.hypot(...w) * d) / Math.hypot(...g)) : g.map(() => 0);
        return [
          name,
          array(
            shape,
            w.map((u, i) => u + v[i]!),
          ),
        ];
      }),
    );
    expect(distance(step.gradients(), plain.gradients(moved))).toBeLessThan(1e-6);
    expect(distance(step.gradients(), at)).toBeGreaterThan(1e-3);
  });

  it("is the plain recipe, bit for bit, where gamma is zero", () => {
    const off = stepOf(recipes.awp, { model: normNet, settings: { ...FIXED, awp: 0 } }),
      fed = stepOf(recipes.awp, { model: normNet, settings, scalars: { awp: 0 } }),
      plain = stepOf(recipes["pgd-at"], { model: normNet, settings: FIXED });
    expect(off.run()).toEqual(plain.run());
    const { evaluations: both, ...rest } = fed.run(),
      { evaluations: one, ...expected } = plain.run();
    expect(rest).toEqual(expected);
    expect([value(one), value(both)]).toEqual([N, 2 * N]); // the warm-up's passes are made all the same
  });

  it("lowers a quadratic by the Hessian times the moved weights", () => {
    const quadratic: AnyRecipe = {
      ...recipes.standard,
      name: "quadratic",
      terms: () => [
        {
          name: "quadratic",
          enters: "update",
          reads: ["clean"],
          reduction: "none",
          of: ({ weights }) => reduceSum(mul(square(weights["fc.weight"]!), constant(f32(HESSIAN, [3, 9]))), [0, 1]),
        },
      ],
    };
    const step = stepOf(quadratic, { model: linearNet, settings: { awp: 0.5, lr: 0.1 }, scalars: { lr: 0.1 } }),
      w = numbersOf(step.feeds["fc.weight"]),
      g = w.map((u, i) => 2 * HESSIAN[i]! * u);
    const next = numbersOf(step.run()["next.fc.weight"]);
    w.forEach((u, i) => {
      const moved = u + (0.5 * Math.hypot(...w) * g[i]!) / Math.hypot(...g);
      expect(next[i]).toBeCloseTo(u - 0.1 * 2 * HESSIAN[i]! * moved, 7);
    });
  });
});
const HESSIAN = Array.from({ length: 27 }, (_, i) => 0.25 + (i % 4));
