import type { EvaluationResult } from "temper/evaluate";
import { evaluationSchema, renderJson } from "temper/report";
import { describe, expect, it } from "vitest";
import { faults } from "./faults.ts";
import { sampleDoubts, sampleResult } from "./sample.ts";

const sample = sampleResult({ shape: [3, 8, 8], doubts: sampleDoubts, examples: 2 });
const parsed = (): Record<string, unknown> => JSON.parse(renderJson(sample)) as Record<string, unknown>;

/** Turns the keys of every object around, so that a stable order shows. */
const reversed = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(reversed)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, v]) => [key, reversed(v)]),
        )
      : value;

describe("renderJson", () => {
  it("says all that the result says", () => {
    expect(JSON.parse(renderJson(sample))).toEqual(sample);
  });

  it("does not depend on the order in which the result was made", () => {
    expect(renderJson(reversed(sample) as EvaluationResult)).toBe(renderJson(sample));
    expect(Object.keys(parsed())).toEqual(Object.keys(evaluationSchema.properties!));
  });

  it("keeps lists of numbers on one line", () => {
    expect(renderJson(sample).split("\n").length).toBeLessThan(900);
  });

  it("writes null where a measured value is no number, text in options, and refuses the rest", () => {
    const example = { ...sample.examples[0]!, distance: Infinity, clean: { label: 1, confidence: NaN } };
    const attack = { ...sample.attacks[0]!, options: { limit: Infinity, list: new Float32Array([1, 2]) } };
    const odd: EvaluationResult = { ...sample, examples: [example], attacks: [attack] };
    const back = JSON.parse(renderJson(odd)) as typeof sample;
    expect(back.examples[0]!.distance).toBeNull();
    expect(back.examples[0]!.clean.confidence).toBeNull();
    expect(back.attacks[0]!.options).toEqual({ limit: "Infinity", list: [1, 2] });
    expect(faults(back, evaluationSchema)).toEqual([]);
    const bad: EvaluationResult = { ...sample, seconds: { ...sample.seconds, clean: NaN } };
    expect(() => renderJson(bad)).toThrow(
      expect.objectContaining({ code: "nonfinite", message: expect.stringContaining("seconds.clean") }),
    );
  });
});

describe("evaluationSchema", () => {
  it("holds for a result", () => {
    expect(faults(parsed(), evaluationSchema)).toEqual([]);
  });

  it("misses every field that is taken away and sees every field that is added", () => {
    const walk = (value: unknown, where: string): void => {
      if (Array.isArray(value)) {
        if (value.length > 0) walk(value[0], `${where}/0`);
      } else if (typeof value === "object" && value !== null && !where.endsWith("/options")) {
        const fields = value as Record<string, unknown>;
        fields["surprise"] = 1;
        expect(faults(whole, evaluationSchema)).toEqual([`${where}/surprise: unknown`]);
        delete fields["surprise"];
        for (const key of Object.keys(fields)) {
          const kept = fields[key];
          delete fields[key];
          expect(faults(whole, evaluationSchema)).toEqual([`${where}/${key}: missing`]);
          fields[key] = kept;
          walk(kept, `${where}/${key}`);
        }
      }
    };
    const whole = parsed();
    walk(whole, "");
  });

  it.each([
    ["schema", "temper.evaluation/2"],
    ["seed", 1.5],
    ["threat", { norm: "l7", epsilon: 0.1, box: [0, 1] }],
    ["threat", { norm: "linf", epsilon: -1, box: [0, 1] }],
    ["threat", { norm: "linf", epsilon: 1, box: [0, 1, 2] }],
    ["cleanAccuracy", { value: 98.2, low: 0, high: 1, count: 10 }],
    ["doubts", [{ code: 1, message: "" }]],
  ])("refuses a wrong %s", (key, value) => {
    expect(faults({ ...parsed(), [key]: value }, evaluationSchema)).not.toEqual([]);
  });
});
