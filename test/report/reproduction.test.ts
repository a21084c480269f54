import { renderReproduction, renderReproductionJson, reproductionSchema } from "temper/report";
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
      /above that of one held required 50\.1 % and 46\.1 % on CIFAR-10 \(table 4\) 0\.0712 ± 0\.00512 0\.0712, 0\.0712, 0\.0712 set beforehand/,
    );
    expect(text).toMatch(
      /one step collapses not held required nothing comparable none none, none, none calibrated on seeds 10 and 11/,
    );
  });

  it("draws a line an arm and seed, with each seed's last value in the legend", () => {
    const loss = page.slice(page.indexOf("<h3>Loss</h3>")).split("</figure>")[0]!;
    expect(loss.split("</svg>")[0]!.match(/<polyline/g)).toHaveLength(6);
    expect(words(loss)).toMatch(/one step (\d\.\d+) \1 \1 seven steps \1 \1 \1/);
    for (const title of ["Clean accuracy, validation", "Robust accuracy, validation"])
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
