import { attacks, createTarget, runAttack } from "temper/attack";
import { createRng } from "temper/core";
import { type NormName, threat } from "temper/threat";
import { describe, expect, it } from "vitest";
import { linearNetwork, pixels, runtime } from "./networks.ts";

const d = 784,
  n = 4;
const rng = createRng(21);
const w = Float32Array.from({ length: d }, () => rng.normal());
const x = pixels(n, d, 22);
const labels = Int32Array.from({ length: n }, (_, i) => i % 2);

/** Two classes with scores 0 and w·x + bias. */
const target = (bias: number) => {
  const columns = new Float32Array(2 * d);
  w.forEach((v, i) => (columns[2 * i + 1] = v));
  return createTarget(runtime, linearNetwork(columns, d, 2, { bias: [0, bias] }));
};
/** Margin of the wrong class gained by moving from x to adv: ±w·(adv - x). */
const gain = (adv: Float32Array, row: number): number => {
  let sum = 0;
  for (let i = 0; i < d; i++) sum += w[i]! * (adv[row * d + i]! - x[row * d + i]!);
  return labels[row] === 0 ? sum : -sum;
};
const room = (row: number, i: number): number => {
  const up = w[i]! > 0 === (labels[row] === 0);
  return up ? 1 - x[row * d + i]! : x[row * d + i]!;
};
/** Largest gain over ball and box. l1 fills the steepest elements first; l2: u = clip(s |w|), s by bisection. */
const optimum = (norm: NormName, epsilon: number, row: number): number => {
  const steepest = Array.from(w.keys()).sort((a, b) => Math.abs(w[b]!) - Math.abs(w[a]!));
  if (norm !== "l2") {
    let left = norm === "l1" ? epsilon : Infinity;
    return steepest.reduce((sum, i) => {
      const change = Math.min(room(row, i), norm === "l1" ? left : epsilon);
      left -= change;
      return sum + Math.abs(w[i]!) * change;
    }, 0);
  }
  const change = (s: number): number[] => Array.from(w, (v, i) => Math.min(s * Math.abs(v), room(row, i)));
  let [low, high] = [0, 1e6];
  for (let k = 0; k < 200; k++) {
    const middle = (low + high) / 2;
    if (change(middle).reduce((s, u) => s + u * u, 0) > epsilon ** 2) high = middle;
    else low = middle;
  }
  return change(low).reduce((sum, u, i) => sum + u * Math.abs(w[i]!), 0);
};

/**
 * Share of the optimum that an attack reaches on each example. The bias makes all of them wrong from the start: gradients
 * of the cross-entropy do not vanish, and the strongest point counts.
 */
const reached = async (
  attack: keyof typeof attacks,
  norm: NormName,
  epsilon: number,
  options: Record<string, unknown> = {},
): Promise<number[]> => {
  const shares: number[] = [];
  for (const label of [0, 1]) {
    using classifier = await target(label === 0 ? 300 : -300);
    const { adv, broken } = await runAttack(classifier, {
      attack: attacks[attack],
      options: { loss: "margin", ...options },
      threat: threat({ norm, epsilon }),
      x,
      labels,
      seed: 7,
      exhaustive: true,
    });
    labels.forEach((l, row) => {
      if (l !== label) return;
      expect(broken[row]).toBe(1);
      shares.push(gain(adv, row) / optimum(norm, epsilon, row));
    });
  }
  return shares;
};

describe("attacks on a linear model with a box", () => {
  it("PGD reaches the linf optimum, clip included, after ceil(2 epsilon / step) steps from any start", async () => {
    for (const share of await reached("pgd", "linf", 0.3, { steps: 20, stepSize: 0.03 }))
      expect(share).toBeCloseTo(1, 5);
    // One step less does not suffice from a random start.
    expect(Math.min(...(await reached("pgd", "linf", 0.3, { steps: 18, stepSize: 0.03 })))).toBeLessThan(1 - 1e-4);
  });
  it("without a box the optimum is epsilon times the dual norm of w", async () => {
    const norms = { linf: w.reduce((s, v) => s + Math.abs(v), 0), l2: Math.sqrt(w.reduce((s, v) => s + v * v, 0)) };
    for (const norm of ["linf", "l2"] as const) {
      using classifier = await target(-500);
      const inside = x.map((v) => 0.25 + v / 2),
        zeros = new Int32Array(n);
      const { adv } = await runAttack(classifier, {
        attack: attacks.pgd,
        options: { loss: "margin", steps: 100, stepSize: norm === "l2" ? 1 : 0.02 },
        threat: threat({ norm, epsilon: norm === "linf" ? 0.2 : 1 }),
        x: inside,
        labels: zeros,
        seed: 1,
      });
      const moved = w.reduce((s, v, i) => s + v * (adv[i]! - inside[i]!), 0);
      expect(moved / ((norm === "linf" ? 0.2 : 1) * norms[norm])).toBeCloseTo(1, 4);
    }
  });
  it("PGD and APGD reach the l2 optimum", async () => {
    for (const share of await reached("pgd", "l2", 3, { steps: 200, stepSize: 1.5 })) {
      expect(share).toBeGreaterThan(0.999);
      expect(share).toBeLessThan(1 + 1e-5);
    }
    for (const share of await reached("apgd-ce", "l2", 3, { loss: "cross-entropy" }))
      expect(share).toBeGreaterThan(0.999);
  });
  it("FGSM is one sign step, exactly", async () => {
    for (const share of await reached("fgsm", "linf", 0.1)) expect(share).toBeCloseTo(1, 5);
  });
  it("APGD reaches the linf optimum", async () => {
    for (const share of await reached("apgd-ce", "linf", 0.3, { loss: "cross-entropy" }))
      expect(share).toBeCloseTo(1, 4);
  });
  it.each([false, true])(
    "l1-APGD reaches 95 %% of the optimum at epsilon 12 (large radii first: %s)",
    async (largeEpsilon) => {
      for (const share of await reached("apgd-ce", "l1", 12, { loss: "cross-entropy", largeEpsilon })) {
        expect(share).toBeGreaterThan(0.95);
        expect(share).toBeLessThan(1 + 1e-5);
      }
    },
  );
});
