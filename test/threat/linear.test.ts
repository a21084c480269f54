import { createRng } from "temper/core";
import { type NormName, threat } from "temper/threat";
import { describe, expect, it } from "vitest";

const d = 784;
const rng = createRng(21);
const x = Float32Array.from({ length: d }, () => (rng.uniform() < 0.3 ? 0 : rng.uniform()));
const w = Float32Array.from({ length: d }, () => rng.normal());
const gain = (adv: Float32Array): number => adv.reduce((sum, a, i) => sum + w[i]! * (a - x[i]!), 0);
const room = (i: number): number => (w[i]! > 0 ? 1 - x[i]! : x[i]!);

/** Largest w·u over ball and box: linf elementwise; l1 fills the steepest elements first. */
const optimum = (norm: "linf" | "l1", epsilon: number): number => {
  const order = Array.from(w.keys()).sort((a, b) => Math.abs(w[b]!) - Math.abs(w[a]!));
  let left = norm === "l1" ? epsilon : Infinity,
    sum = 0;
  for (const i of order) {
    const change = Math.min(room(i), norm === "l1" ? left : epsilon);
    left -= change;
    sum += Math.abs(w[i]!) * change;
  }
  return sum;
};
/** l2: u = clip(s w), s by bisection. */
const optimumL2 = (epsilon: number): number => {
  const u = (s: number): number[] => Array.from(w, (v, i) => Math.min(s * Math.abs(v), room(i)));
  let [low, high] = [0, 1e6];
  for (let k = 0; k < 200; k++) {
    const middle = (low + high) / 2;
    if (u(middle).reduce((s, a) => s + a * a, 0) > epsilon ** 2) high = middle;
    else low = middle;
  }
  return u(low).reduce((sum, a, i) => sum + a * Math.abs(w[i]!), 0);
};

/** Projected ascent; l1 moves 1 % of the elements a step. */
const climb = (norm: NormName, epsilon: number, steps: number, step: number, keep = 8): number => {
  const set = threat({ norm, epsilon });
  const adv = set.randomStart(x, () => createRng(22), d);
  for (let k = 0; k < steps; k++) {
    set.ascend(adv, w, step, d, { keep });
    set.project(x, adv, d);
  }
  expect(set.contains(x, adv, d, 1e-9)[0]).toBe(1);
  return gain(adv);
};

describe("projected ascent on a linear function with a box", () => {
  it("linf reaches the closed form after ceil(2 epsilon / step) sign steps from any start", () => {
    expect(climb("linf", 0.3, 20, 0.03) / optimum("linf", 0.3)).toBeCloseTo(1, 6);
  });
  it("l2 reaches the closed form", () => {
    expect(climb("l2", 3, 300, 3) / optimumL2(3)).toBeGreaterThan(0.999);
    expect(climb("l2", 3, 300, 3) / optimumL2(3)).toBeLessThan(1 + 1e-6);
  });
  it("l1 with the exact projection reaches 95 % of it; cutting to the ball, then to the box, does not", () => {
    const best = optimum("l1", 12);
    expect(climb("l1", 12, 100, 12) / best).toBeGreaterThan(0.95);
    expect(climb("l1", 12, 100, 12) / best).toBeLessThan(1 + 1e-6);
    const ball = threat({ norm: "l1", epsilon: 12, box: [-1e6, 1e6] });
    const adv = Float32Array.from(x);
    for (let k = 0; k < 100; k++) {
      ball.ascend(adv, w, 12, d, { keep: 1 });
      ball.project(x, adv, d);
      adv.forEach((a, i) => (adv[i] = Math.min(1, Math.max(0, a))));
    }
    expect(gain(adv) / best).toBeLessThan(0.15);
  });
});
