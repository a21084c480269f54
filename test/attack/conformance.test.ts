import { type AttackName, type AttackRequest, attacks, createTarget, runAttack, type Target } from "temper/attack";
import { type NormName, threat } from "temper/threat";
import { beforeAll, describe, expect, it } from "vitest";
import { argmax, pixels, randomNetwork, runtime } from "./networks.ts";

const N = 24,
  D = 64;
/** Radii at which the attacks break some of the examples, and leave some; a single step needs more room. */
const radius = (name: string, norm: NormName): number =>
  (name === "fgsm" ? 2 : 1) * { linf: 0.12, l2: 0.75, l1: 4 }[norm];

let target: Target, x: Float32Array, labels: Int32Array;
beforeAll(async () => {
  target = await createTarget(runtime, randomNetwork());
  x = pixels(N, D, 5);
  labels = argmax(await target.logits(x), target.classes);
});

const cases = Object.values(attacks).flatMap((attack) => attack.norms.map((norm) => [attack.name, norm] as const));
/** Few steps, and two starts where the attack has them. */
const optionsOf = (name: string): Record<string, unknown> => {
  const known = attacks[name as AttackName].options;
  return { ...("steps" in known && { steps: 12 }), ...("restarts" in known && { restarts: 2 }) };
};
const request = (name: string, norm: NormName, more: Partial<AttackRequest> = {}): AttackRequest => ({
  attack: attacks[name as AttackName],
  options: optionsOf(name),
  threat: threat({ norm, epsilon: radius(name, norm) }),
  x,
  labels,
  seed: 1,
  ...more,
});
const row = (a: Float32Array, i: number): Float32Array => a.slice(i * D, (i + 1) * D);
const rowsOf = (indices: readonly number[]): Pick<AttackRequest, "x" | "labels" | "ids"> => ({
  x: Float32Array.from(indices.flatMap((i) => Array.from(row(x, i)))),
  labels: Int32Array.from(indices, (i) => labels[i]!),
  ids: Int32Array.from(indices),
});

describe.each(cases)("%s in %s", (name, norm) => {
  it.each([false, true])(
    "stays in the set, and what it calls broken fools the model (exhaustive: %s)",
    async (exhaustive) => {
      const { adv, broken, complete } = await runAttack(target, request(name, norm, { exhaustive }));
      const set = threat({ norm, epsilon: radius(name, norm) });
      expect(set.contains(x, adv, D, 1e-6)).toEqual(new Uint8Array(N).fill(1));
      const found = argmax(await target.logits(adv), target.classes);
      labels.forEach((label, i) => expect(found[i] !== label, `example ${i}`).toBe(broken[i] === 1));
      expect(complete).toBe(true);
      expect(broken).toContain(1); // the case is neither hopeless nor trivial
      expect(broken).toContain(0);
    },
  );

  it("repeats with the seed", async () => {
    expect(await runAttack(target, request(name, norm))).toEqual(await runAttack(target, request(name, norm)));
  });

  it("changes nothing at epsilon 0", async () => {
    const { adv, broken } = await runAttack(target, request(name, norm, { threat: threat({ norm, epsilon: 0 }) }));
    expect(adv).toEqual(x);
    expect(broken).toEqual(new Uint8Array(N));
  });

  it.each([false, true])("does not depend on the batch around an example (exhaustive: %s)", async (exhaustive) => {
    const whole = await runAttack(target, request(name, norm, { exhaustive }));
    const order = Array.from({ length: N }, (_, i) => (7 * i + 3) % N);
    for (const part of [order, order.slice(0, 5), order.slice(5, 6), order.slice(6)]) {
      const some = await runAttack(target, request(name, norm, { exhaustive, ...rowsOf(part) }));
      part.forEach((example, at) => {
        expect(some.broken[at], `example ${example}`).toBe(whole.broken[example]);
        expect(some.gradientEvaluations[at]).toBe(whole.gradientEvaluations[example]);
        const [a, b] = [row(some.adv, at), row(whole.adv, example)];
        expect(Math.max(...a.map((v, i) => Math.abs(v - b[i]!)))).toBeLessThan(1e-5);
      });
    }
  });

  it("never credits less with more steps", async () => {
    if (name === "fgsm") return; // a single step: nothing to compare
    const margins = async (steps: number): Promise<number[]> => {
      // PGD's own default step would differ between the two.
      const options = { steps, restarts: 1, ...(name === "pgd" && { stepSize: radius(name, norm) / 5 }) };
      const { adv } = await runAttack(target, request(name, norm, { exhaustive: true, options }));
      return marginsOf(await target.logits(adv));
    };
    if (name === "apgd-ce") return; // the number of steps sets its checkpoints: other numbers, other paths
    const [few, more] = [await margins(4), await margins(9)];
    few.forEach((m, i) => expect(more[i], `example ${i}`).toBeGreaterThanOrEqual(m - 1e-5));
    expect(more).not.toEqual(few);
  });

  it("uses another start for another seed, unless it has none", async () => {
    const other = await runAttack(target, request(name, norm, { seed: 2 }));
    const same = await runAttack(target, request(name, norm));
    if (name === "fgsm") expect(other.adv).toEqual(same.adv);
    else expect(other.adv).not.toEqual(same.adv);
  });
});

const marginsOf = (logits: Float32Array): number[] =>
  Array.from(labels, (label, i) => {
    const scores = Array.from(logits.subarray(5 * i, 5 * i + 5));
    return Math.max(...scores.filter((_, k) => k !== label)) - scores[label]!;
  });
