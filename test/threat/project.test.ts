import { array, assert, double, float, property } from "fast-check";
import { createRng, type Rng } from "temper/core";
import { norms, type NormName, projectOnto, threat } from "temper/threat";
import { describe, expect, it } from "vitest";
import { dykstra } from "./solvers.ts";

const names = Object.keys(norms) as NormName[];

/** Pixels in [0, 1], a third of them on the box, and a far point to project. */
const randomCase = (rng: Rng, d: number, spread: number): { x: Float32Array; far: Float32Array } => {
  const x = Float32Array.from({ length: d }, () => {
    const u = rng.uniform();
    return u < 0.17 ? 0 : u < 0.34 ? 1 : rng.uniform();
  });
  return { x, far: x.map((c) => c + spread * rng.normal()) };
};

const changes = (x: Float32Array, adv: Float32Array): number[] => Array.from(adv, (a, i) => a - x[i]!);
const length = (norm: NormName, u: readonly number[]): number =>
  norm === "linf"
    ? Math.max(...u.map(Math.abs))
    : norm === "l1"
      ? u.reduce((s, a) => s + Math.abs(a), 0)
      : Math.sqrt(u.reduce((s, a) => s + a * a, 0));

/**
 * Largest violation of the optimality conditions of min |u - v|² over ball and box: one multiplier explains all
 * elements that lie strictly inside of their box.
 */
const kktResidual = (
  norm: NormName,
  x: Float32Array,
  far: Float32Array,
  adv: Float32Array,
  epsilon: number,
): number => {
  const u = changes(x, adv),
    v = changes(x, far);
  const room = v.map((a, i) => (a > 0 ? 1 - x[i]! : x[i]!));
  const cut = v.map((a, i) => Math.sign(a) * Math.min(Math.abs(a), room[i]!));
  const tight = length(norm, cut) > epsilon;
  if (norm === "linf")
    return Math.max(...v.map((a, i) => Math.abs(Math.sign(a) * Math.min(Math.abs(a), epsilon, room[i]!) - u[i]!)));
  if (!tight) return Math.max(...cut.map((a, i) => Math.abs(a - u[i]!)));
  const inner = v.flatMap((_, i) => (Math.abs(u[i]!) > 1e-7 && Math.abs(u[i]!) < room[i]! - 1e-7 ? [i] : []));
  if (inner.length === 0) return 0; // any large enough multiplier fits; dykstra checks such cases
  if (norm === "l2") {
    const best = inner.reduce((a, i) => (Math.abs(v[i]!) > Math.abs(v[a]!) ? i : a), inner[0]!);
    const s = u[best]! / v[best]!;
    return Math.max(...v.map((a, i) => Math.abs(Math.sign(a) * Math.min(Math.abs(s * a), room[i]!) - u[i]!)));
  }
  const lambda = inner.reduce((sum, i) => sum + Math.abs(v[i]!) - Math.abs(u[i]!), 0) / inner.length;
  return Math.max(
    -lambda,
    ...v.map((a, i) => Math.abs(Math.sign(a) * Math.min(Math.max(Math.abs(a) - lambda, 0), room[i]!) - u[i]!)),
  );
};

describe.each(names)("projection on the %s ball and the box", (norm) => {
  it("satisfies the optimality conditions to 1e-6 on 300 random cases, is feasible and idempotent", () => {
    const rng = createRng(1).split(norm);
    for (let k = 0; k < 300; k++) {
      const d = 1 + rng.int(200),
        spread = [0.01, 0.3, 1, 10][k % 4]!;
      const { x, far } = randomCase(rng, d, spread);
      const inactive = k % 10 === 7;
      const scale = norm === "linf" ? 0.3 : norm === "l2" ? 0.2 * Math.sqrt(d) : 0.15 * d;
      const epsilon = k % 10 === 3 ? 0 : inactive ? 1e4 : scale * rng.uniform();
      const set = threat({ norm, epsilon });
      const adv = set.project(x, Float32Array.from(far), d);
      expect(kktResidual(norm, x, far, adv, epsilon), `case ${k}`).toBeLessThan(1e-6);
      expect(length(norm, changes(x, adv))).toBeLessThanOrEqual(epsilon * (1 + 1e-11));
      expect(adv.every((a) => a >= 0 && a <= 1)).toBe(true);
      expect(set.project(x, Float32Array.from(adv), d)).toEqual(adv);
      if (epsilon === 0) expect(adv).toEqual(x);
      if (inactive) expect(adv).toEqual(far.map((a) => Math.min(1, Math.max(0, a))));
    }
  });

  it("never grows the distance between two points (a projection on a convex set)", () => {
    const pixels = array(float({ min: 0, max: 1, noNaN: true }), { minLength: 6, maxLength: 6 });
    const points = array(float({ min: -3, max: 3, noNaN: true }), { minLength: 6, maxLength: 6 });
    assert(
      property(pixels, points, points, double({ min: 0, max: 3, noNaN: true }), (px, pa, pb, epsilon) => {
        const set = threat({ norm, epsilon });
        const x = Float32Array.from(px),
          a = Float32Array.from(pa),
          b = Float32Array.from(pb);
        const before = length("l2", changes(a, b));
        const after = length("l2", changes(set.project(x, a, 6), set.project(x, b, 6)));
        expect(after).toBeLessThanOrEqual(before + 1e-6);
        expect(set.contains(x, a, 6, 1e-9)).toEqual(Uint8Array.of(1));
      }),
      { numRuns: 500, seed: 2 },
    );
  });

  it("treats every row for itself and honours a radius a row", () => {
    const rng = createRng(3).split(norm);
    const d = 50,
      epsilons = [0, 0.1, 1.5];
    const { x, far } = randomCase(rng, 3 * d, 1);
    const all = threat({ norm, epsilon: 9 }).project(x, Float32Array.from(far), d, epsilons);
    epsilons.forEach((epsilon, i) => {
      const [from, to] = [i * d, (i + 1) * d];
      const alone = threat({ norm, epsilon }).project(x.slice(from, to), far.slice(from, to), d);
      expect(all.slice(from, to)).toEqual(alone);
    });
  });

  it("is the same by ranges that were found before", () => {
    const rng = createRng(5).split(norm);
    for (const epsilon of [0, 1e-9, 0.01, 0.3, 4]) {
      const { x, far } = randomCase(rng, 3 * 40, 0.5),
        set = threat({ norm, epsilon, box: [-0.25, 1] }),
        ranges = set.ranges(x, 40);
      expect(ranges !== undefined).toBe(norm === "linf");
      if (!ranges) continue;
      far[7] = NaN;
      far[50] = Infinity;
      for (const points of [far, x, far.map((v) => -v)])
        expect(projectOnto(x, Float32Array.from(points), 40, ranges)).toEqual(
          set.project(x, Float32Array.from(points), 40),
        );
    }
  });

  it("repairs NaN and infinity", () => {
    const x = Float32Array.of(0.5, 0.25, 0.75, 0.5);
    const set = threat({ norm, epsilon: 0.3 });
    const adv = set.project(x, Float32Array.of(NaN, Infinity, -Infinity, 0.6), 4);
    expect(set.contains(x, adv, 4)).toEqual(Uint8Array.of(1));
    expect(adv[0]).toBe(0.5);
    expect(adv[1]).toBeGreaterThan(0.25);
    expect(adv[2]).toBeLessThan(0.75);
  });

  it("works in another box", () => {
    const rng = createRng(4);
    const x = Float32Array.from({ length: 40 }, () => -1 + 3 * rng.uniform());
    const set = threat({ norm, epsilon: 2, box: [-1, 2] });
    const adv = set.project(
      x,
      x.map((c) => c + 5 * rng.normal()),
      40,
    );
    expect(set.contains(x, adv, 40, 0)[0] === 1 || set.distance(x, adv, 40)[0]! <= 2 + 1e-6).toBe(true);
    expect(Math.min(...adv)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...adv)).toBeLessThanOrEqual(2);
  });
});

describe.each(["l1", "l2"] as const)("%s projection", (norm) => {
  it("equals Dykstra's algorithm in float64 on 200 cases to 1e-6", () => {
    const rng = createRng(5).split(norm);
    for (let k = 0; k < 200; k++) {
      const d = 1 + rng.int(8);
      const { x, far } = randomCase(rng, d, [0.3, 1, 4][k % 3]!);
      const epsilon = k % 20 === 0 ? 0 : rng.uniform() * (norm === "l1" ? 0.4 * d : 0.5 * Math.sqrt(d));
      const u = changes(x, threat({ norm, epsilon }).project(x, Float32Array.from(far), d));
      const exact = dykstra(
        norm,
        changes(x, far),
        epsilon,
        Array.from(x, (c) => -c),
        Array.from(x, (c) => 1 - c),
      );
      expect(Math.max(...u.map((a, i) => Math.abs(a - exact[i]!))), `case ${k}`).toBeLessThan(1e-6);
    }
  });

  it("handles many equal and many different scales", () => {
    const d = 3000;
    for (const far of [
      Float32Array.from({ length: d }, () => 2),
      Float32Array.from({ length: d }, (_, i) => 0.5 + 2 ** -(i % 60)),
      Float32Array.from({ length: d }, (_, i) => (i % 2 ? 1e6 : -1e6)),
    ]) {
      const x = new Float32Array(d).fill(0.5);
      const set = threat({ norm, epsilon: 1 });
      const adv = set.project(x, Float32Array.from(far), d);
      expect(length(norm, changes(x, adv))).toBeLessThanOrEqual(1 + 1e-11);
      expect(length(norm, changes(x, adv))).toBeGreaterThan(1 - 1e-4); // float32 rounds towards x: up to d ulps short
    }
  });
});
