import { type AnyOp, concretize, type Inputs } from "temper/graph";
import { ops, scale } from "temper/ops";
import { describe, expect, it } from "vitest";
import { build, directional, floatOutputs, jvpError, relative, run } from "./check.ts";
import type { Sample } from "./sample.ts";
import { samples } from "./samples.ts";

const variants = (cases: readonly Sample[]): { label: string; sample: Sample; symbolic: boolean }[] =>
  cases.flatMap((sample) => [
    { label: sample.label, sample, symbolic: false },
    ...(sample.symbolic ? [{ label: `${sample.label}, symbolic batch`, sample, symbolic: true }] : []),
  ]);

describe.each(Object.entries(samples))("%s", (name, cases) => {
  const op: AnyOp = ops[name as keyof typeof ops];
  const all = variants(cases);

  it("is registered under its own name", () => {
    expect(op.name).toBe(name);
    expect(cases.length).toBeGreaterThan(0);
  });

  it.each(all)("shape rule agrees with the reference: $label", ({ sample, symbolic }) => {
    const built = build(op, sample, symbolic);
    const results = run(built.outputs, built.feeds);
    built.outputs.forEach((y, i) => {
      const { shape, dtype, data } = results[i]!;
      expect({ shape, dtype }).toEqual({ shape: concretize(y.shape, built.batch), dtype: y.dtype });
      expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
    });
  });

  it.each(all)("known extents agree with the reference: $label", ({ sample, symbolic }) => {
    const built = build(op, sample, symbolic);
    const extents = op.extents?.(built.outputs[0]!.node.inputs as unknown as Inputs, built.outputs[0]!.node.attributes);
    if (!extents) return;
    const numbers = extents.map((e) => (typeof e === "number" ? e : e.batches * built.batch));
    expect(numbers).toEqual(Array.from(run(built.outputs, built.feeds)[0]!.data));
  });

  it.each(all)("VJP, its VJP and the JVP agree with differences: $label", ({ sample, symbolic }) => {
    const { xs, feeds, batch, ...built } = build(op, sample, symbolic, true);
    const ys = floatOutputs({ xs, feeds, batch, ...built });
    if (ys.length === 0 || xs.length === 0) return;
    const first = directional(ys, xs, feeds, batch, "u");
    expect(relative(first.exact, first.numeric), `first order: ${first.exact} ${first.numeric}`).toBeLessThan(1e-8);
    expect(jvpError(ys, xs, feeds, batch), "jvp").toBeLessThan(1e-7);
    if (first.pulled.length === 0) return;
    const second = directional(first.pulled, first.variables, first.feeds, batch, "w");
    expect(relative(second.exact, second.numeric), `second order: ${second.exact} ${second.numeric}`).toBeLessThan(
      1e-7,
    );
  });

  it("says why where it has no gradient rule", () => {
    const floats = cases.some((c) => floatOutputs(build(op, c, false)).length > 0);
    if (floats) expect(Boolean(op.vjp) !== (op.zeroGradient !== undefined)).toBe(true);
    else expect(op.zeroGradient).toMatch(/\w+ \w+/);
  });
});

/** The operator with the cotangent of one input off by one percent. */
const spoiled = (op: AnyOp, index: number): AnyOp => ({
  ...op,
  vjp: (context) => op.vjp!(context).map((g, i) => (g && i === index ? scale(g, 1.01) : g)),
});

describe("the check notices a rule that is off by one percent", () => {
  it.each(Object.entries(samples).filter(([name]) => ops[name as keyof typeof ops].vjp))("%s", (name, cases) => {
    const op = ops[name as keyof typeof ops];
    const noticed = new Set<number>();
    const asked = new Set<number>();
    for (const sample of cases) {
      const indices = build(op, sample, false, true).xs.map((x) => Number(x.node.name.slice(1)));
      for (const index of indices) {
        const { xs, feeds, batch, ...built } = build(spoiled(op, index), sample, false, true);
        const ys = floatOutputs({ xs, feeds, batch, ...built });
        if (ys.length === 0) continue;
        asked.add(index);
        const { exact, numeric } = directional(ys, xs, feeds, batch, "u");
        if (relative(exact, numeric) > 1e-6) noticed.add(index);
      }
    }
    expect(asked.size).toBeGreaterThan(0);
    expect(noticed).toEqual(asked);
  });
});
