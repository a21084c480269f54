import { meanText, renderReproduction, renderReproductionJson, reproductionSchema } from "temper/report";
import { describe, expect, it } from "vitest";
import { faults } from "./faults.ts";
import { sampleReproduction } from "./reproduction-sample.ts";

const words = (text: string): string =>
  text
    .replaceAll("\u00a0", " ")
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ");

describe("renderReproduction", () => {
  const page = renderReproduction(sampleReproduction()),
    text = words(page);

  it("says what held and what did not, beside what was published", () => {
    expect(text).toContain("1 of 2 required claims did not hold on seeds 0, 1, 2");
    expect(text).toMatch(
      /above that of one held required 50\.1 % and 46\.1 % on CIFAR-10 \(table 4\) 7\.1 points \(4\.6 to 9\.6\) 6\.1, 7\.1, 8\.1 set beforehand/,
    );
    expect(text).toMatch(
      /one step collapses not held required nothing comparable none none, none, none calibrated on seeds 10 and 11/,
    );
  });

  it.each([
    ["percent", 0.98049, "98.0 % (98.0 to 98.0)"],
    ["points", -0.0004, "0.0 points (0.0 to 0.0)"],
    ["points", -0.0312, "-3.1 points (-3.1 to -3.1)"],
    ["ratio", 0.2549, "0.255 times (0.255 to 0.255)"],
    ["number", 4.26, "4.26 (4.26 to 4.26)"],
  ] as const)("writes %s as people do", (unit, value, wanted) => {
    expect(words(meanText({ unit, mean: value, low: value, high: value }))).toBe(wanted);
    expect(words(meanText({ unit, mean: value, low: null, high: null }))).toBe(wanted.split(" (")[0]);
  });

  it("draws a line an arm and seed, with each seed's last value in the legend", () => {
    const loss = page.slice(page.indexOf("<h3>Loss</h3>")).split("</figure>")[0]!;
    expect(loss.split("</svg>")[0]!.match(/<polyline/g)).toHaveLength(6);
    expect(words(loss)).toMatch(/one step (\d\.\d+) \1 \1 seven steps \1 \1 \1/);
    for (const title of [
      "Clean accuracy, validation",
      "Robust accuracy, validation",
      "Learning rate",
      "Gradient evaluations",
    ])
      expect(page).toContain(`<h3>${title}</h3>`);
  });

  it("has no scripts, and escapes what it shows", () => {
    expect(page).not.toMatch(/<script|<link|<iframe|<b>|<i>/i);
    expect(page).toContain("&lt;b&gt;more&lt;/b&gt;");
  });
});

describe("renderReproductionJson", () => {
  const report = sampleReproduction();

  it("says all that the report says, in the form of the schema", () => {
    const back = JSON.parse(renderReproductionJson(report)) as Record<string, unknown>;
    expect(back).toEqual(report);
    expect(faults(back, reproductionSchema)).toEqual([]);
    expect(Object.keys(back)).toEqual(Object.keys(reproductionSchema.properties!));
  });

  it.each([
    ["schema", "temper.reproduction/2"],
    ["claims", [{ ...report.claims[0], held: "yes" }]],
    ["arms", [{ ...report.arms[0], clean: 90 }]],
    ["seconds", { total: 1 }],
  ])("refuses a wrong %s", (key, value) => {
    const back = JSON.parse(renderReproductionJson(report)) as Record<string, unknown>;
    expect(faults({ ...back, [key]: value }, reproductionSchema)).not.toEqual([]);
  });
});
