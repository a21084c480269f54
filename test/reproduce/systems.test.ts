import { boundText, type Claim, type DataKind, type Reproduction, reproductions } from "temper/reproduce";
import { describe, expect, it } from "vitest";

const systems: readonly Reproduction[] = Object.values(reproductions);
const claimsOf = ({ slug, kinds, claims }: Reproduction): (readonly [string, DataKind, Claim])[] =>
  kinds.flatMap((kind) => claims(kind).map((claim) => [`${slug} on ${kind}: ${claim.text}`, kind, claim] as const));

describe("systems", () => {
  it("each have an experiment, with something to miss on every kind of data", () => {
    for (const { slug, kinds, claims } of systems) {
      expect(kinds.length, slug).toBeGreaterThan(0);
      for (const kind of kinds) expect(claims(kind).filter(({ required }) => required).length, slug).toBeGreaterThan(0);
    }
  });

  it("run on glyphs wherever they run on digits", () => {
    for (const { slug, kinds } of systems) expect(kinds.includes("glyphs"), slug).toBe(kinds.includes("mnist"));
  });

  it("state the bounds that are calibrated, on glyphs alone", () => {
    const calibrated = systems.flatMap(claimsOf).filter(([, , { threshold }]) => threshold !== "page");
    expect(calibrated.length).toBeGreaterThan(20);
    for (const [text, kind, claim] of calibrated) {
      expect([text, kind]).toEqual([text, "glyphs"]);
      expect(Number.isFinite(claim.bound), text).toBe(true);
      expect(claim.threshold).toBe("calibrated on seeds 10 and 11");
      expect(claim.text).toContain(boundText(claim));
    }
  });

  it("write a bound in the unit of its claim, without the sign", () => {
    expect(boundText({ bound: 0.55, unit: "percent" })).toBe("55 %");
    expect(boundText({ bound: -0.07, unit: "points" })).toBe("7 points");
    expect(boundText({ bound: 0.01, unit: "points" })).toBe("1 point");
    expect(boundText({ bound: 1.02, unit: "ratio" })).toBe("1.02");
  });
});
