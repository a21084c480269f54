import { ascendWithin, fosc, type InnerProblem, rules, stops, type StopType } from "temper/attack";
import { f32, i64, type Tensor, toFloat64 } from "temper/core";
import { type Array64, type Graph, float32, int64, toArray64, trace, type Value } from "temper/graph";
import { crossEntropy } from "temper/loss";
import { add, evaluateGraph, matmul, mul, reduceSum, sqrt } from "temper/ops";
import { compile } from "temper/runtime";
import { graphNorms } from "temper/threat";
import { describe, expect, it } from "vitest";

/** Four examples of three pixels, two classes. Logit 0 is 0, logit 1 is w x: classes are sides of a plane. */
const X = [
  [0.5, 0.4, 0.6], // w x = 0.34, right and far
  [0.05, 0.9, 0.5], // -0.65, near two sides of the box
  [0.5, 0.5, 0.3], // 0.12, right and near
  [0.5, 0.75, 0.5], // -0.05, misclassified
];
const W = [1, -1, 0.4];
const LABELS = [1, 1, 1, 1];
const EPSILON = 0.1;

const margins = X.map((row) => row.reduce((sum, v, j) => sum + v * W[j]!, 0));

interface Spec extends Partial<Pick<InnerProblem, "raise" | "watch">> {
  readonly steps: number | "fed";
  readonly stop?: keyof typeof stops;
}
const attackGraph = ({ steps, stop = "never", ...more }: Spec): Graph =>
  trace(
    "attack",
    {
      x: float32(4, 3),
      start: float32(4, 3),
      weights: float32(3, 2),
      labels: int64(4),
      epsilon: float32(),
      step: float32(),
      threshold: float32(),
      count: int64(),
      low: float32(),
      high: float32(),
    },
    ({ x, start, weights, labels, step, threshold, count, ...region }) => {
      const { stays }: StopType = stops[stop],
        around = { ...region, x, norm: "linf" as const };
      const { points, evaluations, first } = ascendWithin({
        examples: x,
        starts: [start],
        steps: steps === "fed" ? count : steps,
        raise: ([point]) => {
          const logits = matmul(point!, weights);
          return { rows: crossEntropy(logits, labels), logits };
        },
        move: (at) => graphNorms.linf.project(x, rules.steepest.move({ ...at, ...around, step, options: {} }), region),
        stays: stays && ((at) => stays({ ...at, ...around, labels, threshold })),
        ...more,
      });
      return { points: points[0]!, evaluations, ...(first && { first }) };
    },
  );

const feeds = (more: Readonly<Record<string, Tensor>> = {}): Record<string, Tensor> => ({
  x: f32(X.flat(), [4, 3]),
  start: f32(X.flat(), [4, 3]),
  weights: f32(
    W.flatMap((w) => [0, w]),
    [3, 2],
  ),
  labels: i64(LABELS),
  epsilon: f32([EPSILON], []),
  step: f32([EPSILON / 4], []),
  threshold: f32([0], []),
  count: i64([0], []),
  low: f32([0], []),
  high: f32([1], []),
  ...more,
});
const exactly = (graph: Graph, given: Readonly<Record<string, Tensor>>): Record<string, Array64> =>
  evaluateGraph(graph, Object.fromEntries(graph.inputs.map(({ node: { name } }) => [name, toArray64(given[name]!)])));
const used = (graph: Graph, given: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(graph.inputs.map(({ node: { name } }) => [name, given[name]!]));
const row = (v: Array64, i: number): number[] => Array.from(v.data.slice(3 * i, 3 * i + 3));

/** Where a linear loss is largest in ball and box. */
const solution = X.map((x) => x.map((v, j) => Math.min(1, Math.max(0, v - EPSILON * Math.sign(W[j]!)))));

describe("ascent in a graph", () => {
  it.each([8, "fed"] as const)("reaches the closed form on a linear model from any start (steps %s)", (steps) => {
    const corners = X.flatMap((x) => x.map((v, j) => Math.min(1, Math.max(0, v + EPSILON * Math.sign(W[j]!)))));
    for (const start of [X.flat(), corners]) {
      const { points } = exactly(
        attackGraph({ steps }),
        feeds({ start: f32(start, [4, 3]), count: i64([8], []) }), // ceil(2 epsilon / step)
      );
      solution.forEach((best, i) => row(points!, i).forEach((v, j) => expect(v).toBeCloseTo(best[j]!, 7)));
    }
  });

  it("never takes a step that lowers a linear loss, and stays in ball and box all the way", () => {
    const value = (points: Array64): number[] =>
      X.map((_, i) => -row(points, i).reduce((sum, v, j) => sum + v * W[j]!, 0));
    let before = margins.map((m) => -m);
    for (const steps of [1, 2, 3, 4, 5]) {
      const { points } = exactly(attackGraph({ steps }), feeds()),
        now = value(points!);
      now.forEach((v, i) => expect(v).toBeGreaterThanOrEqual(before[i]! - 1e-7));
      points!.data.forEach((v, k) => {
        expect(Math.abs(v - X.flat()[k]!)).toBeLessThan(EPSILON + 1e-7);
        expect(v >= 0 && v <= 1).toBe(true);
      });
      before = now;
    }
  });

  it("leaves misclassified rows where they are, and counts the gradients that each row took", () => {
    const { points, evaluations } = exactly(attackGraph({ steps: 6, stop: "misclassified" }), feeds());
    expect(row(points!, 3)).toEqual(row(toArray64(feeds()["x"]!), 3)); // wrong from the start
    // Each step of row 2 takes step * |w|_1 = 0.06 off its margin of 0.12: it is wrong after three.
    const taken = Math.floor(margins[2]! / (0.025 * 2.4)) + 1;
    row(points!, 2).forEach((v, j) => expect(v).toBeCloseTo(X[2]![j]! - taken * 0.025 * Math.sign(W[j]!), 6));
    expect(Array.from(evaluations!.data)).toEqual([6, 1, taken + 1, 1]);
  });

  it("stops rows at a stationarity, after the first step at the earliest", () => {
    const at = (threshold: number): number[] => {
      const given = feeds({ threshold: f32([threshold], []), step: f32([EPSILON / 2], []) });
      return Array.from(exactly(attackGraph({ steps: 6, stop: "fosc" }), given)["evaluations"]!.data);
    };
    expect(at(1e3)).toEqual([2, 2, 2, 2]); // one step, and the gradient that tells that it was enough
    expect(at(1e-6)[0]).toBe(3); // two steps of half the radius
    expect(at(1e-6)[1]).toBe(6); // the box is in the way, and the measure does not know it
    expect(at(-1)).toEqual([6, 6, 6, 6]);
  });

  it("has the same bits written out and as a loop, also where it stops", async () => {
    for (const stop of ["never", "misclassified", "fosc"] as const) {
      const given = feeds({ count: i64([2], []), threshold: f32([1e-3], []) }),
        written = attackGraph({ steps: 2, stop }),
        looped = attackGraph({ steps: "fed", stop });
      expect(exactly(looped, given)).toEqual(exactly(written, given));
      using one = await compile(written);
      using many = await compile(looped);
      expect(await many.run(used(looped, given))).toEqual(await one.run(used(written, given)));
    }
  });

  it("takes as many steps as it is fed, none too", () => {
    const graph = attackGraph({ steps: "fed" });
    for (const count of [0, 1, 3]) {
      const { points, evaluations } = exactly(graph, feeds({ count: i64([count], []) }));
      row(points!, 0).forEach((v, j) => expect(v).toBeCloseTo(X[0]![j]! - count * 0.025 * Math.sign(W[j]!), 6));
      expect(Array.from(evaluations!.data)).toEqual(Array(4).fill(count));
    }
    const none = exactly(attackGraph({ steps: 0 }), feeds());
    expect([Array.from(none["points"]!.data), Array.from(none["evaluations"]!.data)]).toEqual([
      Array.from(f32(X.flat()).data),
      [0, 0, 0, 0],
    ]);
  });

  it("does not move rows whose gradient is not finite, and moves the others", async () => {
    // sqrt(sum): no number below zero, an endless slope at zero.
    const start = [0, 0, 0, -1, 0, 0, 0.5, 0.5, 0.5, 0.1, 0.2, 0.3];
    const raise = ([point]: readonly Value[]) => {
      const sums = reduceSum(point!, [1]);
      return { rows: sqrt(sums), logits: sums };
    };
    for (const steps of [1, 5]) {
      const graph = attackGraph({ steps, raise }),
        given = feeds({ x: f32(start, [4, 3]), start: f32(start, [4, 3]), low: f32([-2], []) });
      using program = await compile(graph);
      const fast = toFloat64((await program.run(used(graph, given)))["points"]!);
      for (const points of [fast, exactly(graph, given)["points"]!.data]) {
        expect(Array.from(points.slice(0, 6))).toEqual(start.slice(0, 6));
        for (const k of [6, 9]) expect(points[k]).toBeCloseTo(start[k]! + Math.min(EPSILON, steps * 0.025), 6);
      }
    }
  });

  it("remembers what was watched where the first step was taken from", () => {
    for (const steps of [1, 4]) {
      const { first } = exactly(attackGraph({ steps, watch: ({ point }) => reduceSum(point, [1]) }), feeds());
      X.forEach((x, i) =>
        expect(first!.data[i]).toBeCloseTo(
          x.reduce((a, b) => a + b),
          6,
        ),
      );
    }
  });

  it("moves several values at once, each by its own rule", () => {
    const graph = trace("two", { a: float32(2, 3), b: float32(2, 2) }, ({ a, b }) => {
      const { points } = ascendWithin({
        examples: a,
        starts: [a, b],
        steps: 3,
        raise: ([p, q]) => {
          const rows = add(reduceSum(mul(p!, p!), [1]), reduceSum(q!, [1]));
          return { rows, logits: rows };
        },
        move: ({ point, gradient }, i) => (i === 0 ? add(point, gradient) : add(point, mul(gradient, gradient))),
      });
      return { p: points[0]!, q: points[1]! };
    });
    const { p, q } = exactly(graph, { a: f32([1, 2, 3, 4, 5, 6], [2, 3]), b: f32([0, 1, 2, 3], [2, 2]) });
    expect(Array.from(p!.data)).toEqual([1, 2, 3, 4, 5, 6].map((v) => 27 * v)); // p + 2 p, three times
    expect(Array.from(q!.data)).toEqual([3, 4, 5, 6]);
  });
});

const around = {
  x: float32(4, 3),
  point: float32(4, 3),
  gradient: float32(4, 3),
  epsilon: float32(),
  low: float32(),
  high: float32(),
};
const G = [0.5, -2, 1, 0.25, 1, -1, 3, -0.5, 0.125, -1, 0.5, -2];
const SIGNS = G.map(Math.sign);
/** Off the box by more than epsilon, but for the second row. */
const region = (more: Readonly<Record<string, Tensor>>): Record<string, Tensor> => ({
  x: f32(X.flat(), [4, 3]),
  gradient: f32(G, [4, 3]),
  epsilon: f32([EPSILON], []),
  low: f32([0], []),
  high: f32([1], []),
  ...more,
});

describe("first-order stationarity", () => {
  const measured = (point: readonly number[], box = false, norm: "linf" | "l2" | "l1" = "linf"): number[] => {
    const graph = trace("fosc", around, ({ point: at, gradient, ...rest }) => ({
      y: fosc({ point: at, gradient }, { ...rest, norm }, box),
    }));
    return Array.from(exactly(graph, region({ point: f32(point, [4, 3]) }))["y"]!.data);
  };
  const sums = (f: (g: readonly number[]) => number): number[] => X.map((_, i) => f(G.slice(3 * i, 3 * i + 3)));
  const l1 = sums((g) => g.reduce((sum, v) => sum + Math.abs(v), 0));

  it("is epsilon times the dual norm of the gradient at the example, and zero after a sign step", () => {
    measured(X.flat()).forEach((v, i) => expect(v).toBeCloseTo(EPSILON * l1[i]!, 7));
    measured(X.flat(), false, "l2").forEach((v, i) =>
      expect(v).toBeCloseTo(EPSILON * sums((g) => Math.hypot(...g))[i]!, 7),
    );
    const stepped = X.flat().map((v, k) => v + EPSILON * SIGNS[k]!);
    measured(stepped).forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-6));
  });

  it("is positive inside, and less where the box is counted: zero at the cut sign step", () => {
    const inside = X.flat().map((v, k) => v + EPSILON * Math.sin(7 * k) * 0.9),
      cut = X.flat().map((v, k) => Math.min(1, Math.max(0, v + EPSILON * SIGNS[k]!)));
    for (const point of [X.flat(), inside.map((v) => Math.min(1, Math.max(0, v)))]) {
      const [plain, boxed] = [measured(point), measured(point, true)];
      plain.forEach((v, i) => {
        expect(v).toBeGreaterThan(0.01);
        expect(boxed[i]).toBeGreaterThan(0);
        expect(boxed[i]).toBeLessThanOrEqual(v + 1e-9);
      });
    }
    measured(cut, true).forEach((v) => expect(Math.abs(v)).toBeLessThan(1e-6));
    // Pixel 0.05, a box from 0, and a slope of 0.25 down: half of the radius is out of reach.
    const downhill = region({
      gradient: f32(
        G.map((g, k) => (k === 3 ? -g : g)),
        [4, 3],
      ),
      point: f32(X.flat(), [4, 3]),
    });
    const graph = trace("fosc", around, ({ point, gradient, ...rest }) => ({
      plain: fosc({ point, gradient }, { ...rest, norm: "linf" }),
      boxed: fosc({ point, gradient }, { ...rest, norm: "linf" }, true),
    }));
    const { plain, boxed } = exactly(graph, downhill);
    expect(plain!.data[1]! - boxed!.data[1]!).toBeCloseTo((EPSILON - 0.05) * 0.25, 6);
  });

  it("does not depend on the batch", () => {
    const one = { ...around, x: float32(1, 3), point: float32(1, 3), gradient: float32(1, 3) };
    const alone = trace("fosc", one, ({ point, gradient, ...rest }) => ({
      y: fosc({ point, gradient }, { ...rest, norm: "linf" }),
    }));
    const point = X.flat().map((v, k) => v + 0.05 * Math.cos(k));
    measured(point).forEach((together, i) => {
      const slice = (v: readonly number[]): Tensor => f32(v.slice(3 * i, 3 * i + 3), [1, 3]);
      const given = region({ x: slice(X.flat()), gradient: slice(G), point: slice(point) });
      expect(exactly(alone, given)["y"]!.data[0]).toBe(together);
    });
  });
});

describe("Frank-Wolfe steps", () => {
  const walked = (gradients: readonly (readonly number[])[]): number[] => {
    const graph = trace("walk", { ...around, time: float32() }, ({ point, gradient, time, ...rest }) => ({
      y: rules["frank-wolfe"].move({
        ...rest,
        norm: "linf",
        point,
        gradient,
        time,
        step: rest.epsilon,
        options: { c: 2 },
      }),
    }));
    let at = [...f32(X.flat()).data];
    gradients.forEach((g, k) => {
      const given = region({ point: f32(at, [4, 3]), gradient: f32(g, [4, 3]), time: f32([k], []) });
      at = Array.from(exactly(graph, given)["y"]!.data);
    });
    return at.map((v, k) => v - f32(X.flat()).data[k]!);
  };
  const OTHERS = [[1, 1, 1, -1, -1, 1, 1, 1, -1, 1, -1, 1], G.map((g) => -g), [2, -1, 1, 1, 1, 1, 1, -3, 1, 1, 1, 1]];

  it("are FGSM when there is one", () => {
    walked([G]).forEach((d, k) => expect(d).toBeCloseTo(EPSILON * SIGNS[k]!, 6));
  });

  it("stay in the convex hull of the ball, and on its corner where signs agree", () => {
    for (let k = 1; k <= 3; k++)
      walked([G, ...OTHERS.slice(0, k)]).forEach((d) => expect(Math.abs(d)).toBeLessThan(EPSILON + 1e-6));
    walked([G, G, G, G]).forEach((d, k) => expect(d).toBeCloseTo(EPSILON * SIGNS[k]!, 6));
  });

  it("tell how many signs flip by their length: rho² = 1 - 8/9 flips after two", () => {
    const [other] = OTHERS,
      change = walked([G, other!]);
    X.forEach((_, i) => {
      const rows = [0, 1, 2].map((j) => 3 * i + j);
      const flips = rows.filter((k) => Math.sign(other![k]!) !== SIGNS[k]).length / 3;
      const rho2 = rows.reduce((sum, k) => sum + change[k]! ** 2, 0) / (EPSILON ** 2 * 3);
      expect(rho2).toBeCloseTo(1 - (8 / 9) * flips, 5);
    });
  });
});
