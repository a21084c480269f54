import { apgd, createTarget } from "temper/attack";
import { type NormName, threat } from "temper/threat";
import { describe, expect, it } from "vitest";
import { argmax, lastPoint, pixels, randomNetwork, runtime } from "./networks.ts";

const N = 16,
  D = 64;

type Ask = (x: number[][]) => Promise<{ loss: number[]; gradient: number[][] }>;
const norm2 = (v: readonly number[]): number => Math.sqrt(v.reduce((s, a) => s + a * a, 0));

/**
 * The papers' algorithm once more, example by example and step by step as their code has it: an evaluation after each
 * move, the losses of all steps kept, checkpoints by counting. Exact projections come from `temper/threat`.
 */
const reference = async (
  norm: NormName,
  epsilon: number,
  steps: number,
  x: number[][],
  start: number[][],
  ask: Ask,
): Promise<number[][]> => {
  const set = threat({ norm, epsilon });
  const project = (i: number, point: readonly number[]): number[] =>
    Array.from(set.project(Float32Array.from(x[i]!), Float32Array.from(point), D));
  const changed = (i: number, point: readonly number[]): number => point.filter((v, k) => v !== x[i]![k]).length;
  let adv = start.map((row) => [...row]),
    old = adv,
    { loss, gradient } = await ask(adv);
  const best = adv.map((row) => [...row]),
    bestLoss = [...loss],
    bestGradient = gradient.map((row) => [...row]);
  const eta = x.map(() => (norm === "l1" ? 1 : 2) * epsilon),
    lastBest = [...loss],
    reduced = x.map(() => true),
    share = x.map(() => 0.2),
    sparsity = x.map(() => D);
  const history = [[...loss]];
  let interval = norm === "l1" ? Math.max(Math.trunc(0.04 * steps), 1) : Math.max(Math.trunc(0.22 * steps), 1),
    since = 0;
  for (let i = 0; i < steps - 1; i++) {
    const a = i > 0 ? 0.75 : 1,
      before = adv;
    adv = adv.map((row, r) => {
      const g = gradient[r]!;
      if (norm === "l1") {
        const keep = Math.min(D, Math.max(1, Math.round(share[r]! * D)));
        // Elements that the box stops are passed over: the one place where we differ from the reference.
        const free = g.map((v, k) => (v > 0 ? row[k]! < 1 : row[k]! > 0) && v !== 0);
        const order = [...g.keys()].filter((k) => free[k]).sort((p, q) => Math.abs(g[q]!) - Math.abs(g[p]!));
        const chosen = order.slice(0, keep);
        return project(
          r,
          row.map((v, k) => (chosen.includes(k) ? v + (Math.sign(g[k]!) * eta[r]!) / chosen.length : v)),
        );
      }
      const length = norm2(g);
      const up = project(
        r,
        row.map((v, k) => v + eta[r]! * (norm === "linf" ? Math.sign(g[k]!) : g[k]! / length)),
      );
      return project(
        r,
        row.map((v, k) => v + a * (up[k]! - v) + (1 - a) * (v - old[r]![k]!)),
      );
    });
    old = before;
    ({ loss, gradient } = await ask(adv));
    history.push([...loss]);
    since++;
    for (let r = 0; r < x.length; r++) {
      if (loss[r]! <= bestLoss[r]!) continue;
      [bestLoss[r], best[r], bestGradient[r]] = [loss[r]!, [...adv[r]!], [...gradient[r]!]];
    }
    if (since < interval) continue;
    for (let r = 0; r < x.length; r++) {
      let back: boolean;
      if (norm === "l1") {
        const now = changed(r, best[r]!);
        back = now / sparsity[r]! < 0.95;
        eta[r] = back ? epsilon : Math.max(eta[r]! / 1.5, epsilon / 10);
        share[r] = now / D / 1.5;
        sparsity[r] = now;
      } else {
        let rises = 0;
        for (let k = history.length - interval; k < history.length; k++)
          if (history[k]![r]! > history[k - 1]![r]!) rises++;
        back = rises <= 0.75 * interval || (!reduced[r]! && lastBest[r]! >= bestLoss[r]!);
        reduced[r] = back;
        lastBest[r] = bestLoss[r]!;
        if (back) eta[r]! /= 2;
      }
      if (back) [adv[r], gradient[r]] = [[...best[r]!], [...bestGradient[r]!]];
    }
    since = 0;
    if (norm !== "l1")
      interval = Math.max(interval - Math.max(Math.trunc(0.03 * steps), 1), Math.max(Math.trunc(0.06 * steps), 1));
  }
  return best;
};

describe.each([
  ["linf", 0.1, 100],
  ["linf", 0.3, 37],
  ["l2", 0.8, 100],
  ["l1", 4, 50],
] as const)("APGD in %s, epsilon %d, %d steps", (norm, epsilon, steps) => {
  it("ends at the points of the papers' algorithm", async () => {
    const target = await createTarget(runtime, randomNetwork());
    const flat = pixels(N, D, 8),
      rows = (a: Float32Array): number[][] =>
        Array.from({ length: N }, (_, i) => Array.from(a.subarray(i * D, (i + 1) * D)));
    const labels = argmax(await target.logits(flat), 5);
    const ask: Ask = async (points) => {
      const answer = await target.evaluate(Float32Array.from(points.flat()), labels, "cross-entropy");
      return { loss: Array.from(answer.loss), gradient: rows(answer.gradient) };
    };
    let first: Float32Array | undefined, state: { best: Float32Array } | undefined;
    const watching = {
      ...target,
      evaluate: async (...args: Parameters<typeof target.evaluate>) => {
        first ??= args[0].slice();
        return target.evaluate(...args);
      },
    };
    await lastPoint(watching, {
      attack: { ...apgd, init: (context) => (state = apgd.init(context)) },
      options: { steps },
      threat: threat({ norm, epsilon }),
      x: flat,
      labels,
      seed: 3,
    });
    const expected = (await reference(norm, epsilon, steps, rows(flat), rows(first!), ask)).flat();
    const far = Array.from({ length: N }, (_, i) =>
      Math.max(...expected.slice(i * D, (i + 1) * D).map((v, k) => Math.abs(v - state!.best[i * D + k]!))),
    );
    expect(Math.max(...far)).toBeLessThan(1e-4);
    expect(state!.best).not.toEqual(first);
  });
});
