import { vjp } from "temper/autodiff";
import { createRng, lookup } from "temper/core";
import { type Array64, BATCH, createGraph, type Graph, input } from "temper/graph";
import { losses, type LossType, marginOf, softmaxRows } from "temper/loss";
import { evaluateGraph } from "temper/ops";
import { describe, expect, it } from "vitest";

const K = 6,
  N = 8;
const all: readonly LossType[] = Object.values(losses);

/** Loss and its gradient with respect to the logits. */
const lossGraph = (loss: LossType, classes = K): Graph => {
  const logits = input("logits", "float64", [BATCH, classes]);
  const reference = loss.needs === "reference logits";
  const given = reference ? input("given", "float64", [BATCH, classes]) : input("given", "int64", [BATCH]);
  const targets = input("targets", "int64", [BATCH]);
  const rows = loss.build(logits, given, targets);
  const seed = input("seed", "float64", [BATCH]);
  const [gradient] = vjp([rows], [seed], [logits]);
  return createGraph("loss", [logits, given, targets, seed], { rows, gradient: gradient! });
};

interface Case {
  readonly logits: Float64Array;
  readonly given: Float64Array;
  readonly targets: Float64Array;
}
const evaluate = (loss: LossType, { logits, given, targets }: Case, classes = K) => {
  const n = logits.length / classes;
  const floats = (data: Float64Array, shape: number[]): Array64 => ({ dtype: "float64", shape, data });
  const ints = (data: Float64Array): Array64 => ({ dtype: "int64", shape: [data.length], data });
  const out = evaluateGraph(lossGraph(loss, classes), {
    logits: floats(logits, [n, classes]),
    given: given.length === n * classes ? floats(given, [n, classes]) : ints(given),
    targets: ints(targets),
    seed: floats(new Float64Array(n).fill(1), [n]),
  });
  return { rows: Array.from(out["rows"]!.data), gradient: out["gradient"]!.data, shape: out["rows"]!.shape };
};

const randomCase = (loss: LossType, seed: number): Case => {
  const rng = createRng(seed);
  const labels = Float64Array.from({ length: N }, () => rng.int(K));
  return {
    logits: Float64Array.from({ length: N * K }, () => 3 * rng.normal()),
    given: loss.needs === "reference logits" ? Float64Array.from({ length: N * K }, () => rng.normal()) : labels,
    targets: labels.map((y) => (y + 1 + rng.int(K - 1)) % K),
  };
};

/** The definitions, written down with sorting. */
const definitions: Record<string, (z: number[], given: number[], y: number, t: number) => number> = {
  "cross-entropy": (z, _, y) => -Math.log(softmaxRows(Float64Array.from(z), z.length)[y]!),
  margin: (z, _, y) => Math.max(...z.filter((_, k) => k !== y)) - z[y]!,
  "targeted-margin": (z, _, y, t) => z[t]! - z[y]!,
  dlr: (z, _, y) => {
    const s = z.toSorted((a, b) => b - a);
    return -(z[y]! - Math.max(...z.filter((_, k) => k !== y))) / (s[0]! - s[2]! + 1e-12);
  },
  "targeted-dlr": (z, _, y, t) => {
    const s = z.toSorted((a, b) => b - a);
    return -(z[y]! - z[t]!) / (s[0]! - (s[2]! + s[3]!) / 2 + 1e-12);
  },
  kl: (z, reference) => {
    const p = softmaxRows(Float64Array.from(reference), z.length),
      q = softmaxRows(Float64Array.from(z), z.length);
    return p.reduce((sum, v, k) => sum + v * Math.log(v / q[k]!), 0);
  },
};
const expected = (loss: LossType, c: Case): number[] =>
  Array.from({ length: N }, (_, i) => {
    const z = Array.from(c.logits.subarray(i * K, (i + 1) * K));
    const given = Array.from(c.given.subarray(i * K, (i + 1) * K));
    return definitions[loss.name]!(z, given, c.given[i]!, c.targets[i]!);
  });

describe.each(all.map((loss) => [loss.name, loss] as const))("%s", (name, loss) => {
  it("is listed under its own name and says what it needs", () => {
    expect(lookup<LossType>(losses, name, "loss")).toBe(loss);
    expect(["labels", "labels+targets", "reference logits"]).toContain(loss.needs);
    expect(loss.summary.endsWith(".")).toBe(true);
  });

  it("equals its definition, one number an example", () => {
    for (let seed = 0; seed < 5; seed++) {
      const c = randomCase(loss, seed);
      const { rows, shape } = evaluate(loss, c);
      expect(shape).toEqual([N]);
      expected(loss, c).forEach((v, i) => expect(rows[i]).toBeCloseTo(v, 10));
    }
  });

  it("has the gradient of central differences", () => {
    const c = randomCase(loss, 7),
      { gradient } = evaluate(loss, c),
      h = 1e-5;
    for (let j = 0; j < N * K; j++) {
      const shifted = (by: number): number[] =>
        evaluate(loss, { ...c, logits: c.logits.with(j, c.logits[j]! + by) }).rows;
      const row = Math.floor(j / K);
      expect(gradient[j]).toBeCloseTo((shifted(h)[row]! - shifted(-h)[row]!) / (2 * h), 5);
    }
  });

  it("ignores a shift of all logits, and the gradient sums to zero", () => {
    const c = randomCase(loss, 8);
    const before = evaluate(loss, c),
      after = evaluate(loss, { ...c, logits: c.logits.map((z) => z + 5) });
    before.rows.forEach((v, i) => expect(after.rows[i]).toBeCloseTo(v, 9));
    for (let i = 0; i < N; i++)
      expect(before.gradient.subarray(i * K, (i + 1) * K).reduce((a, b) => a + b)).toBeCloseTo(0, 9);
  });

  it("refuses what does not fit", () => {
    const logits = input("logits", "float32", [BATCH, K]);
    const labels = input("labels", "int64", [BATCH]);
    if (loss.minClasses > 2)
      expect(() => loss.build(input("z", "float32", [BATCH, loss.minClasses - 1]), labels, labels)).toThrow(
        /K of at least/,
      );
    expect(() => loss.build(input("z", "float32", [BATCH, 2, K]), labels, labels)).toThrow(/wants logits/);
    if (loss.needs !== "reference logits")
      expect(() => loss.build(logits, input("y", "float32", [BATCH]), labels)).toThrow(/int64 labels/);
    if (loss.needs === "labels+targets") expect(() => loss.build(logits, labels)).toThrow(/needs target classes/);
  });
});

describe("closed forms", () => {
  it("the gradient of cross-entropy is p - onehot, of kl q - p", () => {
    const c = randomCase(losses["cross-entropy"], 3);
    const p = softmaxRows(c.logits, K);
    const { gradient } = evaluate(losses["cross-entropy"], c);
    gradient.forEach((g, j) => expect(g).toBeCloseTo(p[j]! - (c.given[Math.floor(j / K)] === j % K ? 1 : 0), 12));
    const d = randomCase(losses.kl, 3);
    const q = softmaxRows(d.logits, K),
      reference = softmaxRows(d.given, K);
    evaluate(losses.kl, d).gradient.forEach((g, j) => expect(g).toBeCloseTo(q[j]! - reference[j]!, 12));
    expect(Math.max(...evaluate(losses.kl, { ...d, given: d.logits }).gradient.map(Math.abs))).toBeLessThan(1e-15);
  });

  it("dlr does not change with the scale of the logits, cross-entropy saturates", () => {
    const c = randomCase(losses.dlr, 4),
      scaled = { ...c, logits: c.logits.map((z) => 1000 * z) };
    const [a, b] = [evaluate(losses.dlr, c).rows, evaluate(losses.dlr, scaled).rows];
    a.forEach((v, i) => expect(b[i]).toBeCloseTo(v, 9));
  });

  it("cross-entropy of extreme logits is finite", () => {
    const c: Case = { logits: Float64Array.of(1e4, -1e4, 0), given: Float64Array.of(1), targets: Float64Array.of(0) };
    expect(evaluate(losses["cross-entropy"], c, 3).rows).toEqual([2e4]);
  });
});

describe("equal logits", () => {
  const run = (name: "margin" | "dlr" | "targeted-dlr", z: number[], y: number, t = 0) =>
    evaluate(
      losses[name],
      { logits: Float64Array.from(z), given: Float64Array.of(y), targets: Float64Array.of(t) },
      z.length,
    );

  it("take one place each, as in a sorted list", () => {
    // sorted 5 5 2 1: z(3) is 2, not 1
    expect(run("dlr", [5, 1, 5, 2], 3).rows[0]).toBeCloseTo(3 / 3, 10);
    expect(run("dlr", [5, 1, 5, 2], 0).rows[0]).toBeCloseTo(0, 10);
    // sorted 5 5 5 1: z(3) + z(4) over 2 is 3
    expect(run("targeted-dlr", [5, 1, 5, 5], 0, 1).rows[0]).toBeCloseTo(-4 / 2, 10);
  });

  it("give one column of the gradient the whole of it", () => {
    expect(Array.from(run("margin", [2, 7, 7, 1], 3).gradient)).toEqual([0, 1, 0, -1]);
    expect(Array.from(run("margin", [3, 3, 3], 0).gradient)).toEqual([-1, 1, 0]);
    expect(run("margin", [3, 3, 3], 0).rows).toEqual([0]);
  });

  it("never make dlr infinite, in value or in gradient", () => {
    for (const [z, y] of [
      [[1, 1, 1, 1], 2],
      [[4, 4, 4, -2], 3],
      [[0, 0, 0, 0], 0],
    ] as const) {
      const { rows, gradient } = run("dlr", [...z], y);
      for (const v of [...rows, ...gradient]) expect(Math.abs(v)).toBeLessThan(1e38); // float32 reaches 3e38
      if (y !== 3) expect(rows[0]).toBe(0);
    }
  });
});

it("marginOf agrees with the margin as a graph", () => {
  const c = randomCase(losses.margin, 12);
  const rows = marginOf(c.logits, c.given, K);
  evaluate(losses.margin, c).rows.forEach((v, i) => expect(rows[i]).toBeCloseTo(v, 12));
});
